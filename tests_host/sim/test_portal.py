"""The setup portal of a working device: when it opens, what goes on meanwhile, and how it ends."""

import asyncio
import json

import pytest

from tests_host.support.scripted import ScriptedVisitor
from tools.cloud.demo_device import CLIENT_SECRET
from tools.sim.sim_device import WIFI_PASSWORD


def _portal(config):
    config["portal"] = {"password": "test-portal-password-not-real", "minutes": 10, "wait_s": 60}


pytestmark = pytest.mark.config(edit=_portal)


def on_air(device):
    return any(point.on for point in device.points)


async def ask(device, method, target, body=""):
    head = f"{method} {target} HTTP/1.1\r\nHost: 192.168.4.1\r\nContent-Length: {len(body)}\r\n\r\n"
    peer = ScriptedVisitor(None, (head + body).encode())
    await device.points[0].handle(peer, peer)
    return peer.received.decode()


@pytest.mark.gate
async def test_it_never_opens_while_a_network_is_joined(device):
    await device.until(lambda: device.online, 20)
    device.radio.air.clear()
    await asyncio.sleep(3600)
    assert device.points == []


async def test_it_lists_the_networks_in_reach_and_the_one_it_could_not_join(device):
    device.radio.air.clear()
    device.radio.air["neighbour"] = "another-password-not-real"
    await device.until(lambda: on_air(device), 70)
    page = await ask(device, "GET", "/")
    assert 'value="neighbour"' in page and "could not join any Wi-Fi it knows (bench)" in page


@pytest.mark.gate
async def test_it_opens_when_no_network_was_joined_and_closes_when_the_time_is_up(device):
    device.radio.air.clear()
    await asyncio.sleep(59)
    assert device.points == []
    await device.until(lambda: on_air(device), 3)
    await asyncio.sleep(595)
    assert on_air(device)
    await device.until(lambda: not on_air(device), 10)
    await asyncio.sleep(3600)
    assert len(device.points) == 1 and device.board.resets == 0
    device.radio.air["bench"] = WIFI_PASSWORD
    await device.until(lambda: device.online, 400)
    assert len(device.points) == 1


async def test_it_stays_closed_without_enough_memory(device):
    device.radio.air.clear()
    device.board.free = 20000
    await asyncio.sleep(300)
    assert device.points == [] and device.app.controller.safety.faults == set()


async def test_it_closes_when_a_network_is_joined(device):
    device.radio.air.clear()
    await device.until(lambda: on_air(device), 70)
    device.radio.air["bench"] = WIFI_PASSWORD
    await device.until(lambda: device.online, 120)
    assert not on_air(device) and device.board.resets == 0


async def test_no_scan_while_a_client_uses_the_page(device):
    device.radio.air.clear()
    await device.until(lambda: on_air(device), 70)
    device.points[0].guests = 1
    await asyncio.sleep(30)
    before = len(device.radio.joins)
    await asyncio.sleep(300)
    assert len(device.radio.joins) == before
    device.points[0].guests = 0
    await device.until(lambda: len(device.radio.joins) > before, 120)


@pytest.mark.button
async def test_outputs_are_safe_and_local_control_works_while_it_is_open(device):
    device.radio.air.clear()
    device.plant.room_c = 3.0
    await device.until(lambda: on_air(device), 70)
    assert not device.on("pump")
    device.press()
    await device.until(lambda: device.on("pump"), 2)
    # The thermostat keeps to its fallback setpoint of 8 degrees.
    await device.until(lambda: device.on("heater"), 60)
    fed = len(device.board.fed)
    await asyncio.sleep(120)
    assert on_air(device) and len(device.board.fed) > fed + 100


async def test_the_saved_input_counts_after_the_restart(device, tmp_path):
    device.radio.air.clear()
    device.radio.air["new home"] = "another-password-not-real"
    await device.until(lambda: on_air(device), 70)
    page = await ask(device, "GET", "/")
    token = page.split('name="token" value="')[1].split('"')[0]
    assert CLIENT_SECRET not in page and WIFI_PASSWORD not in page
    entered = f"token={token}&ssid=new+home&password=another-password-not-real"
    assert "422" in (await ask(device, "POST", "/save", entered + "&device_id=no+good"))[:13]
    assert "200" in (await ask(device, "POST", "/save", entered))[:13]
    await device.until(lambda: device.board.resets == 1, 5)
    assert not on_air(device) and not device.on("pump")
    networks = json.loads((tmp_path / "config.json").read_text())["wifi"]["networks"]
    assert networks[0] == {"ssid": "new home", "password": "another-password-not-real"}
    assert networks[1]["ssid"] == "bench"
    await device.power_off()
    device.reads(json.loads((tmp_path / "config.json").read_text()))
    device.power_on()
    await device.until(lambda: device.online, 30)
    assert "another-password-not-real" not in "\n".join(device.lines)
