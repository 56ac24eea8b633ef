"""What outputs do beside following, in a whole device: a pulse, a sensor that lies somewhere else, a change of
direction."""

import asyncio

import pytest

from tests_host.sim.conftest import pump, quiet
from tools.sim.sim_device import DEVICE_ID, WIFI_PASSWORD


def _strike(config):
    config["outputs"][0] |= {"mode": "pulse", "pulse_ms": 500}


def _stalls(config):
    config["outputs"][1] |= {"stall_s": 3600, "stall_action": "off"}


def _refuse(device):
    """The cloud refuses it, and its tokens of before too."""
    device.model.set_keys(DEVICE_ID, False, device.wall())
    device.model.revoke_tokens(DEVICE_ID, device.wall())


@pytest.mark.gate
@pytest.mark.config(edit=_strike)
async def test_both_ends_of_a_pulse_are_reported(device):
    await quiet(device)
    before = len(device.feed("command"))
    await pump(device, 1, 30)
    assert 0.4 <= await device.until(lambda: not device.on("pump"), 2) <= 0.7
    await quiet(device)
    printed = [f["value"] for f in device.feed("command")[before:] if f["command_id"] == 1]
    assert printed == ["1.0", "0.0"]
    await asyncio.sleep(600)
    device.radio.air.clear()
    await asyncio.sleep(600)
    assert not device.on("pump")


@pytest.mark.config(edit=_strike)
async def test_a_pulse_is_not_repeated_after_safe_state_or_a_power_cut(device):
    await quiet(device)
    await pump(device, 1, 30)
    await quiet(device)
    before = len(device.history.of("relay", "pump"))
    _refuse(device)
    await device.until(lambda: device.app.controller.safety.safe, 120)
    device.model.set_keys(DEVICE_ID, True, device.wall())
    await device.until(lambda: device.online and not device.app.controller.safety.safe, 400)
    await asyncio.sleep(60)
    await device.power_off()
    device.power_on()
    await device.until(lambda: device.online, 90)
    await asyncio.sleep(60)
    assert not any(device.history.of("relay", "pump")[before:])


@pytest.mark.thorough
@pytest.mark.config(edit=_stalls)
async def test_a_misplaced_sensor_does_not_heat_for_ever(device):
    await quiet(device)
    elsewhere = {"gpio": 99, "kind": "analog", "points": [[0, 0], [3, 3]]}
    device.plant.wiring = {**device.plant.wiring, "elsewhere": elsewhere}
    device.plant.volts[99] = device.plant.microvolts(34) / 1e6
    device.plant.aliases[34] = 99
    device.want("9", 35)
    await device.until(lambda: device.on("heater"), 60)
    await asyncio.sleep(3500)
    assert device.on("heater")
    await device.until(lambda: not device.on("heater"), 200)
    heater = device.app.controller.outputs[1]
    assert heater.stalled and device.model.reported(DEVICE_ID, "9") == "35.0"
    await asyncio.sleep(7200)
    assert not device.on("heater")
    device.want("9", 34)
    await device.until(lambda: device.on("heater"), 60)
    assert not heater.stalled


def _cover(config):
    config["outputs"][1] = {
        "pin_port": "9", "name": "blind", "gpio": 17, "mode": "cover", "open_s": 20, "close_s": 15, "safe": 0,
        "close": {"gpio": 18}, "interlock_wait_ms": 1500,
    }  # fmt: skip


@pytest.mark.config(edit=_cover)
async def test_a_cover_finds_its_position_after_every_start_and_reports_it_on_arrival(device):
    blind = device.plant.loads["blind"]
    reported = lambda value: lambda: device.model.reported(DEVICE_ID, "9") == value  # noqa: E731
    await device.until(lambda: blind.position == 0, 60)
    device.want("9", 40)
    await device.until(reported("40.0"), 120)
    assert abs(blind.position - 40) <= 2
    device.want("9", 100)
    await device.until(lambda: blind.position > 70, 60)
    await device.power_off()
    lost = blind.position
    assert 70 < lost < 100
    device.power_on()
    await device.until(lambda: device.online, 90)
    output = device.app.controller.outputs[1]
    assert output.value() is None and output.stalled
    device.want("9", 60)
    await device.until(reported("60.0"), 200)
    assert abs(blind.position - 60) <= 2 and output.stalled is None
    _refuse(device)
    await device.until(lambda: blind.position == 0, 90)
    assert not blind.clashed and blind.shortest_rest_ms > 1499


def _dimmer(config):
    lamp = {"pin_port": "9", "name": "lamp", "gpio": 17, "mode": "pwm", "ramp_s": 20, "safe": 10}
    config["outputs"][1] = lamp


@pytest.mark.config(edit=_dimmer)
async def test_a_dimmer_is_reported_at_the_end_of_its_ramp_and_has_its_safe_duty(device):
    duties = device.plant.duties
    await device.until(lambda: duties[17] == 18.5, 60)
    await quiet(device)
    before = len(device.feed("command"))
    device.want("9", 30)
    await device.until(lambda: 20 < duties[17] < 25, 40)
    await device.until(lambda: duties[17] == 30, 10)
    await quiet(device)
    assert [f["value"] for f in device.feed("command")[before:] if f["command_id"] == 2] == ["30.0"]
    _refuse(device)
    await device.until(lambda: duties[17] == 10, 60)


def _bell(config):
    config["buttons"][0]["mode"] = "momentary"


@pytest.mark.button
@pytest.mark.config(edit=_bell)
async def test_a_bell_push_works_offline_for_as_long_as_it_is_pressed(device):
    await quiet(device)
    device.radio.air.clear()
    await asyncio.sleep(600)
    device.press(2000)
    await device.until(lambda: device.on("pump"), 1)
    assert 1.7 <= await device.until(lambda: not device.on("pump"), 4) <= 2.3


def _long(config):
    config["buttons"][0] |= {"opens_portal": True, "factory_reset": True}
    config["portal"] = {"password": "test-password-not-real"}


@pytest.mark.button
@pytest.mark.config(edit=_long)
async def test_a_long_press_ends_in_a_restart_that_knows_what_was_asked_for(device):
    await quiet(device)
    device.press(6000)
    await device.until(lambda: device.board.resets, 20)
    record = device.app.store.load("boot.json")
    assert record["asked"] == "portal" and not device.on("pump")


def _programme(config):
    config["time"] = {"zone": "CET-1CEST,M3.5.0,M10.5.0/3"}
    config["outputs"][0]["schedule"] = [{"hour": hour, "value": hour % 2} for hour in range(24)]
    config["cloud"]["poll_s"] = 60


@pytest.mark.gate
@pytest.mark.config(edit=_programme)
async def test_a_schedule_counts_while_the_cloud_is_away_and_no_longer(device):
    await quiet(device)
    await pump(device, 1, 90)
    await asyncio.sleep(4000)
    assert device.on("pump"), "the desired value wins"
    device.radio.air.clear()
    await device.until(lambda: device.app.controller.safety.safe, 900)
    for _ in range(5):
        await asyncio.sleep(1801)
        winter = device.wall() + 3600
        if 60 < winter % 3600 < 3540:
            assert device.on("pump") == (winter // 3600 % 2 == 1)
    device.radio.air["bench"] = WIFI_PASSWORD
    await device.until(lambda: device.online and not device.app.controller.safety.safe, 900)
    await pump(device, 0, 120)
    await asyncio.sleep(4000)
    assert not device.on("pump")


@pytest.mark.gate
@pytest.mark.config(edit=_programme)
async def test_without_a_clock_a_schedule_does_nothing(device):
    device.radio.air.clear()
    await device.power_off()
    device.power_on()
    await asyncio.sleep(4000)
    assert not device.on("pump")
