"""Requests and catalogs of iot/v1 as of the B1 generation.

Source: docs/protocol.md, Catalogs. Pure. Every answer becomes a result or a LinkError, never
another exception. A name that the documentation leaves open is written in one place.
"""

from firmware.cloud.fields import get_scalar
from firmware.cloud.responses import items, message
from firmware.core.models import Command, Desired


def request(cfg, token, what, text):
    """The arguments of `Client.request`. `what`: under the device's path, as commands or feed-data/batches, or a path
    of its own; `text`: JSON to post, "" to get."""
    if what[0] != "/":
        what = "/iot/v1/devices/%s/%s" % (cfg["device_id"], what)
    return message("POST" if text else "GET", what, ("Authorization", "Bearer " + token.reveal()), text)


def commands(body):
    """(rows, desired values) of GET commands: the catalog's `value` is the desired state. LinkError."""
    rows = []
    desired = []
    for row, item in items(body, "commands"):
        rows.append(Command(row.id, row.kind, row.pin_port, None, None, None, row.error))
        if not row.error and "value" in item:
            desired.append(Desired(row.id, get_scalar(item, "value"), None, None, None))
    return rows, desired


def sensors(body):
    """Rows of GET sensors. LinkError."""
    return [row for row, _ in items(body, "sensors")]
