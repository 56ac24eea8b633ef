"""The dialect of Realino, the legacy generation of the Realer API: login with the catalog, polled values, feeds.

Source: docs/protocol.md, Realino, and its assumptions 20, 33 and 34. Pure. Every response becomes a result or a
LinkError, never another exception. Commands of a `value_type` other than `binary` and `customary` get an error in their
row.
"""

import json

from firmware.cloud.fields import get, get_scalar
from firmware.cloud.keys import basic
from firmware.cloud.responses import items, message
from firmware.core.errors import LinkError
from firmware.core.models import Catalog, Command, Desired, number


def login(cfg, in_body):
    """Return the arguments of `Client.request` that log in. The keys are in a Basic header, or if `in_body` in the
    body, as the oldest servers require."""
    keys = basic(cfg)
    body = b""
    if in_body:
        client_id = cfg["client_id"]
        if client_id.isdigit():
            client_id = int(client_id)
        body = json.dumps({"client_id": client_id, "client_secret": cfg["client_secret"].reveal()}).encode()
        keys = "Accept", "application/json"
    return "POST", "/control_devices/sessions.realino", (keys, ("Content-Type", "application/json")), body


def keys_missing(body):
    """Return whether a login was refused because client_id was missing: the server expects the keys in the body, or in
    the header if they were in the body."""
    return "blank" in str(get_scalar(get(body, "details"), "client_id"))


def account(body):
    """Return (device id, Catalog, seconds between requests, bytes per request, subscription status) of a login
    response. LinkError: it has no device id, or lacks a list.

    For values that the oldest servers do not send, these are 5 s, 5000 bytes, and None.
    """
    device = get(body, "id")
    if type(device) is not int:
        raise LinkError("login response without device id")
    limits = [number(get(body, "plan_requests_" + key)) for key in ("period_interval", "data_transfer")]
    interval_s, kilobytes = [5 if n is None else n for n in limits]
    rows = [_command(row, item) for row, item in items(body, "commands")]
    catalog = Catalog(rows, [row for row, _ in items(body, "sensors")])
    subscription = get_scalar(body, "subscription_status") if "subscription_status" in body else None
    return device, catalog, interval_s, kilobytes * 1000, subscription


def _command(row, item):
    kind = get_scalar(item, "value_type")
    limits = 0.0, 1.0, 1.0
    error = row.error
    if kind != "binary":
        limits = [number(get_scalar(item, "value_type_range_" + end)) for end in ("min", "max", "step")]
        if kind != "customary" or None in limits:
            error = error or "value_type %s without a range" % kind
    return Command(row.id, row.kind, row.pin_port, limits[0], limits[1], limits[2], error)


def request(device, token, what, text):
    """Return the arguments of `Client.request`. `device`: its numeric id. `what`: commands or feeds. `text`: JSON to
    put; "": a GET."""
    target = "/control_devices/%d/%s.realino" % (device, what)
    return message("PUT" if text else "GET", target, ("Authorization", "Token " + token.reveal()), text)


def places(rows):
    """Return the part of the catalog that a poll contains: (id, kind, pin_port) of each command."""
    return [(row.id, row.kind, row.pin_port) for row in rows]


def commands(body, rows):
    """Return (`places` of the response, Desired values) of GET commands. The value of a command whose kind or pin_port
    is not that of the catalog (`rows`) any more is left out. LinkError: no list."""
    known = places([row for row in rows if not row.error])
    found = items(body, "commands")
    desired = [
        Desired(row.id, get_scalar(item, "value"), None, None, None)
        for row, item in found
        if not row.error and row[:3] in known and "value" in item
    ]
    return places([row for row, _ in found]), desired


def feed(reports):
    """Return the JSON text of PUT feeds. `reports`: Reports."""
    body = {}
    for report in reports:
        item = {report.source + "_id": str(report.id), "value": report.value}
        body.setdefault(report.source + "s", []).append(item)
    return json.dumps(body)
