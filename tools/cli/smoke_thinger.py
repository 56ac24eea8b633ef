"""The smoke test's scenario at Thinger.io: the owner's HTTP calls on one side, pins and temperatures on the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tools.cloud.demo_device import (
    THINGER_CREDENTIAL,
    THINGER_DEVICE,
    THINGER_HOST,
    THINGER_PASSWORD,
    THINGER_USER,
)  # fmt: skip
from tools.cloud.thinger_client import Account, NoAnswer
from tools.fixture.scenario import Facts, Step, about, heater, must, run
from tools.fixture.system import SystemFixture


class ThingerFixture(SystemFixture):
    """Its board is a device of the simulated Thinger.io. `account`: its owner's, logged in by `power_up`."""

    account: Account

    def __init__(
        self, *args: Any, edit: Callable[[dict[str, Any]], None] = lambda config: None, **options: Any
    ) -> None:
        def to_thinger(config: dict[str, Any]) -> None:
            keys = {"user": THINGER_USER, "device_id": THINGER_DEVICE, "credential": THINGER_CREDENTIAL}
            host = f"{THINGER_HOST}:{self.site.addresses()['thinger_port']}"
            config["cloud"] = {"api": "thinger", "host": host, "ca_files": config["cloud"]["ca_files"]} | keys
            edit(config)

        super().__init__(*args, edit=to_thinger, thinger=True, **options)

    async def __aenter__(self) -> ThingerFixture:
        await super().__aenter__()
        url = f"https://localhost:{self.thinger.rest_port}"
        self.account = Account(url, THINGER_USER, THINGER_DEVICE, self.site.certs.client())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.account.__aexit__(None, None, None)
        await super().__aexit__(*error)

    @property
    def thinger(self) -> Any:
        return self.site.thinger

    async def online(self, within_s: float = 20) -> float:
        """Wait until the device has logged in once more."""
        logins = len(self.thinger.model.named("login"))
        device = self.thinger.model.devices[THINGER_USER, THINGER_DEVICE]
        there = lambda: device.port and len(self.thinger.model.named("login")) >= max(logins, 1)  # noqa: E731
        return await self.until("the device is online", there, within_s)

    async def refused(self, resource: str, value: Any) -> int:
        """The HTTP status with which a value is refused, 200 when it is not."""
        try:
            await self.account.write(resource, value)
        except NoAnswer as error:
            return error.status
        return 200


async def power_up(fixture: ThingerFixture, facts: Facts) -> None:
    """From power to the login; its owner logs in too, by password and by refresh token."""
    facts["online_ms"] = round(await fixture.online())
    await fixture.account.login(THINGER_PASSWORD)
    await fixture.account.refresh()
    must((await fixture.account.stats())["connected"], "the cloud shows it connected")
    kinds = {name: about["fn"] for name, about in (await fixture.account.resources()).items()}
    wanted = dict.fromkeys(("room", "daylight", "status"), 3) | dict.fromkeys(("restart", "reset"), 1)
    wanted |= {"pump": 2, "heater": 2, "io": 4}
    must(kinds == wanted, f"its resources are {kinds}")


async def switch(fixture: ThingerFixture, facts: Facts) -> None:
    """A written value is answered when the relay has followed."""
    at = time.monotonic()
    await fixture.account.write("pump", True)
    answered = time.monotonic()
    must(fixture.on("pump"), "the pump runs when the answer is there")
    must(await fixture.account.shown("pump") == {"in": True}, "the console shows it")
    facts["request_to_relay_ms"] = round(((fixture.switched("pump", True, at) or at) - at) * 1000)
    facts["request_to_answer_ms"] = round((answered - at) * 1000)


async def nonsense(fixture: ThingerFixture, facts: Facts) -> None:
    """What means nothing is refused and switches nothing."""
    for value in (2, "ON", None, {"in": True}):
        must(await fixture.refused("pump", value) == 400, f"{value} is refused")
    must(await fixture.refused("heater", 50) == 400, "50 degrees are refused")
    must(fixture.on("pump"), "the pump runs on")


async def regulate(fixture: ThingerFixture, facts: Facts) -> None:
    """The heater goes on below and off above the setpoint."""
    await fixture.account.write("heater", 19.0)
    for on in (True, False):
        await heater(fixture, on, 30)


async def watch(fixture: ThingerFixture, facts: Facts) -> None:
    """Readings near the truth, and a dashboard that follows the button."""
    room = await fixture.account.read("room")
    must(
        abs(room - fixture.plant.sensor_c) < 3, f"{room} is shown, the room has {fixture.plant.sensor_c:.1f}"
    )
    seen: list[Any] = []
    fixture.thinger.model.devices[THINGER_USER, THINGER_DEVICE].port.stream("pump", seen.append)
    await fixture.until("the first sample", lambda: seen == [True], 5)
    fixture.board.press_button()
    await fixture.until("the dashboard follows the button", lambda: seen[-1] is False, 5)
    must(not fixture.on("pump"), "the pump stops by hand")


async def outage(fixture: ThingerFixture, facts: Facts) -> None:
    """The connection is cut: the device comes back by itself, and nothing is switched."""
    await fixture.account.write("pump", True)
    logins = len(fixture.thinger.model.named("login"))
    at = time.monotonic()
    fixture.thinger.cut()
    await fixture.until("another login", lambda: len(fixture.thinger.model.named("login")) > logins, 30)
    facts["recovery_ms"] = round((time.monotonic() - at) * 1000)
    must(await fixture.account.shown("pump") == {"in": True}, "the console shows it again")
    must(fixture.switched("pump", False, at) is None, "the pump ran on all the time")


async def end(fixture: ThingerFixture, facts: Facts) -> None:
    """Ctrl-C at the board: outputs safe, a goodbye to the cloud."""
    await fixture.ctrl_c()
    must(not fixture.on("pump") and not fixture.on("heater"), "outputs are safe at the end")
    device = fixture.thinger.model.devices[THINGER_USER, THINGER_DEVICE]
    await fixture.until("the cloud knows", lambda: device.port is None, 5)


STEPS: tuple[Step, ...] = (power_up, switch, nonsense, regulate, watch, outage, end)


async def scenario(fixture: ThingerFixture, tell: Callable[[str], None] = lambda text: None) -> Facts:
    """Run all steps on a fixture that has just been switched on; the facts. StepFailedError names the step."""
    facts = await run(fixture, STEPS, tell)
    violations = fixture.thinger.model.violations
    must(not violations, f"the device broke the protocol: {violations[:3]}")
    return about(fixture) | facts | {"violations": 0, "handshakes": fixture.thinger.handshakes}
