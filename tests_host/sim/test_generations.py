"""The newest generation of iot/v1, and finding out which generation a cloud is of."""

import asyncio
import json
from dataclasses import replace

import pytest

from tests_host.sim.conftest import change, pump, pump_on
from tools.cloud.model import Command, Device, Model, Plan, Response, Sensor
from tools.sim.sim_device import DEVICE_ID, SimDevice, demo_config


def _api(api, transport="https", **cloud):
    return pytest.mark.config(
        edit=lambda config: config["cloud"].update(api=api, transport=transport, **cloud)
    )


newest = _api("bootstrap")
automatic = _api("auto")


def _reads(device, resource):
    return [event for event in device.model.named("catalog_read") if event["resource"] == resource]


def _outcomes(device):
    return [(event["status"], event["value"]) for event in device.model.named("desired_answered")]


async def _online(device):
    device.model.served.bootstrap = True
    await device.until(lambda: device.online, 60)


async def _pump_on(device):
    await _online(device)
    await pump_on(device)


# Desired states


@newest
async def test_a_desired_state_is_applied_and_acknowledged_by_its_id(device):
    await _pump_on(device)
    await device.until(lambda: _outcomes(device) == [("applied", "1.0")], 15)
    assert device.feed("command")[-1]["sequence_number"] == 1
    device.want("9", 50)
    await device.until(lambda: len(_outcomes(device)) == 2, 25)
    assert _outcomes(device)[1][0] == "rejected"
    await asyncio.sleep(1200)
    assert len(_outcomes(device)) == 2 and device.on("pump")
    assert len(_reads(device, "bootstrap")) == 1 and not _reads(device, "commands")
    assert device.net.dials == 1


@newest
async def test_the_value_in_the_catalog_is_no_desired_state(device):
    change(device, 1, value="1.0")
    await _online(device)
    await asyncio.sleep(60)
    assert not device.on("pump") and device.app.controller.outputs[1].target is None


def _slow_to_start(config):
    config["outputs"][0].update(min_on_s=0, min_off_s=120)


@newest
@pytest.mark.config(edit=_slow_to_start)
async def test_a_window_that_closes_during_a_limit_is_stale(device):
    device.model.plan = Plan(desired_s=30)
    await _online(device)
    device.want("6", 1)
    await device.until(lambda: _outcomes(device), 60)
    assert _outcomes(device) == [("stale", "0.0")]
    await asyncio.sleep(300)
    assert not device.on("pump")


@newest
async def test_a_newer_desired_state_replaces_one_that_was_never_received(device):
    await _online(device)
    device.want("9", 15)
    device.want("9", 22)
    await device.until(lambda: _outcomes(device), 25)
    assert _outcomes(device) == [("applied", "22.0")]


@newest
async def test_a_desired_state_that_expired_in_an_outage_is_not_applied(device):
    device.model.plan = Plan(desired_s=60)
    await _online(device)
    device.net.silent = True
    device.want("6", 1)
    await asyncio.sleep(120)
    device.net.silent = False
    await device.until(lambda: device.online, 300)
    await asyncio.sleep(60)
    assert not device.on("pump") and _outcomes(device) == []


@newest
async def test_after_safe_state_the_applied_value_resumes_unless_a_newer_one_exists(device):
    await _pump_on(device)
    device.want("9", 21)
    await device.until(lambda: len(_outcomes(device)) == 2, 25)
    device.model.set_subscription(DEVICE_ID, False, device.wall())
    await device.until(lambda: not device.on("pump"), 15)
    device.want("9", 16)
    device.model.set_subscription(DEVICE_ID, True, device.wall())
    switched = []
    await device.until(
        lambda: device.on("pump") or switched.append(device.app.controller.outputs[1].target), 950
    )
    await asyncio.sleep(60)
    assert device.app.controller.outputs[1].target == 16.0 and 21.0 not in switched
    assert len(_outcomes(device)) == 3


@newest
async def test_a_state_without_identity_is_ignored(device):
    def nameless(body):
        for item in body.get("desired_states", []):
            del item["desired_id"]

    _edit(device, "/desired-states", nameless)
    await _online(device)
    device.want("6", 1)
    await asyncio.sleep(120)
    assert not device.on("pump") and _outcomes(device) == [] and device.online


def _edit(device, end, change):
    """Let `change(body)` work on the answers to paths of this ending."""

    def edited(request, response):
        if not request.path.endswith(end) or response.status != 200:
            return response
        body = response.json()
        change(body)
        return Response(response.status, response.headers, json.dumps(body).encode())

    device.model.on_answer = edited


# The descriptor


@pytest.mark.thorough
@newest
@pytest.mark.parametrize("printed", [True, False])
async def test_a_new_catalog_is_found_by_its_revision_or_within_the_hour(device, printed):
    device.model.served.revisions = printed
    await _online(device)
    change(device, 1, pin_port="7")
    before = len(_reads(device, "bootstrap"))
    within_s = 16 if printed else 3620
    await device.until(lambda: len(_reads(device, "bootstrap")) > before, within_s)
    await asyncio.sleep(1)
    assert [row.pin_port for row in device.app.link.catalog.commands] == ["7", "9"]
    device.want("7", 1)
    await asyncio.sleep(60)
    assert not device.on("pump"), "no output is configured on that port"
    assert len(_reads(device, "bootstrap")) == before + 1


@newest
async def test_a_rate_limit_for_the_descriptor_is_waited_out_with_an_open_link(device):
    await _online(device)
    opened, before = len(device.history.of("open")), len(_reads(device, "bootstrap"))
    change(device, 1, pin_port="7")
    device.faults.add("bootstrap status=429 retry_after=30 times=1")
    await device.until(lambda: len(_reads(device, "bootstrap")) > before, 120)
    assert device.model.named("fault") and device.online
    assert len(device.history.of("open")) == opened


@newest
async def test_a_catalog_that_is_again_what_it_was_before_an_outage_is_read_again(device):
    """The revision that the desired states name is one they named before; only the descriptor had another one since."""
    await _online(device)
    change(device, 1, pin_port="7")
    device.faults.add("desired-states status=500")  # the descriptor is read, no desired states are
    device.net.cut()
    await device.until(lambda: len(_reads(device, "bootstrap")) == 2, 60)
    change(device, 1, pin_port="6")
    device.faults.clear()
    await pump(device, 1, 120)
    assert len(_reads(device, "bootstrap")) == 3


@pytest.mark.thorough
@newest
async def test_while_both_revisions_stay_the_catalog_is_kept(device):
    await _online(device)
    catalog = device.app.link.catalog
    await asyncio.sleep(3700)
    assert len(_reads(device, "bootstrap")) == 2 and device.app.link.catalog is catalog
    device.model.served.runtime += 1
    before = len(_reads(device, "bootstrap"))
    await device.until(lambda: len(_reads(device, "bootstrap")) > before, 15)
    await asyncio.sleep(120)
    assert len(_reads(device, "bootstrap")) == before + 1


@pytest.mark.gate
@newest
async def test_contradictory_revisions_cause_few_requests(device):
    _edit(device, "/desired-states", lambda body: body.update(catalog_revision="another"))
    await _pump_on(device)
    await asyncio.sleep(1800)
    assert len(_reads(device, "bootstrap")) <= 3


@newest
async def test_a_refused_report_causes_another_read_of_the_descriptor(device):
    device.model.served.revisions = False
    await _online(device)
    await device.until(lambda: len(device.app.controller.outbox) == 0, 60)
    device.model.remove_sensor(DEVICE_ID, 2)
    await device.until(lambda: [s.id for s in device.app.link.catalog.sensors] == [1], 900)


@newest
async def test_a_descriptor_without_a_catalog_uses_the_granular_endpoints(device):
    _edit(device, "/bootstrap", lambda body: body.pop("commands"))
    await _pump_on(device)
    assert len(_reads(device, "commands")) == len(_reads(device, "sensors")) == 1


@newest
@pytest.mark.parametrize("listed", ["commands", "sensors"])
async def test_a_rate_limit_for_the_granular_endpoints_is_waited_out_with_an_open_link(device, listed):
    _edit(device, "/bootstrap", lambda body: body.pop("commands"))
    device.faults.add(f"{listed} status=429 times=2")
    device.model.served.bootstrap = True
    await device.until(lambda: device.online, 400)
    assert len(device.model.named("fault")) == 2
    assert len(device.history.of("open")) == 1


@pytest.mark.gate
@newest
async def test_the_least_distance_of_the_descriptor_is_kept(device):
    await _online(device)
    device.model.plan = replace(device.model.plan, min_interval_s=8)
    device.model.served.runtime += 1
    await asyncio.sleep(120)
    exceeded = len(device.model.named("cadence_exceeded"))
    await pump(device, 1, 30)
    await asyncio.sleep(1200)
    assert len(device.model.named("cadence_exceeded")) == exceeded


@newest
async def test_the_backoff_of_the_descriptor_is_kept(device):
    _edit(device, "/bootstrap", lambda body: body.update(backoff={"initial_seconds": 90}))
    await _online(device)
    device.faults.add("any status=503")
    await asyncio.sleep(600)
    asked = [event["at"] for event in device.model.named("fault") if event["endpoint"] != "feed-data"]
    assert 2 <= len(asked) <= 8


# Protocols


@pytest.mark.thorough
@newest
async def test_a_withdrawn_protocol_ends_the_lease_until_it_is_available(device):
    await _pump_on(device)
    device.model.served.protocols = ("mqtt",)
    await device.until(lambda: not device.on("pump"), 40)
    assert device.app.state() == "unauthorized"
    await asyncio.sleep(600)
    refused = len(device.model.named("protocol_refused"))
    await asyncio.sleep(1800)
    assert len(device.model.named("protocol_refused")) == refused, "what is not listed is not tried"
    assert "protocols" in device.app.link.lease.reason
    device.model.served.protocols = ("https",)
    await device.until(lambda: device.on("pump"), 950)


@pytest.mark.thorough
@_api("bootstrap", "auto")
async def test_mqtt_that_is_not_listed_is_never_tried(device):
    device.model.served.protocols = ("https",)
    await _pump_on(device)
    await asyncio.sleep(1900)
    device.model.expire_tokens(DEVICE_ID, device.wall())
    await asyncio.sleep(600)
    assert not device.model.named("protocol_refused") and not _reads(device, "mqtt routes")
    assert device.on("pump")


@pytest.mark.gate
@_api("bootstrap", "mqtt")
async def test_transport_mqtt_without_the_protocol_is_refused(device):
    device.model.served.bootstrap = True
    device.model.served.protocols = ("https",)
    await asyncio.sleep(1800)
    assert device.app.state() == "unauthorized" and "protocols" in device.app.link.lease.reason
    assert not device.model.named("protocol_refused")


@pytest.mark.thorough
@pytest.mark.parametrize("api", ["bootstrap", "auto"])
@pytest.mark.parametrize("protocols", [("https", "mqtt"), ("mqtt",)])
async def test_a_desired_state_over_mqtt_with_bootstrap(virtual_loop, tmp_path, api, protocols):
    device = SimDevice(virtual_loop, tmp_path, demo_config(api=api, transport="auto"), mqtt=True)
    device.model.served.bootstrap = True
    device.model.served.protocols = protocols
    device.model.plan = Plan(
        token_s=400, renew_s=300, credential_s=400, credential_renew_s=300, session_s=400
    )
    device.power_on()
    await device.until(lambda: device.online, 60)
    await device.until(lambda: device.app.link.account.on_mqtt, 60)
    await asyncio.sleep(30)
    await pump(device, 1, 3)
    await device.until(lambda: _outcomes(device) == [("applied", "1.0")], 10)
    await asyncio.sleep(1500)
    assert device.on("pump") and not device.model.violations
    assert ("https" in protocols) == bool(_reads(device, "desired-states"))
    await device.power_off()


# Which generation


@pytest.mark.thorough
@automatic
async def test_without_a_bootstrap_the_catalogs_are_read_until_there_is_one(device):
    await pump_on(device)
    await asyncio.sleep(1800)
    assert not _reads(device, "bootstrap") and len(_reads(device, "commands")) > 100
    device.model.served.bootstrap = True
    await device.until(lambda: _reads(device, "desired-states"), 3700)
    before = len(_reads(device, "commands"))
    await pump(device, 0, 15)
    await device.until(lambda: ("applied", "0.0") in _outcomes(device), 15)
    assert len(_reads(device, "commands")) == before


@automatic
async def test_the_device_continues_without_the_bootstrap_endpoint(device):
    await _pump_on(device)
    device.model.served.bootstrap = False
    await device.until(lambda: _reads(device, "commands"), 950)
    await device.until(lambda: device.on("pump"), 120)


@pytest.mark.gate
@automatic
async def test_realino_is_used_only_without_oauth(device):
    device.model.served.iot = False
    device.model.plan = Plan(token_s=400)
    await pump_on(device)
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "1.0", 30)
    await asyncio.sleep(1000)
    assert device.on("pump")
    device.model.served.iot, device.model.served.realino = True, ()
    await device.until(lambda: not device.on("pump"), 20)
    await device.until(lambda: device.on("pump"), 1900)
    assert device.model.device(DEVICE_ID).tokens[-1].scope != "realino"


@pytest.mark.gate
@automatic
async def test_without_any_protocol_safe_state_and_slow_retries(device):
    device.model.served.iot, device.model.served.realino = False, ()
    await asyncio.sleep(1800)
    assert device.app.state() == "unauthorized" and "HTTP 404" in device.app.link.lease.reason
    device.model.served.iot = True
    await device.until(lambda: device.online, 950 * 2)


@pytest.mark.gate
@automatic
async def test_refused_keys_do_not_lead_to_another_generation(device):
    device.model.set_keys(DEVICE_ID, False, device.wall())
    await asyncio.sleep(1800)
    assert {request.path for request in device.history.of("request")} == {"/oauth/token"}
    device.model.set_keys(DEVICE_ID, True, device.wall())
    await device.until(lambda: device.online, 950)


# Identities of text


async def test_text_ids_are_kept_unchanged(virtual_loop, tmp_path):
    name, keys = "cdv_0000000000000000000000TEXT", "cdv_00000000000000000000000009"
    model = Model(seed=1)
    model.served.bootstrap = True
    model.add_device(
        Device(
            name,
            keys,
            "test-secret-not-real",
            [Command("cmd_0000000000000000000000PUMP", "6"), Command("cmd_0000000000000000000000HEAT", "9")],
            [Sensor("sns_0000000000000000000000ROOM", "14")],
        )
    )
    config = demo_config(api="bootstrap", device_id=name, client_id=keys)
    device = SimDevice(virtual_loop, tmp_path, config, model)
    device.power_on()
    await device.until(lambda: device.online, 60)
    model.set_desired(name, "6", 1, device.wall())
    await device.until(lambda: device.on("pump"), 15)
    await device.until(lambda: model.reported(name, "6") == "1.0", 15)
    await device.until(lambda: [f for f in model.feed(name) if "sensor_id" in f], 60)
    assert model.outcome(name, model.named("desired_set")[-1]["desired_id"]) == "applied"
    await device.power_off()
    assert model.violations == []


# More pending than fits


def _backlog(device, count, order="oldest", window_s=3600):
    """So many desired values of the pump, none of which has reached the device."""
    device.model.served.bootstrap = device.model.served.backlog = True
    device.model.served.order = order
    device.model.plan = replace(device.model.plan, desired_s=window_s)
    for number in range(count):
        device.want("6", (number + 1) % 2)


@pytest.mark.thorough
@newest
@pytest.mark.parametrize("order", ["oldest", "newest"])
async def test_hundreds_of_pending_states_are_acknowledged_and_only_the_newest_applied(device, order):
    _backlog(device, 499, order)
    await device.until(lambda: device.on("pump"), 60)
    output = device.app.controller.outputs[0]
    targets = set()
    await device.until(lambda: targets.add(output.target) or len(_outcomes(device)) == 499, 499)
    assert targets == {1.0}
    assert [status for status, _ in _outcomes(device)].count("applied") == 1
    answered = [event["desired_id"] for event in device.model.named("desired_answered")]
    assert len(set(answered)) == 499, "each once"
    stale = [
        event["desired_id"] for event in device.model.named("desired_answered") if event["status"] == "stale"
    ]
    assert stale == sorted(stale), "the oldest first"
    assert device.boots == 1 and device.online and device.on("pump")
    await pump(device, 0, 15)


@newest
async def test_pending_states_of_more_than_16_kilobytes_are_read(device):
    await _online(device)
    _backlog(device, 200)
    dials = device.net.dials
    await device.until(lambda: len(_outcomes(device)) == 200, 300)
    assert device.net.dials == dials and not device.on("pump")


@pytest.mark.thorough
@newest
async def test_a_full_outbox_loses_nothing_to_a_backlog(device):
    await _online(device)
    device.faults.add("feed-data drop")
    device.faults.add("batches drop")
    await device.until(lambda: len(device.app.controller.outbox) >= 40, 7200)
    _backlog(device, 100)
    device.faults.clear()
    await device.until(lambda: len(_outcomes(device)) == 100, 600)
    assert not device.app.controller.outbox.dropped


@pytest.mark.parametrize("api", ["realer", "bootstrap", "realino"])
async def test_a_catalog_of_a_hundred_rows_is_read(virtual_loop, tmp_path, api):
    device = SimDevice(virtual_loop, tmp_path, demo_config(api=api))
    device.model.served.bootstrap = api == "bootstrap"
    if api == "realino":
        device.model.served.iot = False
    for number in range(10, 110):
        device.model.put_command(DEVICE_ID, Command(number, str(number + 100)))
        device.model.put_sensor(DEVICE_ID, Sensor(number, str(number + 100)))
    device.power_on()
    await device.until(lambda: device.online, 60)
    await pump(device, 1, 30)
    assert [row.pin_port for row in device.app.link.catalog.commands] == ["6", "9"]
    assert [row.pin_port for row in device.app.link.catalog.sensors] == ["14", "15"]
    await device.until(lambda: device.model.reported(DEVICE_ID, 1) == "1.0", 30)
    assert device.net.dials == 1
    await device.power_off()


@pytest.mark.gate
@_api("auto", "auto")
async def test_mqtt_is_not_requested_with_realino(device):
    device.model.served.iot = False
    await device.until(lambda: device.online, 120)
    await asyncio.sleep(1200)
    assert device.online
    paths = {request.path.rpartition("/")[2] for request in device.history.of("request")}
    assert {"sessions.realino", "commands.realino"} <= paths and "mqtt.realino" not in paths
