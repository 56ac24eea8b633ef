"""The outcome of one observation, whatever transport brought it: stored, replayed, in conflict, or rejected.

It has idempotency (per device and source), the reported state, and what a local change does to the desired value. The
file of each transport turns an Outcome into statuses and bodies.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tools.cloud.entities import Command, Device, FeedItem
from tools.cloud.state import CloudState


@dataclass(frozen=True)
class Outcome:
    """`status`: created, idempotent, conflict or rejected. `details`: field -> sentences, for the last two."""

    status: str
    feed_data_id: int = 0
    details: dict[str, list[str]] = field(default_factory=dict)


def ingest(
    model: CloudState, device: Device, role: str, source_id: int | str, item: dict[str, Any], now: float,
    via: str = "https",
) -> Outcome:  # fmt: skip
    """Check and store one structurally sound item of a source (`role`: "sensor" or "command").

    `item` holds value, value_received_at, message_id and the optional fields, but not the source: a message id means
    the same whichever way it came.
    """
    payload = json.dumps(item, sort_keys=True)
    facts = {f"{role}_id": source_id, "message_id": item["message_id"], "value": item["value"], "via": via}
    # A replay is recognised before the catalog is asked: the source may have vanished since the first delivery.
    place = role, source_id, item["message_id"]
    earlier = device.stored.get(place)
    if earlier is not None and earlier.payload == payload:
        model.event(now, "feed_replayed", device.key, **facts)
        return Outcome("idempotent", earlier.number)
    if earlier is not None:
        model.event(now, "feed_conflict", device.key, **facts)
        return Outcome("conflict", details={"message_id": ["has already been used for another payload"]})
    details = _problems(device, role, source_id, item)
    if details:
        return rejected(model, device.key, details, now)
    number, observed = next(model.feed_numbers), item["value_received_at"]
    device.stored[place] = FeedItem(number, role, source_id, payload, now)
    device.reported[role, str(source_id)] = item["value"], observed
    model.event(now, "feed_stored", device.key, feed_data_id=number, received_at=observed, **facts)
    if "desired_id" in item:
        _answered(model, device, source_id, item, now)
    else:
        _apply_local(model, device, role, source_id, item, now)
    return Outcome("created", number)


def rejected(model: CloudState, device: str, details: dict[str, list[str]], now: float) -> Outcome:
    model.event(now, "feed_rejected", device, details=details)
    return Outcome("rejected", details=details)


def _problems(device: Device, role: str, source_id: int | str, item: dict[str, Any]) -> dict[str, list[str]]:
    source = device.source(role, str(source_id))
    if source is None or source.error is not None:
        return {f"{role}_id": ["is invalid for this device"]}
    if "desired_id" in item and not device.asked(str(source_id), item["desired_id"]):
        return {"desired_id": ["is invalid for this command"]}
    return {}


def _answered(
    model: CloudState, device: Device, source_id: int | str, item: dict[str, Any], now: float
) -> None:
    """Keep what the device made of a desired state; `applied` is what it means when it does not say."""
    status = item.get("report_status", "applied")
    state = device.asked(str(source_id), item["desired_id"])
    assert state
    state.status = status
    model.event(
        now, "desired_answered", device.key, desired_id=item["desired_id"], status=status, value=item["value"]
    )


def _apply_local(
    model: CloudState, device: Device, role: str, source_id: int | str, item: dict[str, Any], now: float
) -> None:
    """A local report (one that answers no request) becomes the desired value where the owner has chosen so."""
    command = device.source(role, str(source_id))
    if not isinstance(command, Command) or not command.apply_local:
        return
    if command.value != item["value"]:
        model.desire(device, command, item["value"], "device", now)
