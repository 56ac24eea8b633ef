"""Which access point a device joins, with which address."""

import asyncio

import pytest

from firmware.app import power_save
from tools.sim.sim_board import Point
from tools.sim.sim_device import WIFI_PASSWORD

NEAR, FAR, FARTHER = (bytes([2, 0, 0, 0, 0, last]) for last in (1, 2, 3))


def _points(device, *points):
    device.radio.air.clear()
    device.radio.points[:] = points


async def test_the_strongest_access_point_of_several_is_joined(device):
    _points(
        device,
        Point("bench", WIFI_PASSWORD, FAR, -82),
        Point("bench", WIFI_PASSWORD, NEAR, -48),
        Point("bench", WIFI_PASSWORD, FARTHER, -90),
    )
    await device.until(lambda: device.online, 60)
    assert device.radio.joined.bssid == NEAR


async def test_the_strongest_access_point_that_refuses_is_followed_by_the_next(device):
    _points(
        device, Point("bench", WIFI_PASSWORD, NEAR, -48, full=True), Point("bench", WIFI_PASSWORD, FAR, -82)
    )
    await device.until(lambda: device.online, 90)
    assert device.radio.joined.bssid == FAR


async def test_after_a_loss_the_strongest_at_that_time_is_joined(device):
    near, far = Point("bench", WIFI_PASSWORD, NEAR, -48), Point("bench", WIFI_PASSWORD, FAR, -82)
    _points(device, near, far)
    await device.until(lambda: device.online, 60)
    _points(device, far)
    await device.until(lambda: device.radio.joined is far and device.online, 60)


async def test_a_hidden_network_is_joined(device):
    _points(device, Point("bench", WIFI_PASSWORD, NEAR, -48, hidden=True), Point("other", "x" * 8, FAR))
    await device.until(lambda: device.online, 60)


def _named(config):
    config["wifi"]["networks"][0]["bssid"] = "02:00:00:00:00:02"


@pytest.mark.config(edit=_named)
async def test_a_configured_access_point_is_joined_although_it_is_weaker(device):
    near, far = Point("bench", WIFI_PASSWORD, NEAR, -48), Point("bench", WIFI_PASSWORD, FAR, -82)
    _points(device, near, far)
    await device.until(lambda: device.online, 60)
    assert device.radio.joined is far
    _points(device, near)
    await asyncio.sleep(600)
    assert not device.online


def _fixed(config):
    first = config["wifi"]["networks"][0]
    first |= {"ip": "192.0.2.77", "gateway": "192.0.2.254"}
    config["wifi"]["networks"].append({"ssid": "cellar", "password": WIFI_PASSWORD})


@pytest.mark.config(edit=_fixed)
async def test_each_network_has_its_own_address(device):
    await device.until(lambda: device.online, 60)
    assert device.radio.fixed == ("192.0.2.77", "255.255.255.0", "192.0.2.254", "192.0.2.254")
    _points(device, Point("cellar", WIFI_PASSWORD))
    await device.until(lambda: device.radio.connected() and device.online, 90)
    assert device.radio.joined.ssid == "cellar" and device.radio.fixed is None


async def test_a_radio_that_cannot_be_switched_on_leads_to_an_orderly_reset_after_ten_minutes(device):
    await device.power_off()
    device.radio.mute, device.radio.starts = True, 0
    device.power_on()
    await asyncio.sleep(595)
    assert 10 < device.radio.starts < 30 and not device.board.resets
    await device.until(lambda: device.board.resets, 60)
    await device.power_off()
    device.radio.mute = False
    device.power_on()
    await device.until(lambda: device.online, 60)
    assert not device.radio.broken


async def test_a_radio_that_can_be_switched_on_later_needs_no_reset(device):
    await device.power_off()
    device.radio.mute = True
    device.power_on()
    await asyncio.sleep(590)
    device.radio.mute = False
    await device.until(lambda: device.online, 90)
    await asyncio.sleep(900)
    assert not device.board.resets


def _two(config):
    config["wifi"]["networks"].append({"ssid": "cellar", "password": WIFI_PASSWORD})


def _dead_end(device, answers):
    """From now on the network "bench" leads nowhere; only its access point may answer."""
    net = device.net

    def dialing(host):
        net.away = net.silent = device.radio.connected() and device.radio.joined.ssid == "bench"
        net.silent = net.silent and not answers
        net.dns_mode = net.ntp_mode = "silent" if net.away else ""

    net.on_dial = dialing
    net.cut()


@pytest.mark.config(edit=_two)
@pytest.mark.parametrize("answers", [False, True], ids=["nothing answers", "the access point answers"])
async def test_where_a_network_leads_nowhere_another_one_is_joined(device, answers):
    await device.until(lambda: device.online, 60)
    assert device.radio.joined.ssid == "bench"
    device.radio.air["cellar"] = WIFI_PASSWORD
    _dead_end(device, answers)
    await device.until(lambda: device.online and device.radio.joined.ssid == "cellar", 900)
    await asyncio.sleep(7200)
    assert device.online and device.board.resets == 0
    assert device.radio.joins == ["bench", "cellar"], "where the cloud is reached the device stays"


@pytest.mark.config(edit=_two)
@pytest.mark.parametrize("fault", ["status=403", "status=503", "drop", "hang"])
async def test_a_cloud_that_is_down_or_refuses_is_no_reason_to_join_another_network(device, fault):
    device.radio.air["cellar"] = WIFI_PASSWORD
    await device.until(lambda: device.online, 60)
    device.faults.add(f"any {fault}")
    await asyncio.sleep(7200)
    assert device.radio.joins == ["bench"] and device.board.resets == 0
    device.faults.clear()
    await device.until(lambda: device.online, 1800)


@pytest.mark.parametrize("outage_s", [20, 45, 90, 300, 900])
async def test_wifi_is_joined_within_a_minute_after_an_outage(device, outage_s):
    await device.until(lambda: device.online, 60)
    device.radio.air.clear()
    await asyncio.sleep(outage_s)
    device.radio.air["bench"] = WIFI_PASSWORD
    assert await device.until(lambda: device.online, 120) <= min(60, 2 * outage_s)


def test_power_is_saved_where_the_device_asks_and_not_where_it_waits():
    """0 none, 1 some, 2 most: what MQTT waits for would else arrive up to some hundred milliseconds late."""
    for transport, wanted, expected in (
        ("https", None, 1),
        ("mqtt", None, 0),
        ("auto", None, 0),
        ("iotmp", None, 0),
        ("mqtt", True, 2),
        ("https", False, 0),
    ):
        config = {"wifi": {"power_save": wanted}, "cloud": {"transport": transport}}
        assert power_save(config) == expected, (transport, wanted)
