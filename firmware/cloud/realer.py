"""Requests and catalogs of iot/v1 as of the B1 generation.

Source: docs/protocol.md, Catalogs. Pure. Every response becomes a result or a LinkError, never another exception.
"""

from firmware.cloud.fields import get_scalar
from firmware.cloud.responses import items, message
from firmware.core.models import Command, Desired


def request(cfg, token, what, text):
    """Return the arguments of `Client.request`. `what`: an absolute path, or one relative to that of the device, such
    as commands or feed-data/batches. `text`: JSON to post; "": a GET."""
    if what[0] != "/":
        what = "/iot/v1/devices/%s/%s" % (cfg["device_id"], what)
    return message("POST" if text else "GET", what, ("Authorization", "Bearer " + token.reveal()), text)


def commands(body):
    """Return (Command rows, Desired values) of GET commands, where `value` is the desired value. LinkError: no list."""
    rows = []
    desired = []
    for row, item in items(body, "commands"):
        rows.append(Command(row.id, row.kind, row.pin_port, None, None, None, row.error))
        if not row.error and "value" in item:
            desired.append(Desired(row.id, get_scalar(item, "value"), None, None, None))
    return rows, desired


def sensors(body):
    """Return the Sensor rows of GET sensors. LinkError: no list."""
    return [row for row, _ in items(body, "sensors")]
