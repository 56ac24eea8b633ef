"""Talks to a running simulated cloud through its connection file; blocking, for commands."""

from __future__ import annotations

import contextlib
import http.client
import json
from pathlib import Path
from typing import Any

from tools import common
from tools.repository import ROOT

CONNECTION_FILE = ROOT / ".cache" / "cloud/admin.json"


class NoCloud(Exception):
    """Nothing is running here."""


class Refused(Exception):
    """The cloud did not do it; the text says why, for the person who asked."""


def find(file: Path = CONNECTION_FILE) -> dict[str, Any]:
    """Addresses of the running cloud (see Site.addresses). Raises NoCloud."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        raise NoCloud from None
    if not isinstance(found, dict) or not found.keys() >= {"pid", "admin_port", "admin_key"}:
        raise NoCloud
    return found


def only_one(file: Path = CONNECTION_FILE) -> None:
    """Raises common.Failed where a cloud runs that is found by this file: its owner would play with the other one. Also
    where the file is something else, which the new cloud would replace, and remove at its end."""
    try:
        find(file)
    except NoCloud:
        if file.exists():
            do = "Name another one, or remove it: a cloud writes there how it is reached, and removes it at its end."
            raise common.Failed(f"{file} is there and is no connection file", do) from None
    with contextlib.suppress(NoCloud):
        call("counters", file)
        raise common.Failed(
            f"a simulated cloud runs here already, as process {find(file)['pid']}",
            f"End it, or give this one a connection file of its own: --connection {file.with_name('second.json')}",
        )


def call(verb: str, file: Path = CONNECTION_FILE, **arguments: Any) -> Any:
    """One call of a verb of `admin.Admin`. Raises NoCloud or Refused."""
    addresses = find(file)
    connection = http.client.HTTPConnection("127.0.0.1", addresses["admin_port"], timeout=10)
    try:
        headers = {"Authorization": f"Bearer {addresses['admin_key']}", "Content-Type": "application/json"}
        connection.request("POST", "/", json.dumps({"verb": verb, **arguments}), headers)
        answer = json.loads(connection.getresponse().read())
    except (
        OSError,
        http.client.HTTPException,
        ValueError,
    ):  # nobody, or somebody else on a port that was ours
        raise NoCloud from None
    finally:
        connection.close()
    if "error" in answer:
        raise Refused(answer["error"])
    return answer["result"]
