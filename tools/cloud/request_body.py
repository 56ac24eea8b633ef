"""Checks the body of a request to iot/v1: it has to be JSON, and declared as that."""

from __future__ import annotations

import json
from typing import Any

from tools.cloud.messages import Refusal, Request
from tools.cloud.state import CloudState


def json_body(model: CloudState, request: Request, now: float) -> Any:
    """The value. Raises Refusal; the model notes the violation."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        model.violation(now, request, "a body is application/json")
        raise Refusal(415)
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        model.violation(now, request, "the body is not JSON")
        raise Refusal(400) from None
