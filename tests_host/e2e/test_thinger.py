"""The real MicroPython as a device of the simulated Thinger.io over verified TLS; its owner sends the documentation's
own curl lines."""

import asyncio
import json

import aiohttp
import pytest

from tools.cli.smoke_thinger import ACTS, ThingerStage, story
from tools.cli.thinger_check import main as check
from tools.cloud.demo_device import THINGER_CREDENTIAL, THINGER_PASSWORD

JSON = {"Content-Type": "application/json;charset=UTF-8", "Accept": "application/json, text/plain, */*"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BASE = "/v2/users/alvarolb/devices/nodemcu"


class Curl:
    """`curl -H ... -X METHOD -d BODY URL`, with the bearer token of the account."""

    def __init__(self, stage):
        connector = aiohttp.TCPConnector(ssl=stage.site.certs.client())
        self.session = aiohttp.ClientSession(
            f"https://localhost:{stage.thinger.rest_port}", connector=connector
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


async def test_the_story_holds(any_interpreter):
    told = []
    async with ThingerStage(any_interpreter) as stage:
        facts = await story(stage, told.append)
    assert len(told) == len(ACTS)
    assert facts["bits"] == any_interpreter.bits and facts["api"] == "thinger"
    assert THINGER_CREDENTIAL not in "\n".join(stage.lines)


async def test_the_curl_lines_of_the_documentation(smallest):
    def renamed(config):
        config["outputs"][0]["name"] = "relay"
        config["sensors"][0]["name"] = "temperature"

    async with ThingerStage(smallest, edit=renamed) as stage, Curl(stage) as curl:
        await stage.online()
        assert await curl("POST", f"{BASE}/relay", '{"in":true}') == (200, None)
        assert stage.on("relay")
        status, body = await curl("GET", f"{BASE}/temperature")
        assert status == 200 and abs(body["out"] - stage.world.sensor_c) < 3
        assert (await curl("POST", f"{BASE}/relay", '{"in":{"r":0,"g":255,"b":0}}'))[0] == 400
        assert (await curl("POST", f"{BASE}/relay", '{"in":"New customer: 101 today!"}'))[0] == 400
        assert (await curl("POST", f"{BASE}/relay", '{"value1":20,"value2":10}'))[0] == 400
        assert (await curl("POST", f"{BASE}/rgb", '{"in":true}'))[0] == 404
        assert stage.on("relay"), "what is refused switches nothing"
        status, devices = await curl("GET", "/v1/users/alvarolb/devices?id=nodemcu")
        assert status == 200 and devices[0]["connection"]["active"] is True
        form = '{"token_name": "DoorAccess","token_resources": ["relay"]}'
        _, made = await curl("POST", "/v1/users/alvarolb/devices/nodemcu/tokens", form)
        curl.token = made["token"]
        assert await curl("POST", f"{BASE}/relay", '{"in":false}') == (200, None)
        assert not stage.on("relay")
        assert (await curl("GET", f"{BASE}/temperature"))[0] == 401
        assert stage.thinger.model.violations == []


async def test_restart_is_a_get_and_comes_back(smallest):
    async with ThingerStage(smallest) as stage, Curl(stage) as curl:
        await stage.online()
        assert (await curl("POST", f"{BASE}/pump", '{"in":true}'))[0] == 200
        assert (await curl("GET", f"{BASE}/restart"))[0] == 200
        await stage.until("the pump stops", lambda: not stage.on("pump"), 5)
        await stage.until("it starts again", lambda: stage.board.boots == 2, 10)
        logins = stage.thinger.model.named("login")
        await stage.until("it is back", lambda: len(stage.thinger.model.named("login")) > 1, 20)
        assert not stage.on("pump") and logins


@pytest.mark.parametrize("kind", ["wrong_name", "expired", "unknown_ca"])
async def test_a_bad_certificate_gets_no_credential(smallest, kind):
    async with ThingerStage(smallest, powered=False) as stage:
        server = stage.thinger
        await server.down()
        await server.up(kind)
        await stage.board.power_on()
        await stage.until("the refusal is told", lambda: any("tls: " in line for line in stage.lines), 30)
        assert (server.handshakes, server.model.events) == (0, [])
        await server.down()
        await server.up()
        await stage.online(30)


async def test_the_check_of_an_account(smallest, monkeypatch, capsys):
    async with ThingerStage(smallest) as stage:
        await stage.online()
        await stage.account.login(THINGER_PASSWORD)
        monkeypatch.setenv("THINGER_TOKEN", stage.account.token)
        options = ["--url", stage.account.url, "--user", "alvarolb", "--device", "nodemcu"]
        options += ["--ca", str(stage.site.certs.pem), "--relay", "pump"]
        assert await asyncio.to_thread(check, options) == 0
        said = capsys.readouterr().out
        assert stage.account.token not in said
        assert "connected: True" in said and "refused with HTTP 400" in said
        assert stage.switched("pump", True, 0) and not stage.on("pump")
