"""What a judge hears of a simulated device: levels on pins, the cloud's record, the device's own bookkeeping.

Owns the places where the device is listened to. Refuses to judge (`judge.py`) and to cause anything. A pin that is
stuck is the world's doing, which only the world knows, so it is asked.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from firmware.core import outcomes
from firmware.core.models import NOTHING_NEW
from tools.cloud.demo_device import CLIENT_SECRET
from tools.sim.device import WIFI_PASSWORD, SimDevice
from tools.sim.judge import UNDER_WAY_S, Judge

_CONTACTS = ("catalog_read", "feed_stored", "feed_replayed", "feed_rejected", "feed_conflict", "mqtt_connected",
             "desired_published")  # fmt: skip
"""Of these the cloud tells that it served a device; a token alone is no service."""


class Witness:
    """`adopt` after every power-on, `cut` before every end of power, `look` every few seconds."""

    def __init__(self, device: SimDevice, judge: Judge, folder: Path) -> None:
        self.device, self.judge = device, judge
        self._journal = folder / "events"
        self._dying = self._nameless = False
        self._served = 0.0
        self._ports = {o["gpio"]: o["pin_port"] for o in device.config["outputs"]}
        self._drive = device.world.drive
        device.world.drive = self._driven  # type: ignore[method-assign]
        device.model.listeners.append(self._heard)

    # the power

    def cut(self) -> None:
        outbox = self.device.app.controller.outbox
        self.judge.events.cut(
            outbox.identity(r.message_id)
            for r in outbox.reports
            if outbox.kept.get(r.message_id, False) is False
        )
        self.judge.wishes.excuse("the power was cut")
        self.judge.forced()
        self.judge.starting = self._dying = True

    def adopt(self) -> None:
        """A device has been switched on."""
        controller = self.device.app.controller
        self.judge.starting = self._dying = False
        self.judge.started = self.judge.now()
        self.judge.left_safe_state()
        outbox = controller.outbox
        self.judge.events.came_back(_waiting(outbox), outbox.dropped)
        self.judge.forced()
        self._listen_to_outbox(controller.outbox)
        self._listen_to_link(self.device.app.link)
        self._listen_to_controller(controller)
        self._listen_to_cloud_loop(self.device.app.cloud_loop, controller)

    def _listen_to_cloud_loop(self, cloud_loop: Any, controller: Any) -> None:
        contact, apply_catalog = cloud_loop.contact, cloud_loop.apply_catalog

        def applied(catalog: Any) -> None:
            waiting = set(_waiting(controller.outbox))
            apply_catalog(catalog)
            for nobodys in waiting - set(_waiting(controller.outbox)):
                # From before the first contact, on a port that the cloud does not have.
                self.judge.events.dropped(nobodys, True, False)
            rows = [(c.output.cfg["pin_port"], c.row) for c in controller.commands]
            self.judge.wishes.adopt({f"{port}/{row.id}" for port, row in rows if row})

        def contacted() -> None:
            if not controller.safety.safe:
                self.judge.left_safe_state()
            if self.judge.now() - self._served < UNDER_WAY_S:  # else it imagines things
                self.judge.contact = self.judge.now()
            contact()

        cloud_loop.contact, cloud_loop.apply_catalog = contacted, applied

    def _listen_to_outbox(self, outbox: Any) -> None:
        events, post, append = self.judge.events, outbox.post, outbox.append
        posting: list[Any] = []

        def posted(*arguments: Any, **more: Any) -> Any:
            posting.append(arguments)
            try:
                return post(*arguments, **more)
            finally:
                posting.pop()

        def appended(report: Any) -> None:
            identity = outbox.identity(report.message_id)
            before = dict(zip(_waiting(outbox), [r.source == "command" for r in outbox.reports], strict=True))
            if posting:
                self._posted(report, identity)
            elif identity not in before:
                events.again(identity)
            append(report)
            left = set(_waiting(outbox))
            for gone, command in before.items():
                if gone not in left:
                    events.dropped(gone, command, not all(before.values()))
            self.judge.sizes(len(left), 0, 0, 0)

        outbox.post, outbox.append = posted, appended

    def _posted(self, report: Any, identity: str) -> None:
        events, wishes = self.judge.events, self.judge.wishes
        events.posted(identity, report.desired_id)
        if self._dying:
            events.cut([identity])
        elif report.desired_id is not None:
            wishes.answer(report.desired_id, report.status, self._follows(report))

    def _follows(self, report: Any) -> bool:
        """Whether the relay is as the report says. A regulator answers for its setpoint."""
        command = next(c for c in self.device.app.controller.commands if c.row and c.row.id == report.id)
        relay = self.judge.relays[command.output.cfg["gpio"]]
        return command.output.regulates or relay.stuck or relay.on == (float(report.value) > 0)

    def _listen_to_link(self, link: Any) -> None:
        send = link.send

        async def sent(reports: Any) -> Any:
            answers = await send(reports)
            for message_id, found in answers:
                self.judge.events.answered(message_id, found == outcomes.OK)
                if self._nameless and found == outcomes.OK:
                    self.judge.events.has(message_id)
            return answers

        link.send = sent

    def _listen_to_controller(self, controller: Any) -> None:
        judge, receive_desired = self.judge, controller.receive_desired
        force_safe, press = controller.force_safe, controller.press

        def received(desired: Any, now: int) -> None:
            for command in controller.commands:
                if desired.desired_id is not None and command.row and command.row.id == desired.command_id:
                    port = command.output.cfg["pin_port"]
                    judge.wishes.hear(port, *(desired[i] for i in (0, 2, 3, 4)))
                    if self._dying:
                        judge.wishes.excuse("the power is going")
            receive_desired(desired, now)

        def forced() -> None:
            judge.forced(True)
            force_safe()

        def pressed(index: int, now: int) -> None:
            judge.pressed(controller.outputs[index].cfg["pin_port"], controller.safety.safe)
            press(index, now)

        controller.receive_desired = received
        controller.force_safe, controller.press = forced, pressed
        for command in controller.commands:
            self._listen_to_command(command)

    def _listen_to_command(self, command: Any) -> None:
        output, wishes = command.output, self.judge.wishes
        port, receive_desired, demand = output.cfg["pin_port"], command.receive_desired, output.demand
        receiving: list[Any] = []

        def received(desired: Any, *more: Any) -> Any:
            receiving.append(desired)
            try:
                return receive_desired(desired, *more)
            finally:
                receiving.pop()

        def demanded(target: float | None, manual_override: bool = False) -> None:
            if target is not None and receiving and receiving[-1].value == NOTHING_NEW:
                wishes.resumed(port, target)
            elif target is not None and receiving:
                wishes.demanded(port, target, receiving[-1].desired_id)
            elif target is not None and not manual_override and target != output.value():
                self.judge.wrong(f"{output.cfg['name']} obeys {target} for no reason")
            demand(target, manual_override)

        command.receive_desired, output.demand = received, demanded

    # at every moment

    def _driven(self, gpio: int, level: int | None) -> None:
        self._drive(gpio, level)
        if gpio in self._ports:
            self._level(gpio)

    def _level(self, gpio: int) -> None:
        world, relay = self.device.world, self.judge.relays[gpio]
        stuck = gpio in world._stuck
        if stuck != relay.stuck:
            self.judge.stuck(gpio, stuck)
        on = world.level(gpio) == (relay.cfg["active"] == "high")
        if on != relay.on:
            self.judge.level(gpio, on)

    def _heard(self, event: dict[str, Any]) -> None:
        name, judge = event["event"], self.judge
        if name in _CONTACTS and event.get("heard", True):
            self._served = judge.now()
        if name == "token_issued":
            judge.token_end = judge.now() + event["expires_in"]
        elif name == "feed_stored" and event.get("via") == "realino":
            self._nameless = True  # what it stores has no identity: the newest of each source is told
        elif name == "feed_stored":
            judge.events.stored(event["message_id"])
        elif name == "feed_conflict":
            judge.events.conflicts(event["message_id"])
        elif name == "desired_set":
            judge.wishes.wish(event["pin_port"], float(event["value"]))
        elif name == "violation":
            judge.broke(event)

    # every few seconds

    def look(self) -> None:
        device, judge = self.device, self.judge
        controller, broker = device.app.controller, device.broker
        for gpio in self._ports:
            self._level(gpio)
        for sensor in device.config["sensors"]:
            role = {"thermistor": "ntc", "ldr_sensor": "ldr"}[sensor["kind"]]
            judge.sensor(sensor["pin_port"], device.world._broken.get(role) is not None)
        if broker and broker.connections and device.net.carries() and not broker.frozen:
            self._served = judge.now()  # the keep-alive of MQTT, of which the model hears nothing
        outputs = controller.outputs
        judge.look(
            {o.cfg["pin_port"]: o.target for o in outputs},
            {o.cfg["pin_port"] for o in outputs if o.manual_override},
        )
        net = device.net
        net.streams = [s for s in net.streams if not s.closed and not s._dead]
        journal = self._journal.stat().st_size if self._journal.exists() else 0
        judge.sizes(len(controller.outbox), journal, len(net.streams), 0)
        for line in device.lines:
            judge.said(line)
        device.lines.clear()

    def settle(self) -> None:
        self.judge.sizes(0, 0, 0, len(asyncio.all_tasks()))
        self.judge.settle()


def _waiting(outbox: Any) -> list[str]:
    """The events in `outbox`, by the names that the cloud has for them."""
    return [outbox.identity(r.message_id) for r in outbox.reports]


def judge_of(device: SimDevice, tick_s: float, now: Any) -> Judge:
    config = device.config
    return Judge(
        config["outputs"], config["safety"]["silence_s"], tick_s, (CLIENT_SECRET, WIFI_PASSWORD), now
    )
