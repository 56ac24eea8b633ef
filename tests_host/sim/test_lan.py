"""A device that is connected by a cable."""

import asyncio

import pytest


def _wired(config):
    del config["wifi"]
    config |= {"board": "wt32-eth01", "lan": {}}
    pins = (17, 33), (35, 36), (14,)
    for section, gpios in zip(("outputs", "sensors", "buttons"), pins, strict=True):
        for item, gpio in zip(config[section], gpios, strict=True):
            item["gpio"] = gpio
    config["safety"] = {"silence_s": 300}


def _with_portal(config):
    config["portal"] = {"password": "test-secret-not-real", "wait_s": 30}


pytestmark = pytest.mark.config(edit=_wired)


@pytest.fixture
def wired(device):
    """The plant has its parts where the configuration has them."""
    items = (*device.config["outputs"], *device.config["buttons"])
    for role, item in zip(("pump", "heater", "button"), items, strict=False):
        device.plant.wiring = {
            **device.plant.wiring,
            role: {**device.plant.wiring[role], "gpio": item["gpio"]},
        }
    return device


async def test_it_is_online_without_any_wifi(wired):
    await wired.until(lambda: wired.online, 30)
    assert not wired.radio.joins and wired.lan.starts == 1
    assert wired.app.network.joining is None, "what connects it is not kept in memory"


@pytest.mark.gate
async def test_a_cable_that_is_out_for_a_day_leads_to_no_reset(wired):
    await wired.until(lambda: wired.online, 30)
    wired.lan.cable = False
    wired.net.cut()
    await wired.until(lambda: wired.app.state() == "no_network", 5)
    await asyncio.sleep(86400)
    assert not wired.board.resets and wired.lan.starts == 1
    wired.lan.cable = True
    await wired.until(lambda: wired.online, 60)


@pytest.mark.gate
async def test_a_cable_that_is_plugged_in_late_is_found(wired):
    await wired.power_off()
    wired.lan.cable = False
    wired.power_on()
    await asyncio.sleep(3600)
    assert wired.app.state() == "no_network" and not wired.board.resets
    wired.lan.cable = True
    await wired.until(lambda: wired.online, 30)


@pytest.mark.gate
@pytest.mark.parametrize("ends", ["interface", "reset"])
async def test_silence_restarts_the_lan_and_then_the_device(wired, ends):
    await wired.until(lambda: wired.online, 30)
    wired.lan.zombie = ends
    await wired.until(lambda: wired.lan.restarts, 400)
    assert not wired.board.resets
    if ends == "interface":
        await wired.until(lambda: wired.online, 120)
        await asyncio.sleep(3600)
        assert wired.lan.restarts == 1 and not wired.board.resets
    else:
        await wired.until(lambda: wired.board.resets, 1200)
        assert not wired.on("pump")


async def test_a_chip_that_does_not_answer_leads_to_one_orderly_reset_after_ten_minutes(wired):
    await wired.power_off()
    wired.lan.mute, wired.lan.starts = True, 0
    wired.power_on()
    await asyncio.sleep(595)
    assert wired.lan.starts == 1, "no further call can succeed"
    assert not wired.board.resets
    await wired.until(lambda: wired.board.resets, 30)
    await wired.power_off()
    wired.lan.mute = False
    wired.power_on()
    await wired.until(lambda: wired.online, 30)


@pytest.mark.button
async def test_the_reset_waits_for_an_output_that_is_on(wired):
    await wired.power_off()
    wired.lan.mute = True
    wired.power_on()
    await asyncio.sleep(5)
    wired.press()
    await asyncio.sleep(3600)
    assert wired.on("pump") and not wired.board.resets
    wired.press()
    await wired.until(lambda: wired.board.resets, 30)


@pytest.mark.config(edit=_with_portal)
async def test_the_portal_opens_while_no_cable_is_in(wired):
    await wired.power_off()
    wired.lan.cable = False
    wired.power_on()
    await wired.until(lambda: wired.points and wired.points[0].on, 60)
    wired.lan.cable = True
    await wired.until(lambda: wired.online and not wired.points[0].on, 60)
