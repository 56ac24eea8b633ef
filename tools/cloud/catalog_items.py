"""Items of an iot/v1 catalog as JSON objects."""

from __future__ import annotations

from typing import Any

from tools.cloud.entities import Command, Sensor

_FIELDS = {
    "command": ("id", "value", "value_type", "kind", "pin_port"),
    "sensor": ("id", "kind", "qc", "mu", "pin_port"),
}


def catalog_row(role: str, item: Command | Sensor) -> dict[str, Any]:
    if item.error is not None:
        return {"id": item.id, "error": item.error}
    return {field: getattr(item, field) for field in _FIELDS[role]} | item.extra
