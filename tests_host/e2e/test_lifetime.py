"""Beginnings and ends of a device's life: broken flash, deaths in a row, a hang, Ctrl-C."""

import asyncio
import json

from tools.fixture.system import Stage
from tools.repository import ROOT

PUMP, HEATER = 16, 17
MAIN = (ROOT / "main.py").read_bytes()


def driven(stage, boot):
    """{gpio: first level} of the outputs in that boot, 0 the first."""
    boots, levels = -1, {}
    for kind, *values in stage.events:
        boots += kind == "boot"
        if kind == "pin" and boots == boot and values[1] is not None:
            levels.setdefault(values[0], values[1])
    return {gpio: levels.get(gpio) for gpio in (PUMP, HEATER)}


def boot_on(config):
    """The pump's boot level is on, its safe level off, so that the two can be told apart."""
    config["outputs"][0]["boot"] = "on"


class Life(Stage):
    """A stage that keeps all events of its board."""

    def __init__(self, *args, **kwargs):
        self.events = []
        super().__init__(*args, on_event=self.events.append, **kwargs)

    async def talks(self):
        """Wait until main.py, or what it runs, has said something new besides that it starts."""
        before = len(self.lines)
        said = lambda: [line for line in self.lines[before:] if not line.startswith("starting")]  # noqa: E731
        await self.until("main.py began", said, 10)

    def record(self):
        return json.loads((self.flash / "boot.json").read_text())


async def test_a_broken_or_missing_configuration_leaves_the_outputs_at_their_level(any_interpreter):
    async with Life(any_interpreter, edit=boot_on) as stage:
        await stage.online()
        known = stage.record()["outputs"]
        for content in ('{"outputs": [', "[]", None):
            (stage.flash / "config.json").unlink()
            if content is not None:
                (stage.flash / "config.json").write_text(content)
            requests = stage.site.server.requests
            await stage.power_cycle()
            boot = stage.board.boots - 1
            await stage.until("the outputs are safe", lambda: not stage.on("pump") and stage.lines, 10)
            assert driven(stage, boot) == {PUMP: 1, HEATER: 1}
            assert stage.record()["outputs"] == known
            assert stage.site.server.requests == requests
        stage.install()
        await stage.power_cycle()
        await stage.online()


async def test_early_deaths_end_in_safe_mode_where_buttons_work_and_a_person_gets_the_repl(smallest):
    async with Life(smallest, edit=boot_on, powered=False) as stage:
        await stage.board.power_on()
        for boot in range(6):
            await stage.until("boot.py did its work", lambda: stage.board.levels.get(PUMP) == 1, 10)
            await stage.talks()
            assert driven(stage, boot) == {PUMP: 1, HEATER: 1}
            await stage.board.reset()
            await stage.until("the next boot", lambda at=boot + 1: driven(stage, at)[HEATER] is not None, 10)
        assert driven(stage, 6) == {PUMP: 0, HEATER: 1}
        await stage.talks()
        assert stage.record()["safe_mode"] is True
        for on in (True, False):
            await asyncio.sleep(2)
            stage.board.press_button()
            await stage.until("the button works", lambda on=on: stage.on("pump") == on, 10)
        await stage.ctrl_c()
        assert stage.board.levels[PUMP] == 0 and stage.site.server.hellos == 0


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
    async with Life(smallest, edit=soon, files=files) as stage:
        await stage.until("the watchdog bites", lambda: ("wdt",) in stage.events, 25)
        await stage.online()
        assert stage.board.boots == 2 and stage.board.reset_cause == "watchdog"
        assert stage.record()["boots"] == 2


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
    async with Life(roomiest, files={"firmware/device.py": NO_MEMORY}) as stage:
        await stage.until("a reset", lambda: ("reset", "hard") in stage.events, 20)
        first = stage.events[: stage.events.index(("reset", "hard"))]
        said = [event[1] for event in first if event[0] == "line"]
        assert said == ["starting, slot root"], "it did not wait for anybody to read"


async def test_ctrl_c_leaves_safe_outputs_and_no_token(any_interpreter):
    async with Life(any_interpreter) as stage:
        await stage.online()
        stage.want("6", 1)
        await stage.until("the pump runs", lambda: stage.on("pump"), 8)
        await stage.ctrl_c()
        assert not stage.on("pump") and not stage.on("heater")
        assert [event["by"] for event in stage.model.named("revoked")] == ["device"]
        assert stage.model.show(0)[0]["tokens"] == []
        assert stage.record()["early"] == 0
        requests = stage.site.server.requests
        await stage.power_cycle()
        await stage.online()
        assert stage.site.server.requests > requests


async def test_ctrl_c_in_the_middle_of_a_request_still_gives_the_token_back(smallest):
    async with Life(smallest) as stage:
        await stage.online()
        stage.site.faults.add("commands hang times=1")
        await stage.until("a request hangs", lambda: stage.model.named("fault"), 10)
        await stage.ctrl_c()
        assert [event["by"] for event in stage.model.named("revoked")] == ["device"]
