"""What the simulated cloud shows to a person: one readable line per event, tables for its state.

Text from devices and owners is printed as text, never as markup.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

_WORDS: dict[str, tuple[str, str]] = {
    "token_issued": ("cyan", "token issued for {expires_in} s: {scope}"),
    "token_refused": ("red", "token refused: {error}"),
    "tokens_expired": ("yellow", "{count} token(s) expired by the owner"),
    "revoked": ("yellow", "{count} token(s) revoked by the {by}"),
    "unauthorized": ("yellow", "request with a token that is {reason}"),
    "catalog_read": ("dim", "{resource} read ({count})"),
    "desired_set": ("bold", "{by} wants {value} on port {pin_port}"),
    "credential_issued": ("cyan", "MQTT credentials {set} issued: {scope}"),
    "credential_ended": ("yellow", "MQTT credentials {set} ended: {reason}"),
    "mqtt_connected": ("cyan", "the device is at the broker, with credentials {set}"),
    "mqtt_subscribed": ("dim", "it listens on {topic}"),
    "mqtt_disconnected": ("yellow", "the session with credentials {set} is over: {reason}"),
    "mqtt_refused": ("red", "the broker refused a CONNECT"),
    "broker": ("magenta", "broker {state}"),
    "desired_published": ("dim", "desired state {sequence} of command {command_id} is published; {delivery}"),
    "desired_answered": ("green", "{desired_id} was {status}: {value}"),
    "feed_stored": ("green", "stored {source}: {value}, observed {received_at}"),
    "feed_replayed": ("dim", "replay of {message_id}: nothing stored twice"),
    "feed_conflict": ("red", "conflict: {message_id} came with another payload"),
    "feed_rejected": ("red", "feed data rejected: {details}"),
    "cadence_exceeded": ("yellow", "too soon: {after_s} s after the last request, {allowed_s} s are due"),
    "subscription_set": ("yellow", "subscription {active}"),
    "keys_set": ("yellow", "keys {enabled}"),
    "fault": ("magenta", "fault on {endpoint}: {fault}"),
    "violation": ("bold red", "CONTRACT BROKEN by {method} {path}: {reason} {details}"),
}


_ON = {True: "on", False: "off"}


def words(event: dict[str, Any]) -> tuple[str, str]:
    """What happened, and the style in which to print it."""
    style, text = _WORDS.get(event["event"], ("", event["event"]))
    role = "sensor" if "sensor_id" in event else "command"
    facts = {"details": "", "source": f"{role} {event.get(role + '_id')}", **event}
    facts["set"] = str(event.get("username")).rpartition("-")[2]
    facts["delivery"] = "delivered" if event.get("delivered") else "no subscriber"
    facts = {
        name: _ON.get(value, value) if isinstance(value, bool) else value for name, value in facts.items()
    }
    return text.format(**facts), style


def line(event: dict[str, Any], clock: Callable[[float], time.struct_time] = time.localtime) -> Text:
    """One event as one line."""
    moment = time.strftime("%H:%M:%S", clock(event["at"]))
    return Text.assemble((f"{moment} ", "dim"), ("cloud ", "blue"), words(event))


def state(devices: list[dict[str, Any]]) -> Group:
    """Devices with desired beside reported values, tokens and the last feed data."""
    parts: list[Any] = []
    for device in devices:
        parts += [_heading(device), _commands(device), _sensors(device), feed(device["last_feed"])]
    return Group(*parts) if parts else Group(Text("no devices"))


def _heading(device: dict[str, Any]) -> Text:
    tokens = ", ".join(f"{token['left_s']} s left" for token in device["tokens"]) or "none"
    held = [
        f"{c['username'].rpartition('-')[2]} {c['left_s']} s left{', connected' if c['session'] else ''}"
        for c in device["credentials"]
    ]
    mqtt = ", ".join(held) or "none"
    return Text(
        f"device {device['id']}  subscription {_ON[device['subscription']]}  keys {_ON[device['keys']]}  "
        f"tokens: {tokens}  MQTT: {mqtt}",
        style="bold",
    )


def _commands(device: dict[str, Any]) -> Table:
    table = _table("commands", "id", "pin_port", "kind", "desired", "reported", "observed", "answer", "")
    for row in device["commands"]:
        same = row["reported"] is not None and _number(row["reported"]) == _number(row["value"])
        state = (
            Text(str(row["error"]), "red") if row["error"] else Text("" if same else "out of sync", "yellow")
        )
        _add(table, row, "id", "pin_port", "kind", "value", "reported", "reported_at", "answer", last=state)
    return table


def _sensors(device: dict[str, Any]) -> Table:
    table = _table("sensors", "id", "pin_port", "kind", "unit", "reported", "observed")
    for row in device["sensors"]:
        _add(table, row, "id", "pin_port", "kind", "mu", "reported", "reported_at")
    return table


def feed(rows: list[dict[str, Any]]) -> Table:
    table = _table("feed data", "number", "source", "value", "observed", "message_id", "status")
    for row in rows:
        role = "sensor" if "sensor_id" in row else "command"
        named = {**row, "source": f"{role} {row[role + '_id']}"}
        _add(
            table,
            named,
            "feed_data_id",
            "source",
            "value",
            "value_received_at",
            "message_id",
            "report_status",
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _add(table: Table, row: dict[str, Any], *fields: str, last: Text | None = None) -> None:
    cells = [Text("-" if row.get(field) is None else str(row[field])) for field in fields]
    table.add_row(*cells, *([] if last is None else [last]))


def _number(text: str) -> float | str:
    """Values as numbers where they are numbers: "1" and "1.0" are in sync."""
    try:
        return float(text)
    except ValueError:
        return text
