"""What a device has to do at every cloud, written once and run at each: it obeys, it reports, it goes to its safe state
and comes back. What is special to one of them is in the files of that name.
"""

import asyncio

import pytest

from tests_host.support.linkbench import ROWS, THINGER, named
from tools.cloud.demo_device import THINGER_CREDENTIAL, THINGER_DEVICE, THINGER_USER
from tools.sim.sim_device import DEVICE_ID, SimDevice, demo_config, thinger_config

pytestmark = pytest.mark.thorough

_NAMES = {"6": "pump", "9": "heater"}


class AtRealer:
    def __init__(self, loop, folder, row):
        self.device = SimDevice(loop, folder, demo_config(api=row[0], transport=row[1]), mqtt=row[2])
        self.cloud = self.device.model
        self.cloud.served.bootstrap = row[0] == "bootstrap"

    def want(self, port, value):
        self.device.want(port, value, raw=True)

    async def shows(self, port):
        return self.cloud.reported(DEVICE_ID, port)

    def readings(self):
        return len(self.device.feed("sensor"))

    def admit(self, yes):
        self.cloud.set_keys(DEVICE_ID, yes, self.device.wall())

    def refusals(self):
        return len(self.cloud.named("token_refused"))


class AtThinger:
    """What it shows is asked of the device, for it keeps nothing."""

    def __init__(self, loop, folder, row):
        self.device = SimDevice(loop, folder, thinger_config())
        self.cloud = self.device.thinger
        self.account = self.cloud.devices[THINGER_USER, THINGER_DEVICE]
        self.seen = []

    def want(self, port, value):
        if self.account.port:
            self.account.port.call(lambda *_: None, "RUN", resource=_NAMES[port], payload=value)

    async def shows(self, port):
        printed = []
        self.account.port.stream(_NAMES[port], printed.append)
        await asyncio.sleep(1)
        return str(float(printed[-1]))

    def readings(self):
        if not self.seen:
            self.account.port.stream("room", self.seen.append)
        return len(self.seen)

    def admit(self, yes):
        self.account.credential = THINGER_CREDENTIAL if yes else "another-secret-not-real"
        if not yes:
            self.device.net.cut()

    def refusals(self):
        return len(self.cloud.named("login_refused"))


@pytest.fixture(params=ROWS, ids=named)
def at(request, virtual_loop, tmp_path):
    """A device at a cloud, online."""
    row = request.param
    found = (AtThinger if row == THINGER else AtRealer)(virtual_loop, tmp_path, row)
    found.device.power_on()
    virtual_loop.run_until_complete(found.device.until(lambda: found.device.online, 90))
    yield found
    virtual_loop.run_until_complete(found.device.power_off())
    assert found.cloud.violations == []


async def pump_on(at):
    at.want("6", 1)
    await at.device.until(lambda: at.device.on("pump"), 30)


async def test_a_desired_value_is_applied_once_and_reported(at):
    await pump_on(at)
    await asyncio.sleep(120)
    assert at.device.history.of("relay", "pump") == [False, True]
    assert await at.shows("6") == "1.0"
    await at.device.until(at.readings, 400)
    at.want("9", 21.5)
    await asyncio.sleep(60)
    assert await at.shows("9") == "21.5"


@pytest.mark.parametrize("value", ["2", "0.5", "nonsense"])
async def test_an_invalid_value_switches_nothing(at, value):
    await pump_on(at)
    at.want("6", value)
    at.want("9", value)
    await asyncio.sleep(120)
    assert at.device.history.of("relay", "pump") == [False, True] and at.device.online
    assert at.device.app.controller.outputs[1].target in (None, 18.5)


@pytest.mark.button
async def test_silence_leads_to_safe_state_in_time_and_the_device_recovers(at):
    await pump_on(at)
    at.device.net.silent = True
    at.device.net.cut()
    took = await at.device.until(lambda: not at.device.on("pump"), 400)
    assert 200 <= took <= 311
    at.device.press()  # local control goes on
    await at.device.until(lambda: at.device.on("pump"), 2)
    at.device.net.silent = False
    await at.device.until(lambda: at.device.online, 400)
    await asyncio.sleep(60)
    assert at.device.on("pump") and await at.shows("6") == "1.0"


async def test_a_refused_device_is_safe_retries_rarely_and_recovers(at):
    await pump_on(at)
    at.admit(False)
    await at.device.until(lambda: at.device.app.state() == "unauthorized", 90)
    await at.device.until(lambda: not at.device.on("pump"), 1)
    before = at.refusals()
    await asyncio.sleep(900)
    assert 1 <= at.refusals() - before <= 15
    at.admit(True)
    await at.device.until(lambda: at.device.online, 1000)
    await pump_on(at)
    await asyncio.sleep(60)
    assert await at.shows("6") == "1.0"
