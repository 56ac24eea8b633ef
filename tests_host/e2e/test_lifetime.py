"""Beginnings and ends of a device's life: broken flash, deaths in a row, a hang, Ctrl-C."""

import asyncio
import json

import pytest

from tools.fixture.system import SystemFixture
from tools.repository import ROOT

PUMP, HEATER = 16, 17
MAIN = (ROOT / "main.py").read_bytes()


def driven(fixture, boot):
    """{gpio: first level} of the outputs in that boot, 0 the first."""
    boots, levels = -1, {}
    for kind, *values in fixture.events:
        boots += kind == "boot"
        if kind == "pin" and boots == boot and values[1] is not None:
            levels.setdefault(values[0], values[1])
    return {gpio: levels.get(gpio) for gpio in (PUMP, HEATER)}


def boot_on(config):
    """The pump's boot level is on, its safe level off, so that the two can be told apart."""
    config["outputs"][0]["boot"] = "on"


class Life(SystemFixture):
    """A fixture that keeps all events of its board."""

    def __init__(self, *args, **kwargs):
        self.events = []
        super().__init__(*args, on_event=self.events.append, **kwargs)

    async def talks(self):
        """Wait until main.py, or what it runs, has said something new besides that it starts."""
        before = len(self.lines)
        output = lambda: [line for line in self.lines[before:] if not line.startswith("starting")]  # noqa: E731
        await self.until("main.py began", output, 10)

    def record(self):
        return json.loads((self.flash / "boot.json").read_text())


@pytest.mark.thorough("64bit")
async def test_a_broken_or_missing_configuration_leaves_the_outputs_at_their_level(any_interpreter):
    async with Life(any_interpreter, edit=boot_on) as fixture:
        await fixture.online()
        known = fixture.record()["outputs"]
        for content in ('{"outputs": [', "[]", None):
            (fixture.flash / "config.json").unlink()
            if content is not None:
                (fixture.flash / "config.json").write_text(content)
            requests = fixture.site.server.requests
            await fixture.power_cycle()
            boot = fixture.board.boots - 1
            await fixture.until("the outputs are safe", lambda: not fixture.on("pump") and fixture.lines, 10)
            assert driven(fixture, boot) == {PUMP: 1, HEATER: 1}
            assert fixture.record()["outputs"] == known
            assert fixture.site.server.requests == requests
        fixture.install()
        await fixture.power_cycle()
        await fixture.online()


async def test_early_crashes_lead_to_safe_mode_with_buttons_and_repl(smallest):
    async with Life(smallest, edit=boot_on, powered=False) as fixture:
        await fixture.board.power_on()
        for boot in range(6):
            await fixture.until("boot.py did its work", lambda: fixture.board.levels.get(PUMP) == 1, 10)
            await fixture.talks()
            assert driven(fixture, boot) == {PUMP: 1, HEATER: 1}
            await fixture.board.reset()
            await fixture.until(
                "the next boot", lambda at=boot + 1: driven(fixture, at)[HEATER] is not None, 10
            )
        assert driven(fixture, 6) == {PUMP: 0, HEATER: 1}
        await fixture.talks()
        assert fixture.record()["safe_mode"] is True
        for on in (True, False):
            await asyncio.sleep(2)
            fixture.board.press_button()
            await fixture.until("the button works", lambda on=on: fixture.on("pump") == on, 10)
        await fixture.ctrl_c()
        assert fixture.board.levels[PUMP] == 0 and fixture.site.server.hellos == 0


HANG = b"""
import machine, time
from firmware.device import Device
state = Device.state
def hang(self):
    if machine.reset_cause() != machine.WDT_RESET:
        time.sleep(3600)  # blocks every loop, as a driver that waits for ever would
    return state(self)
Device.state = hang
import device_main
"""


async def test_a_hang_ends_in_a_reset_by_the_watchdog(smallest):
    def soon(config):
        config["watchdog_s"] = 10

    files = {"main.py": HANG, "device_main.py": MAIN}
    async with Life(smallest, edit=soon, files=files) as fixture:
        await fixture.until("the watchdog bites", lambda: ("wdt",) in fixture.events, 25)
        await fixture.online()
        assert fixture.board.boots == 2 and fixture.board.reset_cause == "watchdog"
        assert fixture.record()["boots"] == 2


NO_MEMORY = b"""
import machine
class Pin:
    OUT = 3
    def __init__(self, *args, **options):
        raise MemoryError
def run(sink):
    if machine.reset_cause() == machine.PWRON_RESET:
        machine.Pin = Pin
    raise RuntimeError("planted")
"""


async def test_without_memory_for_safe_outputs_the_last_resort_is_a_reset_at_once(roomiest):
    async with Life(roomiest, files={"firmware/device.py": NO_MEMORY}) as fixture:
        await fixture.until("a reset", lambda: ("reset", "hard") in fixture.events, 20)
        first = fixture.events[: fixture.events.index(("reset", "hard"))]
        output = [event[1] for event in first if event[0] == "line"]
        assert output == ["starting, slot root"], "it did not wait for anybody to read"


@pytest.mark.thorough("64bit")
async def test_ctrl_c_leaves_safe_outputs_and_no_token(any_interpreter):
    async with Life(any_interpreter) as fixture:
        await fixture.online()
        fixture.want("6", 1)
        await fixture.until("the pump runs", lambda: fixture.on("pump"), 8)
        await fixture.ctrl_c()
        assert not fixture.on("pump") and not fixture.on("heater")
        assert [event["by"] for event in fixture.model.named("revoked")] == ["device"]
        assert fixture.model.show(0)[0]["tokens"] == []
        assert fixture.record()["early"] == 0
        requests = fixture.site.server.requests
        await fixture.power_cycle()
        await fixture.online()
        assert fixture.site.server.requests > requests


async def test_ctrl_c_in_the_middle_of_a_request_still_gives_the_token_back(smallest):
    async with Life(smallest) as fixture:
        await fixture.online()
        fixture.site.faults.add("commands hang times=1")
        await fixture.until("a request hangs", lambda: fixture.model.named("fault"), 10)
        await fixture.ctrl_c()
        assert [event["by"] for event in fixture.model.named("revoked")] == ["device"]
