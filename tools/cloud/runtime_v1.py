"""The responses that the generation with bootstrap adds to iot/v1: the runtime descriptor, and pending desired states.

Pending is the newest desired state of each command, or with `Served.backlog` every one, until it was answered or its
window closed. Reading one does not use it up. No example of either response is known: every name that the documentation
does not spell is a guess, listed in docs/decisions/.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator
from typing import Any

from tools.cloud.catalog_items import catalog_row
from tools.cloud.entities import Command, Device
from tools.cloud.messages import Response, to_json
from tools.cloud.state import CloudState


def bootstrap(model: CloudState, device: Device, now: float) -> tuple[Response, str]:
    """What a device needs to know before it begins."""
    model.event(now, "catalog_read", device.key, resource="bootstrap", count=1)
    plan = model.plan
    body = {"code": 2000, "available_protocols": list(model.served.protocols), **_revisions(model, device)}
    body["cadence"] = {
        "minimum_interval_seconds": plan.min_interval_s,
        "expected_interval_seconds": max(plan.min_interval_s, 10),
    }
    body["backoff"] = {"initial_seconds": 2, "maximum_seconds": 300}
    body["endpoints"] = {"https": {"desired_states": f"/iot/v1/devices/{device.key}/desired-states"}}
    return Response(200, {}, to_json(body | _catalog(device))), "http-bootstrap-response"


def desired_states(model: CloudState, device: Device, now: float) -> tuple[Response, str]:
    pending = [item for command in device.commands for item in _pending(model, device, command, now)]
    if model.served.order == "newest":
        pending.reverse()
    model.event(now, "catalog_read", device.key, resource="desired-states", count=len(pending))
    body = {"code": 2000, "desired_states": pending}
    if model.served.revisions:
        body |= _revisions(model, device)
    return Response(200, {}, to_json(body)), "http-desired-states-response"


VERBS = {"bootstrap": bootstrap, "desired-states": desired_states}


def _pending(model: CloudState, device: Device, command: Command, now: float) -> Iterator[dict[str, Any]]:
    states = device.desired[str(command.id)]
    for state in states if model.served.backlog else states[-1:]:
        ends = state.at + model.plan.desired_s
        if state.status or now >= ends:
            continue
        yield {
            "desired_id": state.id,
            "command_id": command.id,
            "value": state.value,
            "valid_for_seconds": math.ceil(ends - now),
            "expires_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends)),
            "sequence_number": state.sequence,
        }


def _catalog(device: Device) -> dict[str, list[dict[str, Any]]]:
    return {
        f"{role}s": [catalog_row(role, item) for item in device.sources(role)]
        for role in ("command", "sensor")
    }


def _revisions(model: CloudState, device: Device) -> dict[str, str]:
    rows = _catalog(device)
    for row in rows["commands"]:
        row.pop("value", None)  # the desired value is no part of the catalog
    digest = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
    return {"catalog_revision": f"cat-{digest[:12]}", "runtime_revision": f"run-{model.served.runtime}"}
