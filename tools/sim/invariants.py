"""Invariants: what must hold of a device at every step, whatever fails around it.

Here are those of relays (limits, interlocks, safe state, blind regulation), queues, secrets and the contract;
`desired_states.py` and `events.py` have those of desired values and of reports. `violations` are texts, `timeline` is
what was observed. Pure: `observer.py` calls it for a simulated device, its test with scripted histories. Times are
virtual seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tools.sim.desired_states import DesiredStates
from tools.sim.events import Events
from tools.sim.findings import Findings

UNDER_WAY_S = 120.0
"""For the ends of silence and tokens: so long a request may still take."""
BLIND_S = 100.0
"""A sensor that fails is noticed with its next reading, a minute later at most."""
OUTBOX = 48
JOURNAL_BYTES = 24 * 1024
CONNECTIONS = 3
TASKS = 40
_TOKEN = re.compile("[0-9a-f]{30}")


@dataclass
class Relay:
    """`on`: since `since`; `stuck`: the pin does not follow, `freed`: when it began to again; `pressed`: when a person
    switched it last; `outranks`: in the safe state, which has lasted since."""

    cfg: dict[str, Any]
    on: bool = False
    since: float = -1e9
    stuck: bool = False
    freed: float = -1e9
    pressed: float = -1e9
    outranks: bool = False

    @property
    def name(self) -> str:
        return str(self.cfg["name"])


class Invariants(Findings):
    """`outputs`: normalized items of the configuration; `tick_s`: period of the control loop, the tolerance of
    everything it does; `secrets`: texts that no log may show."""

    def __init__(
        self, outputs: list[dict[str, Any]], silence_s: float, tick_s: float, secrets: tuple[str, ...],
        now: Callable[[], float],
    ) -> None:  # fmt: skip
        super().__init__(now, tick_s)
        self.silence_s, self.secrets = silence_s, secrets
        self.relays = {o["gpio"]: Relay(o) for o in outputs}
        self.relays |= {o["close"]["gpio"]: Relay(o) for o in outputs if "close" in o}
        self.events = Events(self)
        self.desired_states = DesiredStates(self, {o["pin_port"]: o for o in outputs})
        self.contact = self.token_end = 0.0
        self.catalog_until = 0.0
        """Rights follow the catalog, which a device reads a little earlier than it uses them."""
        self.started = 0.0  # before that nothing measured how long a stuck relay was on
        self.starting = True  # what drives the relays is being built
        self._forced = True
        self._broken: dict[str, float] = {}

    # relays

    def forced(self) -> None:
        """The firmware forces the safe state, or the power is cut: relays fall whatever their least time is."""
        self._forced = True

    def stuck(self, gpio: int, stuck: bool) -> None:
        relay = self.relays[gpio]
        if relay.stuck and not stuck:
            relay.freed = self.now()
        relay.stuck = stuck

    def level(self, gpio: int, on: bool) -> None:
        """The relay on that pin pulls, or not."""
        relay = self.relays[gpio]
        if on == relay.on:
            return
        now, held = self.now(), self.now() - relay.since
        relay.on, relay.since = on, now
        if relay.stuck or relay.freed > now - 2 * self.tick_s:
            return  # the firmware did not switch it
        cfg = relay.cfg
        others = self._group(relay)
        least = cfg["min_off_s"] if on else cfg["min_on_s"]
        excused = not on and (
            self._forced
            or 0 < cfg["max_on_s"] <= held + self.tick_s
            or any(
                o.stuck or o.freed > now - 3 * self.tick_s for o in others
            )  # this one went off for the other
        )
        # It is configured to be on with the power, whatever was before.
        excused = excused or (on and self.starting and cfg.get("boot") == "on")
        if held < least - self.tick_s and not excused:
            self.violated(f"{relay.name} {'on' if on else 'off'} after {held:.1f} s, least is {least}")
        if on and any(o.on for o in others):
            self.violated(f"{relay.name} on although its interlock forbids it")

    def _group(self, relay: Relay) -> list[Relay]:
        """The others that it must not be on with: those of its group, and the other relay of a cover."""
        cfg = relay.cfg
        group = cfg["interlock"]
        return [
            r for r in self.relays.values()
            if r is not relay and (r.cfg is cfg or (group and r.cfg["interlock"] == group))
        ]  # fmt: skip

    def pressed(self, port: str, in_safe_state: bool = False) -> None:
        relay = next(r for r in self.relays.values() if r.cfg["pin_port"] == port)
        relay.pressed, relay.outranks = self.now(), in_safe_state

    def left_safe_state(self) -> None:
        """What a person did in it does not count in the next one."""
        for relay in self.relays.values():
            relay.outranks = False

    # sensors, queues, the log, the contract

    def sensor(self, port: str, broken: bool) -> None:
        if broken:
            self._broken.setdefault(port, self.now())
        else:
            self._broken.pop(port, None)

    def sizes(self, outbox: int, journal_bytes: int, connections: int, tasks: int) -> None:
        limits = [
            (outbox, OUTBOX, "events in the outbox"),
            (journal_bytes, JOURNAL_BYTES, "bytes of journal"),
        ]
        limits += [(connections, CONNECTIONS, "connections"), (tasks, TASKS, "tasks")]
        for is_, most, what in limits:
            if is_ > most:
                self.violated(f"{is_} {what}, at most {most}")

    def logged(self, line: str) -> None:
        self.record("  device: " + line)
        if any(secret in line for secret in self.secrets) or _TOKEN.search(line):
            self.violated("a secret in the log")

    def contract_broken(self, event: dict[str, Any]) -> None:
        """The cloud saw a broken contract."""
        if event.get("method") not in ("SUBSCRIBE", "PUBLISH") or self.now() >= self.catalog_until:
            self.violated(f"contract broken: {event}")

    # every few seconds

    def check(self, targets: dict[str, float | None], manual_override: set[str]) -> None:
        """`targets`: the target of each output, by pin_port; `manual_override`: those that a person switched last."""
        now = self.now()
        silent = self.silence_s and now > self.contact + self.silence_s + UNDER_WAY_S
        expired = now > self.token_end + UNDER_WAY_S
        for relay in self.relays.values():
            port = relay.cfg["pin_port"]
            self._at_any_time(relay)
            if not (silent or expired):
                continue
            why = "silence" if silent else "no token"
            if targets[port] is not None and port not in manual_override:
                self.violated(f"{relay.name} still applies a desired value, {why}")
            safe = {"on": True, "off": False}.get(relay.cfg["safe"] if "schedule" not in relay.cfg else "")
            least = relay.cfg["min_on_s" if relay.on else "min_off_s"]
            free = now - max(relay.freed, relay.since, self.started) > least + 3 * self.tick_s
            # A person outranks the safe state, also where a session that outlives its token receives in it.
            pressed = relay.outranks or relay.pressed > self.contact
            if safe is not None and free and not pressed and not relay.stuck and relay.on != safe:
                self.violated(f"{relay.name} is {'on' if relay.on else 'off'}, not in its safe state: {why}")
        self._forced = False

    def _at_any_time(self, relay: Relay) -> None:
        now, cfg = self.now(), relay.cfg
        if relay.stuck or relay.freed > now - 3 * self.tick_s:
            return
        on_s = now - max(relay.since, self.started) if relay.on else 0.0
        if cfg["max_on_s"] and on_s > cfg["max_on_s"] + 3 * self.tick_s:
            self.violated(f"{relay.name} on for {on_s:.0f} s, most is {cfg['max_on_s']}")
        pulling = [o.name for o in self._group(relay) if o.on and now - o.since > 3 * self.tick_s]
        if on_s > 3 * self.tick_s and pulling:
            self.violated(f"{relay.name} and {', '.join(pulling)} both on although they exclude each other")
        broken = self._broken.get(cfg.get("sensor", ""))
        blind = relay.on and cfg["safe"] != "on"  # which an owner may want of a regulator without a sensor
        if blind and broken is not None and now - max(broken, relay.since) > BLIND_S:
            self.violated(f"{relay.name} heats blindly, its sensor broke {now - broken:.0f} s ago")

    # at the end of a time without faults

    def check_end(self) -> None:
        """There was no fault for a while: everything must have arrived and been acknowledged, or be accounted for."""
        self.events.check_end()
        self.desired_states.check_end()
