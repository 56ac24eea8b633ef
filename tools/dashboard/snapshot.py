"""How a device and all around it are now, as plain data for the dashboard, from what the parts show in public.

The keys are parts of the state of a `Feed`. Nothing in here is a secret.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from tools import boards, kinds
from tools.fixture.system import SystemFixture
from tools.virtual_board import knobs

Item = Mapping[str, Any]


def about(fixture: SystemFixture, name: str) -> dict[str, Any]:
    """What does not change while it runs."""
    cloud = fixture.config["cloud"]
    board = boards.of(fixture.config)
    chip = board.kit.name if board.kit else board.name
    found = {"name": name, "chip": chip, "api": cloud["api"], "configured": fixture.transport}
    return found | {"device": str(fixture.device_id), "interpreter": str(fixture.interpreter)}


def look(fixture: SystemFixture, now: float) -> dict[str, Any]:
    """Parts of the state by name. `now`: unix seconds."""
    (view,) = fixture.model.show(now)
    return {
        "board": _board(fixture),
        "cloud": _cloud(fixture, view, now),
        "commands": [_command(fixture, row) for row in view["commands"]],
        "sensors": [_sensor(fixture, row) for row in view["sensors"]],
        "parts": parts(fixture),
        "knobs": knobs.views(fixture.plant),
        "faults": _faults(fixture),
        "memory": _memory(fixture),
    }


def sample(fixture: SystemFixture, state: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A point of the charts: of each sensor what the device measures and what is there, of each command the desired
    value and whether its output is on."""
    return {
        "t": round(now, 1),
        "measured": {row["port"]: row["measured"] for row in state["sensors"]},
        "there": {row["port"]: row["there"] for row in state["sensors"]},
        "desired": {row["port"]: _number(row["desired"]) for row in state["commands"]},
        "on": {row["port"]: row["on"] for row in state["commands"]},
    }


def commands(fixture: SystemFixture) -> list[dict[str, Any]]:
    """All commands, as in `look`."""
    (view,) = fixture.model.show(time.time())
    return [_command(fixture, row) for row in view["commands"]]


def access(fixture: SystemFixture) -> tuple[bool, bool]:
    """Whether the subscription is active, and whether the keys are good."""
    (view,) = fixture.model.show(time.time())
    return view["subscription"], view["keys"]


def _board(fixture: SystemFixture) -> dict[str, Any]:
    board, radio, lan = fixture.board, fixture.board.chip.radio, fixture.board.chip.lan
    there = (
        lan.active and lan.cable and not lan.lost
        if lan.wired
        else radio.joined is not None and not radio.lost
    )
    return {
        "powered": board.powered,
        "boots": board.boots,
        "reset": board.reset_cause,
        "at_repl": board.chip.at_repl,
        "cable": board.console.in_use,
        "joined": board.powered and there,
        "wired": bool(lan.wired),
        "air": radio.air,
        "zombie": lan.dead or radio.zombie,
    }


def _cloud(fixture: SystemFixture, view: Item, now: float) -> dict[str, Any]:
    broker = fixture.site.broker
    ends = [round(now + token["left_s"]) for token in view["tokens"]]
    return {
        "subscription": view["subscription"],
        "keys": view["keys"],
        "token_ends": max(ends, default=0),
        "credentials": len(view["credentials"]),
        "session": bool(fixture.model.sessions),
        "broker": broker is not None and broker.running,
        "mqtt": broker is not None,
    }


def _wired(fixture: SystemFixture, gpio: int) -> str:
    """The role of the part on a pin."""
    return next((role for role, wire in fixture.plant.wiring.items() if wire["gpio"] == gpio), "")


def _configured(items: list[Any], port: str) -> dict[str, Any]:
    return next((item for item in items if item.get("pin_port") == port), {})


def _command(fixture: SystemFixture, row: Item) -> dict[str, Any]:
    output = _configured(fixture.config["outputs"], row["pin_port"])
    mode, gpio = output.get("mode", "switch" if output else "none"), output.get("gpio", -1)
    role, duty = _wired(fixture, gpio), fixture.plant.duties.get(gpio)
    least, most, step = kinds.span(output) or row["limits"] or (0, 1, 1)
    return {
        "port": row["pin_port"], "name": output.get("name", row["kind"]), "mode": mode, "role": role,
        "least": least, "most": most, "step": step or 1, "sensor": output.get("sensor"),
        "desired": row["value"], "reported": row["reported"], "answer": row["answer"], "on": fixture.on(role),
        "duty": None if duty is None else round(duty, 1),
    }  # fmt: skip


def _sensor(fixture: SystemFixture, row: Item) -> dict[str, Any]:
    port, reported = row["pin_port"], row["reported"]
    name, knob = row["kind"], ""
    for sensor in fixture.config["sensors"]:
        words = kinds.sensor(sensor["kind"]).KNOBS
        for part, item in {"": sensor, **sensor}.items():
            if isinstance(item, dict) and item.get("pin_port") == port:
                name, knob = item["name"], part if part in words else "" if part else words[0]
    there = knobs.KNOBS[knob].value(fixture.plant, {}) if knob in knobs.SHARED else None
    return {
        "port": port, "name": name, "kind": row["kind"], "unit": _UNITS.get(row["mu"], ""), "reported": reported,
        "there": there if there is None else round(there, 1), "measured": _number(reported),
    }  # fmt: skip


_UNITS = {"degree_celsius:0": "°C", "lux:0": "lx", "percent:0": "%", "hectopascal:0": "hPa"}


_BREAKABLE = ("microvolts", "dht", "one_wire", "i2c")
"""What a sensor has whose wires can be cut: see `tools/kinds.py`."""


def parts(fixture: SystemFixture) -> list[dict[str, Any]]:
    """What is wired to the board, for its drawing."""
    plant, found = fixture.plant, []
    held = plant.held
    for role, wire in plant.wiring.items():
        gpio = wire["gpio"]
        kind = role if role in ("led", "button") else "sensor" if "kind" in wire else "relay"
        part = {"role": role, "kind": kind, "gpio": gpio, "of": wire.get("kind", "")}
        if kind == "sensor":
            driver = kinds.sensor(wire["kind"])
            part |= {
                "fault": plant.broken.get(role) or "",
                "breaks": any(hasattr(driver, verb) for verb in _BREAKABLE),
            }
        else:
            stuck = plant.stuck.get(gpio)
            part |= {"on": held if kind == "button" else plant.is_on(role) and fixture.board.powered}
            part |= {"stuck": "" if stuck is None else "on" if stuck == wire["active"] else "off"}
        found.append(part)
    return found


def _faults(fixture: SystemFixture) -> dict[str, Any]:
    site = fixture.site
    return {
        "rules": [str(rule) for rule in site.faults.rules],
        "dns": site.dns.mode,
        "ntp": site.ntp.mode,
        "ntp_offset": site.ntp.offset_s,
        "cert": site.server.certificate,
        "listener": site.server.listening,
    }


def _memory(fixture: SystemFixture) -> dict[str, Any]:
    memory = fixture.board.chip.memory.memory
    pool = memory.pool
    found = {name: getattr(memory, name) for name in ("live", "peak", "area", "grown", "third", "limited")}
    pool_size = pool.image.small + pool.image.large
    return found | {"pool": pool.free, "pool_size": pool_size, "pool_lowest": pool.lowest}


def _number(text: Any) -> float | None:
    """None for what is no finite number, which JSON cannot tell."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
