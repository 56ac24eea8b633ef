"""What must hold at every step of a simulated device, whatever goes wrong around it.

Watches levels on pins, the cloud's record and the device's bookkeeping from outside; `violations` are texts. Refuses
to cause anything. Times are virtual seconds. Tolerances: one tick of the control loop, and for the ends of silence and
tokens the time a request may still be under way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firmware.core import verdict
from tools.cloud.demo import CLIENT_SECRET
from tools.sim.device import WIFI_PASSWORD, SimDevice

UNDER_WAY_S = 120.0


class Judge:
    """`tick_s`: of the control loop. `adopt(device)` after every power-on."""

    def __init__(self, device: SimDevice, tick_s: float, now: Callable[[], float]) -> None:
        self.device, self.tick_s, self.now = device, tick_s, now
        self.violations: list[str] = []
        self.timeline: list[str] = []
        self.events: dict[str, str] = {}  # message_id: waiting, accepted, refused, dropped, lost
        self.wished: dict[str, set[float]] = {}
        self._past: set[str] = set()
        self._levels: dict[int, tuple[bool, float]] = {}
        self.catalog_until = (
            0.0  # rights follow the catalog, which a device reads a little earlier than it uses them
        )
        self._forced, self._dying = True, False
        self._contact = self._token_end = self._read_lines = 0.0
        self._outputs = {o["gpio"]: o for o in device.config["outputs"]}
        self._drive = device.world.drive
        device.world.drive = self._watch  # type: ignore[method-assign]
        device.model.listeners.append(self._heard)

    def tell(self, text: str) -> None:
        self.timeline.append(f"{self.now():10.1f}  {text}")
        del self.timeline[:-400]

    def wrong(self, text: str) -> None:
        self.tell("VIOLATION " + text)
        self.violations.append(f"{self.now():.1f} s: {text}")

    # the power

    def cut(self) -> None:
        """The plug is about to be pulled: what is not written down yet may be lost."""
        outbox = self.device.app.controller.outbox
        for report in outbox.reports:
            if outbox.kept.get(report.message_id, False) is False:
                self.events[report.message_id] = "lost"
        self._forced = self._dying = True

    def adopt(self) -> None:
        """A device has been switched on."""
        app = self.device.app
        outbox, link, controller = app.controller.outbox, app.link, app.controller
        append, send, panic = outbox.append, link.send, controller.panic

        def appended(report: Any) -> None:
            self.events[report.message_id] = "lost" if self._dying else "waiting"
            before = list(outbox.reports)
            append(report)
            left = {r.message_id for r in outbox.reports}
            for gone in before:
                if gone.message_id not in left:
                    self.events[gone.message_id] = "dropped"
                    if gone.source == "command" and any(r.source != "command" for r in before):
                        self.wrong("a command report was dropped before a reading")
            if len(outbox) > 60:
                self.wrong(f"{len(outbox)} events in the outbox")

        async def sent(reports: Any) -> Any:
            answers = await send(reports)
            for message_id, found in answers:
                self.events[message_id] = "accepted" if found == verdict.OK else "refused"
            return answers

        def panicked() -> None:
            self._forced = True
            panic()

        self._dying = False
        outbox.append, link.send, controller.panic = appended, sent, panicked
        self._came_back(outbox.reports)
        self._forced = True

    def _came_back(self, reports: Any) -> None:
        for report in reports:
            if report.message_id not in self.events and report.message_id not in self._past:
                self.wrong(f"{report.message_id} came back, and never was")
            self.events[report.message_id] = "waiting"
        waiting = {r.message_id for r in reports}
        for message_id, state in self.events.items():
            if state == "waiting" and message_id not in waiting:
                self.wrong(f"{message_id} was written down and did not come back")
                self.events[message_id] = "lost"

    # at every moment

    def _watch(self, gpio: int, level: int | None) -> None:
        self._drive(gpio, level)
        cfg = self._outputs.get(gpio)
        if cfg is None:
            return
        on = self._pulls(gpio)  # what is stuck does not follow
        before, since = self._levels.get(gpio, (False, -1e9))
        if on == before:
            return
        now, held = self.now(), self.now() - since
        self._levels[gpio] = (on, now)
        least = cfg["min_off_s"] if on else cfg["min_on_s"]
        tripped = not on and 0 < cfg["max_on_s"] <= held + self.tick_s
        stuck = self.device.world._stuck
        if gpio in stuck:
            return  # nobody switched it
        group = cfg["interlock"]
        others = [g for g, o in self._outputs.items() if g != gpio and group and o["interlock"] == group]
        giving_way = not on and any(g in stuck for g in others)
        if held < least - self.tick_s and (on or not self._forced) and not tripped and not giving_way:
            self.wrong(f"{cfg['name']} {'on' if on else 'off'} after {held:.1f} s, least is {least}")
        if on and [g for g in others if self._levels.get(g, (False, 0))[0]]:
            self.wrong(f"{cfg['name']} on although its interlock forbids it")

    def _pulls(self, gpio: int) -> bool:
        return self.device.world.level(gpio) == (self._outputs[gpio]["active"] == "high")

    def _heard(self, event: dict[str, Any]) -> None:
        name = event["event"]
        if name in ("catalog_read", "feed_stored", "feed_replayed", "token_issued", "mqtt_connected",
                    "feed_rejected", "feed_conflict", "desired_published", "credential_issued"):  # fmt: skip
            self._contact = self.now()
        if name == "token_issued":
            self._token_end = self.now() + event["expires_in"]
        if name == "violation" and not (
            event.get("method") == "SUBSCRIBE" and self.now() < self.catalog_until
        ):
            self.wrong(f"contract broken: {event}")

    # every few seconds

    def look(self) -> None:
        app, now = self.device.app, self.now()
        for gpio, cfg in self._outputs.items():
            on, since = self._levels.get(gpio, (False, 0.0))
            stuck = gpio in self.device.world._stuck
            if on and cfg["max_on_s"] and now - since > cfg["max_on_s"] + 3 * self.tick_s and not stuck:
                self.wrong(f"{cfg['name']} on for {now - since:.0f} s, most is {cfg['max_on_s']}")
            group = cfg["interlock"]
            pulling = [g for g, o in self._outputs.items() if o["interlock"] == group and self._pulls(g)]
            if group and len(pulling) > 1 and not any(g in self.device.world._stuck for g in pulling):
                self.wrong(f"interlock {group}: {len(pulling)} relays pull")
        self._forced = False
        device = self.device
        if device.broker and device.broker.connections and device.net.carries() and not device.broker.frozen:
            self._contact = now  # the keep-alive of MQTT, of which the model hears nothing
        silent = now > self._contact + self.device.config["safety"]["silence_s"] + UNDER_WAY_S
        lapsed = now > self._token_end + UNDER_WAY_S
        for output in app.controller.outputs:
            cfg = output.cfg
            if (silent or lapsed) and output.target is not None and not output.by_hand:
                self.wrong(f"{cfg['name']} still obeys, {'silence' if silent else 'no token'}")
            wishes = self.wished.get(cfg["pin_port"], set())
            if output.target is not None and not output.by_hand and output.target not in wishes:
                self.wrong(f"{cfg['name']} obeys {output.target}, which nobody wished")
        self._look_at_log()

    def _look_at_log(self) -> None:
        lines = self.device.lines
        for line in lines:
            self.tell("  device: " + line)
            if CLIENT_SECRET in line or WIFI_PASSWORD in line:
                self.wrong("a secret in the log")
        lines.clear()

    # at the end of a quiet time

    def settle(self) -> None:
        """Nothing has been wrong for a while: every event must have arrived, once, or be accounted for."""
        stored = [item["message_id"] for item in self.device.feed()]
        if len(stored) != len(set(stored)):
            self.wrong("an event was stored twice")
        known = set(stored)
        for message_id, state in self.events.items():
            if state in ("waiting", "accepted") and message_id not in known:
                self.wrong(f"{message_id} is {state}, and the cloud has not got it")
        self._past |= set(self.events)
        self.events = {i: state for i, state in self.events.items() if state == "waiting" and i not in known}
