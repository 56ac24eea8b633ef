"""What a person can do to a device, its cloud and its surroundings while they run: the controls of the dashboard, and
the keys of `realer demo`.

A call is a verb with its fields, plain data of anybody's making. What is wrong with it is said in words that name the
field, and nothing is done then.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

from tools.cloud.broker import MODES as BROKER_MODES
from tools.cloud.certs import KINDS
from tools.cloud.dns import MODES as DNS_MODES
from tools.cloud.ntp import MODES as NTP_MODES
from tools.dashboard import snapshot
from tools.fixture.system import SystemFixture
from tools.virtual_board import knobs

Rule = Callable[[Any], Any]
_LONGEST = 200


class Wrong(Exception):
    """A call that cannot be carried out: which `field` is to blame, and why."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field, self.text = field, text


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        raise ValueError(f"must be a text of 1 to {_LONGEST} characters")
    return value


def _number(least: float, most: float) -> Rule:
    def rule(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError("must be a number")
        if not least <= value <= most:
            raise ValueError(f"must be {least:g} to {most:g}")
        return value

    return rule


def _one_of(*words: str) -> Rule:
    def rule(value: Any) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(repr(word) for word in words)}")
        return str(value)

    return rule


_HUGE = 1e9
VERBS: dict[str, dict[str, Rule]] = {
    # the owner
    "set": {"port": _text, "value": _number(-_HUGE, _HUGE)},
    "expire_token": {}, "revoke": {}, "kick": {},
    "subscription": {"on": _flag}, "keys": {"on": _flag},
    # the cloud and the network
    "fault": {"rule": _text}, "clear_faults": {},
    "dns": {"mode": _one_of(*DNS_MODES)}, "ntp": {"mode": _one_of(*NTP_MODES)},
    "clock": {"offset_s": _number(-_HUGE, _HUGE)},
    "cert": {"kind": _one_of(*KINDS)}, "listener": {"on": _flag}, "broker": {"mode": _one_of(*BROKER_MODES)},
    "network": {"on": _flag}, "zombie": {"until": _one_of("", "join", "interface", "reset")},
    # the board and the plant
    "power": {"on": _flag}, "power_cycle": {}, "reset": {}, "button": {"ms": _number(1, 60_000)},
    "stick": {"role": _text, "at": _one_of("", "on", "off")},
    "sensor": {"role": _text, "fault": _one_of("", "open", "short")},
    "turn": {"knob": _text, "value": _number(-_HUGE, _HUGE)},
}  # fmt: skip
"""Verb -> its fields, all of them needed, and what each may be."""
_ON = {True: "on", False: "off"}


class Actions:
    """`did(text)`: what was done, where the cloud does not tell it by itself."""

    def __init__(self, fixture: SystemFixture, did: Callable[[str], None]) -> None:
        self._fixture, self._did = fixture, did
        self._admin = fixture.site.admin

    async def do(self, call: Any) -> None:
        """Carry out a call, `{"verb": ..., fields}`. Raises Wrong, before anything was done."""
        if not isinstance(call, dict):
            raise Wrong("body", "must be a JSON object")
        fields = {name: value for name, value in call.items() if name != "verb"}
        verb = call.get("verb")
        if not isinstance(verb, str) or verb not in VERBS:
            raise Wrong("verb", f"must be one of {', '.join(VERBS)}")
        rules = VERBS[verb]
        for name in fields.keys() - rules.keys():
            raise Wrong(str(name)[:_LONGEST], f"is not a field of {verb}")
        for name, rule in rules.items():
            if name not in fields:
                raise Wrong(name, "is missing")
            try:
                fields[name] = rule(fields[name])
            except ValueError as error:
                raise Wrong(name, str(error)) from None
        act = getattr(self, f"_{verb}", None) or getattr(self._admin, f"do_{verb}")
        done = act(**fields)
        if asyncio.iscoroutine(done):
            await done

    # The owner; the other verbs of an owner are the admin's. The cloud tells by itself what became of them.

    def _set(self, port: str, value: float) -> None:
        commands = {row["port"]: row for row in snapshot.commands(self._fixture)}
        if port not in commands:
            raise Wrong("port", f"must be one of {', '.join(commands)}")
        least, most, step = (commands[port][name] for name in ("least", "most", "step"))
        if not least <= value <= most or abs((value - least) / step % 1 - 0.5) < 0.499:
            raise Wrong("value", f"must be {least:g} to {most:g} in steps of {step:g}")
        self._fixture.want(port, value)

    # The cloud and the network

    def _fault(self, rule: str) -> None:
        try:
            added = self._admin.do_fault(rule)
        except ValueError as error:
            raise Wrong("rule", str(error)) from None
        self._did(f"fault on {added}")

    def _clear_faults(self) -> None:
        self._admin.do_faults(clear=True)
        self._did("all faults of messages cleared")

    def _dns(self, mode: str) -> None:
        self._fixture.site.dns.mode = mode
        self._did(f"DNS: {mode or 'good'}")

    def _ntp(self, mode: str) -> None:
        self._fixture.site.ntp.mode = mode
        self._did(f"time server: {mode or 'good'}")

    def _clock(self, offset_s: float) -> None:
        self._fixture.site.ntp.offset_s = offset_s
        self._did(f"time server off by {offset_s:g} s" if offset_s else "time server right")

    async def _cert(self, kind: str) -> None:
        await self._admin.do_cert(kind)
        self._did(f"certificate of the servers: {kind}")

    async def _listener(self, on: bool) -> None:
        await self._admin.do_listener(on)
        self._did("HTTPS server up" if on else "HTTPS server down")

    async def _broker(self, mode: str) -> None:
        broker = self._fixture.site.broker
        if broker is None:
            raise Wrong("mode", "there is no broker here")
        await broker.mode(mode)

    def _network(self, on: bool) -> None:
        board = self._fixture.board
        (board.network_up if on else board.network_down)()
        self._did(f"access point {_ON[on]}" if not board.chip.lan.wired else f"cable {'in' if on else 'out'}")

    def _zombie(self, until: str) -> None:
        chip = self._fixture.board.chip
        if until == "join" and chip.lan.wired:
            raise Wrong("until", "a cable joins nothing: interface or reset")
        if chip.lan.wired:
            chip.lan.dead = until
        else:
            chip.radio.zombie = until
        self._did(f"all packets vanish, until {_REVIVED[until]}" if until else "packets arrive again")

    # The board and the plant

    async def _power(self, on: bool) -> None:
        self._did(f"power {_ON[on]}")
        await (self._fixture.board.power_on() if on else self._fixture.board.power_off())

    async def _power_cycle(self) -> None:
        self._did("power cut for half a second")
        await self._fixture.power_cycle()

    async def _reset(self) -> None:
        self._did("reset button")
        await self._fixture.board.reset()

    def _button(self, ms: float) -> None:
        if "button" not in self._fixture.plant.wiring:
            raise Wrong("verb", "this board has no button")
        self._did("press the button")
        self._fixture.board.press_button(int(ms))

    def _stick(self, role: str, at: str) -> None:
        wires = {r: w for r, w in self._fixture.plant.wiring.items() if "active" in w}
        if role not in wires:
            raise Wrong("role", f"must be one of {', '.join(wires)}")
        active = wires[role]["active"]
        self._fixture.plant.stick(wires[role]["gpio"], {"": None, "on": active, "off": 1 - active}[at])
        self._did(f"{role} stuck {at}" if at else f"{role} mended")

    def _sensor(self, role: str, fault: str) -> None:
        try:
            self._fixture.plant.break_sensor(role, fault or None)
        except ValueError:
            raise Wrong("role", f"there is no sensor {role!r}") from None
        self._did(f"{role} {_BROKEN[fault]}")

    def _turn(self, knob: str, value: float) -> None:
        found = knobs.knobs(self._fixture.plant)
        if knob not in found:
            raise Wrong("knob", f"must be one of {', '.join(found)}")
        wire, turned = found[knob]
        if not turned.least <= value <= turned.most:
            raise Wrong("value", f"must be {turned.least:g} to {turned.most:g}")
        turned.turn(self._fixture.plant, wire, value)
        self._did(f"{turned.label} {value:g} {turned.unit}".strip())


_REVIVED = {"join": "the device joins again", "interface": "its interface was off", "reset": "the next reset"}
_BROKEN = {"": "mended", "open": "unplugged", "short": "shorted"}
