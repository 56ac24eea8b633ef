"""How soon a device is back after an outage: within twice as long as it took, and within a minute after a short one."""

import asyncio

import pytest

from netio.errors import NetError
from tests_host.sim.test_mqtt import make  # noqa: F401 - a fixture


def _silent(device, on):
    device.net.silent = on


def _refused(device, on):
    device.net.refuse = NetError("connect", "ECONNREFUSED") if on else None
    if on:
        device.net.cut()


def _errors(device, on):
    device.faults.add("any status=503") if on else device.faults.clear()


def _no_names(device, on):
    device.net.dns_mode = "silent" if on else ""
    if on:
        device.net.cut()
        device.net._resolver.cache.clear()


FAULTS = [_silent, _refused, _errors, _no_names]


async def _recovery_s(device, fault, outage_s):
    await device.until(lambda: device.online, 60)
    await asyncio.sleep(20)
    fault(device, True)
    await asyncio.sleep(outage_s)
    fault(device, False)
    polls = len(device.model.named("catalog_read"))
    return await device.until(lambda: device.online and len(device.model.named("catalog_read")) > polls, 400)


@pytest.mark.thorough
@pytest.mark.parametrize(("outage_s", "seed"), [(20, 1), (45, 2), (90, 3), (90, 4), (300, 5), (600, 6)])
@pytest.mark.parametrize("fault", FAULTS)
async def test_polling_comes_back_soon_after_a_short_outage(device, fault, outage_s, seed):
    device._rng.seed(seed)
    assert await _recovery_s(device, fault, outage_s) <= min(60, 2 * outage_s)


@pytest.mark.thorough
@pytest.mark.parametrize("fault", FAULTS)
async def test_polling_comes_back_within_minutes_after_hours(device, fault):
    assert await _recovery_s(device, fault, 7200) <= 330


@pytest.mark.gate("two_tls")
@pytest.mark.parametrize(("outage_s", "seed"), [(5, 1), (30, 1), (30, 3), (120, 2), (600, 2)])
async def test_auto_is_on_mqtt_within_a_minute_after_the_broker_is_back(make, outage_s, seed):  # noqa: F811
    device = make("auto")
    device._rng.seed(seed)
    device.power_on()
    await device.until(lambda: device.online and device.app.link.account.on_mqtt, 90)
    await asyncio.sleep(90)
    device.broker.down()
    await asyncio.sleep(outage_s)
    device.broker.up()
    assert await device.until(lambda: device.online and device.app.link.account.on_mqtt, 2000) <= 60


@pytest.mark.gate("two_tls")
@pytest.mark.parametrize("kicks", [1, 3, 8])
async def test_auto_is_on_mqtt_within_a_minute_after_a_forced_disconnect(make, kicks):  # noqa: F811
    device = make("auto")
    device.power_on()
    await device.until(lambda: device.online and device.app.link.account.on_mqtt, 90)
    for _ in range(kicks):
        for connection in list(device.broker.connections):
            connection.end("administrative action", 0x98)
        await asyncio.sleep(5)
    assert await device.until(lambda: device.online and device.app.link.account.on_mqtt, 2000) <= 60
