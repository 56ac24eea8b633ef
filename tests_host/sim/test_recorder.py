"""The recorder of the simulation hears of what the stories rely on: each kind of event, made to happen."""

import asyncio

from firmware.core import outcomes
from firmware.core.errors import AuthError, LinkError
from tools.sim.sim_device import DEVICE_ID


async def test_a_run_begins_safe_and_offline_and_each_change_is_an_event(device):
    history = device.history
    assert history.of("power") == [True] and history.of("safe") == [True] and history.of("online") == [False]
    device.want("6", 1)
    await device.until(lambda: device.on("pump"), 60)
    device.net.silent = True
    await device.until(lambda: not device.on("pump"), 400)
    device.net.silent = False
    await device.until(lambda: device.on("pump"), 400)
    assert history.of("safe") == [True, False, True, False]
    assert history.of("relay", "pump") == [False, True, False, True]
    assert history.of("relay", "heater")[0] is False
    assert history.of("online") == [False, True, False, True]
    opened = history.of("open")
    assert opened[0] is None and opened[-1] is None and set(opened) == {None, LinkError}
    assert history.of("warning")


async def test_each_run_is_recorded_from_its_start(device):
    await device.until(lambda: device.online, 60)
    await device.power_off()
    device.power_on()
    await device.until(lambda: device.online, 60)
    assert device.history.of("power") == [True, True]
    assert device.history.of("safe") == [True, False, True, False]
    assert device.history.of("relay", "pump") == [False, False]


async def test_one_tls_connection_more_than_fits_is_a_violation_with_its_host(device):
    device.net.most_tls = 0
    await device.until(lambda: device.model.violations, 60)
    (found,) = {(each["method"], each["path"]) for each in device.model.violations}
    assert found == ("DIAL", "api.realer.test")
    assert device.model.named("violation") == device.model.violations
    device.net.most_tls = 2
    device.model.violations.clear()


async def test_answers_and_requests_are_recorded(device):
    await device.until(device.feed, 60)
    stored = device.feed()[0]["message_id"]
    await asyncio.sleep(5)
    assert device.history.of("answer", stored) == [outcomes.OK]
    assert "/oauth/token" in device.history.of("request", "POST")
    now = device._loop.time()
    device.model.set_keys(DEVICE_ID, False, device.wall())
    device.model.revoke_tokens(DEVICE_ID, device.wall())
    await device.until(lambda: device.app.state() == "unauthorized", 60)
    await asyncio.sleep(300)
    assert AuthError in device.history.of("open", since=now)
    assert device.history.of("error", since=now)
