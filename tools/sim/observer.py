"""Observes a simulated device for its invariants: levels on pins, the cloud's record, the device's own data.

It wraps methods of the device, checks nothing itself (see `invariants.py`) and causes nothing. Only the plant knows
which pin is stuck, so the plant is asked.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from firmware.core import outcomes
from firmware.core.models import NOTHING_NEW
from tools.cloud.demo_device import CLIENT_SECRET
from tools.sim.invariants import UNDER_WAY_S, Invariants
from tools.sim.sim_device import WIFI_PASSWORD, SimDevice
from tools.virtual_board.plant import ROLES

_CONTACTS = ("catalog_read", "feed_stored", "feed_replayed", "feed_rejected", "feed_conflict", "mqtt_connected",
             "desired_published")  # fmt: skip
COVER_NEAR = 5.0
"""Percent between where a cover is and where time says it is, over the moves from one end to the next."""
"""Events of the cloud by which it served a device. A token alone does not count."""


class Observer:
    """`attach` after every power-on, `cut` before every end of power, `check` every few seconds."""

    def __init__(self, device: SimDevice, invariants: Invariants, folder: Path) -> None:
        self.device, self.invariants = device, invariants
        self._journal = folder / "events"
        self._cutting = self._nameless = False
        self._served = 0.0
        device.plant.watchers.append(self._driven)
        device.model.listeners.append(self._observe)

    # the power

    def cut(self) -> None:
        outbox = self.device.app.controller.outbox
        self.invariants.events.cut(
            outbox.identity(r.message_id)
            for r in outbox.reports
            if outbox.kept.get(r.message_id, False) is False
        )
        self.invariants.desired_states.excuse("the power was cut")
        self.invariants.forced()
        self.invariants.starting = self._cutting = True

    def attach(self) -> None:
        """A device has been switched on."""
        controller = self.device.app.controller
        self.invariants.starting = self._cutting = False
        self.invariants.started = self.invariants.now()
        self.invariants.left_safe_state()
        outbox = controller.outbox
        self.invariants.events.came_back(_waiting(outbox), outbox.dropped)
        self.invariants.forced()
        self._wrap_outbox(controller.outbox)
        self._wrap_link(self.device.app.link)
        self._wrap_controller(controller)
        self._wrap_cloud_loop(self.device.app.cloud_loop, controller)

    def _wrap_cloud_loop(self, cloud_loop: Any, controller: Any) -> None:
        contact, apply_catalog = cloud_loop.contact, cloud_loop.apply_catalog

        def applied(catalog: Any) -> None:
            waiting = set(_waiting(controller.outbox))
            apply_catalog(catalog)
            for dropped in waiting - set(_waiting(controller.outbox)):
                # From before the first contact, on a port that the cloud does not have.
                self.invariants.events.dropped(dropped, True, False)
            rows = [(c.output.pin_port, c.row) for c in controller.commands]
            self.invariants.desired_states.bind({f"{port}/{row.id}" for port, row in rows if row})

        def contacted() -> None:
            if not controller.safety.safe:
                self.invariants.left_safe_state()
            if self.invariants.now() - self._served < UNDER_WAY_S:  # else nothing was received
                self.invariants.contact = self.invariants.now()
            contact()

        cloud_loop.contact, cloud_loop.apply_catalog = contacted, applied

    def _wrap_outbox(self, outbox: Any) -> None:
        events, post, append = self.invariants.events, outbox.post, outbox.append
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
            self.invariants.sizes(len(left), 0, 0, 0)

        outbox.post, outbox.append = posted, appended

    def _posted(self, report: Any, identity: str) -> None:
        events, desired_states = self.invariants.events, self.invariants.desired_states
        events.posted(identity, report.desired_id)
        if self._cutting:
            events.cut([identity])
        elif report.desired_id is not None:
            desired_states.answer(report.desired_id, report.status, self._follows(report))

    def _follows(self, report: Any) -> bool:
        """Whether the relay is as the report says. A regulator reports its setpoint."""
        command = next(c for c in self.device.app.controller.commands if c.row and c.row.id == report.id)
        relays = [r for r in self.invariants.relays.values() if r.cfg["pin_port"] == command.output.pin_port]
        relay = relays[0]
        cover = self.device.plant.loads.get(relay.name)
        if cover:
            return not any(r.on for r in relays) and abs(cover.position - report.value / 1000) <= COVER_NEAR
        return command.output.regulates or relay.stuck or relay.on == (float(report.value) > 0)

    def _wrap_link(self, link: Any) -> None:
        send = link.send

        async def sent(reports: Any) -> Any:
            answers = await send(reports)
            for message_id, found in answers:
                self.invariants.events.answered(message_id, found == outcomes.OK)
                if self._nameless and found == outcomes.OK:
                    self.invariants.events.has(message_id)
            return answers

        link.send = sent

    def _wrap_controller(self, controller: Any) -> None:
        invariants, receive_desired = self.invariants, controller.receive_desired
        force_safe, press = controller.force_safe, controller.press

        def received(desired: Any, now: int) -> None:
            for command in controller.commands:
                if desired.desired_id is not None and command.row and command.row.id == desired.command_id:
                    port = command.output.pin_port
                    invariants.desired_states.receive(port, *(desired[i] for i in (0, 2, 3, 4)))
                    if self._cutting:
                        invariants.desired_states.excuse("the power is going")
            receive_desired(desired, now)

        def forced() -> None:
            invariants.forced()
            force_safe()

        def pressed(index: int, now: int, on: bool | None = None) -> None:
            invariants.pressed(controller.outputs[index].pin_port, controller.safety.safe)
            press(index, now, on)

        controller.receive_desired = received
        controller.force_safe, controller.press = forced, pressed
        for command in controller.commands:
            self._wrap_command(command)

    def _wrap_command(self, command: Any) -> None:
        output, desired_states = command.output, self.invariants.desired_states
        port, receive_desired, demand = output.pin_port, command.receive_desired, output.demand
        receiving: list[Any] = []

        def received(desired: Any, *more: Any) -> Any:
            receiving.append(desired)
            try:
                return receive_desired(desired, *more)
            finally:
                receiving.pop()

        def demanded(target: float | None, manual_override: bool = False) -> None:
            if target is not None and receiving and receiving[-1].value == NOTHING_NEW:
                desired_states.resumed(port, target)
            elif target is not None and receiving:
                desired_states.demanded(port, target, receiving[-1].desired_id)
            elif target is not None and not manual_override and target != output.value():
                self.invariants.violated(f"{output.cfg['name']} applies {target} without a reason")
            demand(target, manual_override)

        command.receive_desired, output.demand = received, demanded

    # at every moment

    def _driven(self, gpio: int) -> None:
        if gpio in self.invariants.relays:
            self._level(gpio)

    def _level(self, gpio: int) -> None:
        plant, relay = self.device.plant, self.invariants.relays[gpio]
        stuck = gpio in plant.stuck
        if stuck != relay.stuck:
            self.invariants.stuck(gpio, stuck)
        on = plant.level(gpio) == (relay.cfg["active"] == "high")
        if on != relay.on:
            self.invariants.level(gpio, on)

    def _observe(self, event: dict[str, Any]) -> None:
        name, invariants = event["event"], self.invariants
        if name in _CONTACTS and event.get("delivered", True):
            self._served = invariants.now()
        if name == "token_issued":
            invariants.token_end = invariants.now() + event["expires_in"]
        elif name == "feed_stored" and event.get("via") == "realino":
            self._nameless = True  # what it stores has no identity: the newest of each source is stored
        elif name == "feed_stored":
            invariants.events.stored(event["message_id"])
        elif name == "feed_conflict":
            invariants.events.conflicts(event["message_id"])
        elif name == "desired_set":
            invariants.desired_states.desire(event["pin_port"], float(event["value"]))
        elif name == "violation":
            invariants.contract_broken(event)

    # every few seconds

    def check(self) -> None:
        device, invariants = self.device, self.invariants
        controller, broker = device.app.controller, device.broker
        for gpio in self.invariants.relays:
            self._level(gpio)
        for sensor in device.config["sensors"]:
            role = ROLES[sensor["kind"]]
            invariants.sensor(sensor["pin_port"], device.plant.broken.get(role) is not None)
        if broker and broker.connections and device.net.carries() and not broker.frozen:
            self._served = invariants.now()  # the keep-alive of MQTT, which the model does not see
        outputs = controller.outputs
        invariants.check(
            {o.pin_port: o.target for o in outputs}, {o.pin_port for o in outputs if o.manual_override}
        )
        net = device.net
        net.streams = [s for s in net.streams if not s.closed and not s._dead]
        journal = self._journal.stat().st_size if self._journal.exists() else 0
        invariants.sizes(len(controller.outbox), journal, len(net.streams), 0)
        for line in device.lines:
            invariants.logged(line)
        device.lines.clear()

    def check_end(self) -> None:
        self.invariants.sizes(0, 0, 0, len(asyncio.all_tasks()))
        self.invariants.check_end()


def _waiting(outbox: Any) -> list[str]:
    """The events in `outbox`, by the names that the cloud has for them."""
    return [outbox.identity(r.message_id) for r in outbox.reports]


def invariants_of(device: SimDevice, tick_s: float, now: Any) -> Invariants:
    config = device.config
    return Invariants(
        config["outputs"], config["safety"]["silence_s"], tick_s, (CLIENT_SECRET, WIFI_PASSWORD), now
    )
