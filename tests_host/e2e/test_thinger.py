"""The real MicroPython as a device of the simulated Thinger.io over verified TLS; its owner sends the documentation's
own curl lines."""

import asyncio
import json

import aiohttp
import pytest

from tools.cli.smoke_thinger import STEPS, ThingerFixture, scenario
from tools.cli.thinger_check import main as check
from tools.cloud.demo_device import THINGER_CREDENTIAL, THINGER_PASSWORD

pytestmark = pytest.mark.gate

JSON = {"Content-Type": "application/json;charset=UTF-8", "Accept": "application/json, text/plain, */*"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BASE = "/v2/users/alvarolb/devices/nodemcu"


class Curl:
    """`curl -H ... -X METHOD -d BODY URL`, with the bearer token of the account."""

    def __init__(self, fixture):
        connector = aiohttp.TCPConnector(ssl=fixture.site.certs.client())
        self.session = aiohttp.ClientSession(
            f"https://localhost:{fixture.thinger.rest_port}", connector=connector
        )
        self.token = None

    async def __aenter__(self):
        body = f"grant_type=password&username=alvarolb&password={THINGER_PASSWORD}"
        self.token = (await self("POST", "/oauth/token", body, FORM))[1]["access_token"]
        return self

    async def __aexit__(self, *error):
        await self.session.close()

    async def __call__(self, method, path, body=None, headers=JSON):
        """(status, JSON or None)."""
        if self.token:
            headers = headers | {"Authorization": f"Bearer {self.token}"}
        async with self.session.request(method, path, data=body, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None


@pytest.mark.thorough("64bit")
async def test_the_scenario_holds(any_interpreter):
    reported = []
    async with ThingerFixture(any_interpreter) as fixture:
        facts = await scenario(fixture, reported.append)
    assert len(reported) == len(STEPS)
    assert facts["bits"] == any_interpreter.bits and facts["api"] == "thinger"
    assert THINGER_CREDENTIAL not in "\n".join(fixture.lines)


async def test_the_curl_lines_of_the_documentation(smallest):
    def renamed(config):
        config["outputs"][0]["name"] = "relay"
        config["sensors"][0]["name"] = "temperature"

    async with ThingerFixture(smallest, edit=renamed) as fixture, Curl(fixture) as curl:
        await fixture.online()
        assert await curl("POST", f"{BASE}/relay", '{"in":true}') == (200, None)
        assert fixture.on("relay")
        status, body = await curl("GET", f"{BASE}/temperature")
        assert status == 200 and abs(body["out"] - fixture.plant.sensor_c) < 3
        assert (await curl("POST", f"{BASE}/relay", '{"in":{"r":0,"g":255,"b":0}}'))[0] == 400
        assert (await curl("POST", f"{BASE}/relay", '{"in":"New customer: 101 today!"}'))[0] == 400
        assert (await curl("POST", f"{BASE}/relay", '{"value1":20,"value2":10}'))[0] == 400
        assert (await curl("POST", f"{BASE}/rgb", '{"in":true}'))[0] == 404
        assert fixture.on("relay"), "what is refused switches nothing"
        status, devices = await curl("GET", "/v1/users/alvarolb/devices?id=nodemcu")
        assert status == 200 and devices[0]["connection"]["active"] is True
        form = '{"token_name": "DoorAccess","token_resources": ["relay"]}'
        _, made = await curl("POST", "/v1/users/alvarolb/devices/nodemcu/tokens", form)
        curl.token = made["token"]
        assert await curl("POST", f"{BASE}/relay", '{"in":false}') == (200, None)
        assert not fixture.on("relay")
        assert (await curl("GET", f"{BASE}/temperature"))[0] == 401
        assert fixture.thinger.model.violations == []


async def test_restart_is_a_get_and_comes_back(smallest):
    async with ThingerFixture(smallest) as fixture, Curl(fixture) as curl:
        await fixture.online()
        assert (await curl("POST", f"{BASE}/pump", '{"in":true}'))[0] == 200
        assert (await curl("GET", f"{BASE}/restart"))[0] == 200
        await fixture.until("the pump stops", lambda: not fixture.on("pump"), 5)
        await fixture.until("it starts again", lambda: fixture.board.boots == 2, 10)
        logins = fixture.thinger.model.named("login")
        await fixture.until("it is back", lambda: len(fixture.thinger.model.named("login")) > 1, 20)
        assert not fixture.on("pump") and logins


@pytest.mark.parametrize("kind", ["wrong_name", "expired", "unknown_ca"])
async def test_a_bad_certificate_gets_no_credential(smallest, kind):
    async with ThingerFixture(smallest, powered=False) as fixture:
        server = fixture.thinger
        await server.down()
        await server.up(kind)
        await fixture.board.power_on()
        await fixture.until("two attempts", lambda: server.hellos >= 2, 30)
        assert (server.handshakes, server.model.events) == (0, [])
        await server.down()
        await server.up()
        await fixture.online(30)


async def test_the_check_of_an_account(smallest, monkeypatch, capsys):
    async with ThingerFixture(smallest) as fixture:
        await fixture.online()
        await fixture.account.login(THINGER_PASSWORD)
        monkeypatch.setenv("THINGER_TOKEN", fixture.account.token)
        options = ["--url", fixture.account.url, "--user", "alvarolb", "--device", "nodemcu"]
        options += ["--ca", str(fixture.site.certs.pem), "--relay", "pump"]
        assert await asyncio.to_thread(check, options) == 0
        output = capsys.readouterr().out
        assert fixture.account.token not in output
        assert "connected: True" in output and "refused with HTTP 400" in output
        assert fixture.switched("pump", True, 0) and not fixture.on("pump")
