"""Tokens and subscriptions end, on time or not: the lease, the safe state, and the way back."""

import asyncio
import itertools
import json
from dataclasses import replace

import pytest

from tests_host.sim.conftest import pump, pump_on
from tools.cloud.demo_device import demo_device
from tools.cloud.model import Model, Plan, Response
from tools.sim.sim_device import DEVICE_ID, SimDevice, demo_config


@pytest.mark.thorough
async def test_a_token_is_renewed_while_work_goes_on(device):
    await pump_on(device)
    await asyncio.sleep(4 * 3600)
    issued = device.model.named("token_issued")
    gaps = [b["at"] - a["at"] for a, b in itertools.pairwise(issued)]
    assert len(issued) >= 6
    assert all(2360 <= gap <= 2715 for gap in gaps), "up to an eighth sooner than renew_after"
    assert not device.model.named("unauthorized")
    assert device.net.dials == 1, "renewal uses the open connection"


@pytest.mark.parametrize("length", [2040, 3600])
async def test_a_token_may_be_long(device, length):
    """As one that holds claims and a signature (RFC 7519) is."""

    def longer(request, response):
        body = response.json() if request.path == "/oauth/token" else {}
        if "access_token" in body:
            token = body["access_token"] = body["access_token"].ljust(length, "x")
            device.model.tokens[token] = device.model.tokens[token.rstrip("x")]
            return Response(response.status, response.headers, json.dumps(body).encode())
        return response

    device.model.on_answer = longer
    await pump(device, 1, 60)


@pytest.mark.parametrize("encoding", ["plain", "form"])
async def test_a_secret_of_any_characters_is_encoded_as_the_cloud_expects(virtual_loop, tmp_path, encoding):
    secret = "p% +:/?&=ä€-secret-not-real"
    config = demo_config(client_secret=secret, basic_auth=encoding)
    model = Model(seed=1)
    model.served.form_keys = encoding == "form"
    model.add_device(replace(demo_device(), client_secret=secret))
    device = SimDevice(virtual_loop, tmp_path, config, model)
    device.power_on()
    await pump_on(device)
    assert not model.named("token_refused")
    device.app.link.account.cfg["basic_auth"] = "plain" if encoding == "form" else "form"
    model.expire_tokens(DEVICE_ID, device.wall())
    await device.until(lambda: model.named("token_refused"), 30)
    await device.power_off()
    assert secret not in "\n".join(device.lines)


@pytest.mark.thorough
async def test_a_failed_renewal_keeps_the_authorization_until_the_token_expires(device):
    await pump_on(device)
    device.faults.add("token status=503")
    lost_after_s = await device.until(lambda: device.app.controller.safety.safe, 4000)
    assert 3500 <= lost_after_s <= 3600
    assert await device.until(lambda: not device.on("pump"), 1) <= 0.2
    device.faults.clear()
    await device.until(lambda: device.on("pump"), 320)


async def test_a_token_that_expires_during_a_poll_is_replaced_once(device):
    await pump_on(device)
    device.model.expire_tokens(DEVICE_ID, device.wall())
    before = len(device.model.named("token_issued"))
    await asyncio.sleep(60)
    assert len(device.model.named("token_issued")) == before + 1
    assert device.on("pump") and device.history.of("safe") == [True, False]


@pytest.mark.thorough
async def test_a_cloud_that_refuses_every_token_ends_the_lease(device):
    await pump_on(device)
    device.faults.add("commands status=401")
    await device.until(lambda: not device.on("pump"), 40)
    await asyncio.sleep(1800)
    assert len(device.model.named("token_issued")) < 80, "a long backoff, not a storm"
    device.faults.clear()
    await device.until(lambda: device.on("pump"), 950)


@pytest.mark.thorough
async def test_refused_keys_lead_to_safe_state_and_slow_retries(device):
    await pump_on(device)
    device.model.set_keys(DEVICE_ID, False, device.wall())
    await device.until(lambda: not device.on("pump"), 15)
    assert device.app.state() == "unauthorized"
    before = len(device.model.named("token_refused"))
    await asyncio.sleep(3600)
    assert 3 <= len(device.model.named("token_refused")) - before <= 40
    device.model.set_keys(DEVICE_ID, True, device.wall())
    await device.until(lambda: device.on("pump"), 950)


@pytest.mark.button
async def test_an_ended_subscription_leads_to_safe_state_until_it_is_renewed(device):
    await pump_on(device)
    device.model.set_subscription(DEVICE_ID, False, device.wall())
    safe_after_s = await device.until(lambda: not device.on("pump"), 15)
    assert safe_after_s <= 10.5
    await asyncio.sleep(600)
    device.press()  # local control goes on
    await device.until(lambda: device.on("pump"), 1)
    await asyncio.sleep(1)
    device.press()
    await device.until(lambda: not device.on("pump"), 1)
    device.want("6", 0)
    device.model.set_subscription(DEVICE_ID, True, device.wall())
    await device.until(lambda: device.online, 950)
    await pump(device, 1, 15)


async def test_legacy_403_with_code_4002_is_an_ended_subscription_too(device):
    await pump_on(device)
    device.faults.add("any status=403 code=4002")
    await device.until(lambda: not device.on("pump"), 15)
    assert "subscription" in device.app.link.lease.reason
    assert len(device.model.named("token_issued")) == 1, "a fresh token would not help"


async def test_the_lease_is_bounded_by_a_short_token(device):
    device.model.plan = Plan(token_s=60, renew_s=45)
    await pump_on(device)
    await asyncio.sleep(600)
    assert 10 <= len(device.model.named("token_issued")) <= 20
    assert device.on("pump")


async def test_an_orderly_end_revokes_the_token_and_leaves_the_outputs_safe(device):
    await pump_on(device)
    await device.app.shutdown()
    assert not device.on("pump")
    assert device.model.named("revoked")


async def test_a_server_that_echoes_the_token_does_not_get_it_into_the_log(device):
    await device.until(lambda: device.online, 60)
    token = device.app.link.account.token.reveal()
    for endpoint in ("feed-data", "batches"):
        device.faults.add(f"{endpoint} status=422 error={token}")
    device.want("6", 1)
    await device.until(lambda: any("***" in line for line in device.lines), 90)
    assert token not in "\n".join(device.lines)
