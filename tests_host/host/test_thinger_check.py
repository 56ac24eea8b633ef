"""The check of a real account, as far as it goes without a device: every failure has words and a remedy, no secret."""

import asyncio
import socket

import pytest

from tests_host.support.beside import served
from tools import common
from tools.cli import thinger_check
from tools.cloud import thinger_wire as wire
from tools.cloud.certs import TestCA
from tools.cloud.demo_device import (
    THINGER_CREDENTIAL,
    THINGER_DEVICE,
    THINGER_USER,
    demo_account,
)  # fmt: skip
from tools.cloud.thinger_client import Account, NoAnswer
from tools.cloud.thinger_model import Thinger
from tools.cloud.thinger_server import ThingerServer

LOGIN = wire.frame("CONNECT", sid=1, payload=[THINGER_USER, THINGER_DEVICE, THINGER_CREDENTIAL])


@pytest.fixture
def server(tmp_path):
    found = ThingerServer(Thinger(), TestCA(tmp_path))
    demo_account(found.model)
    with served(found):
        yield found


@pytest.fixture
def check(server, monkeypatch, capsys):
    def run(*more, token=None, url=None, ca=True):
        given = token or server.model.tokens.login(THINGER_USER, server.model.now())["access_token"]
        monkeypatch.setenv("THINGER_TOKEN", given)
        options = ["--url", url or f"https://localhost:{server.rest_port}", "--user", THINGER_USER]
        options += ["--device", THINGER_DEVICE, *(["--ca", str(server.certs.pem)] if ca else []), *more]
        status = common.run(thinger_check.main, options)
        output = "".join(capsys.readouterr())
        assert given not in output
        return status, output

    return run


def test_a_device_that_is_not_connected(check):
    status, output = check()
    assert status == 1 and "not connected" in output and "credential" in output


def test_an_invalid_token_is_reported(check):
    status, output = check(token="test-token-not-real")
    assert status == 1 and "HTTP 401" in output and "Access Tokens" in output


def test_a_server_that_is_not_there_or_not_trusted(check, server):
    for options in ({"url": "https://localhost:1"}, {"ca": False}):
        status, output = check(**options)
        assert status == 1 and "--ca" in output


def test_an_http_address_is_a_usage_error(check):
    with pytest.raises(SystemExit) as ended:
        check(url="http://localhost")
    assert ended.value.code == 2


def test_a_root_that_cannot_be_read(check, tmp_path):
    status, output = check("--ca", str(tmp_path / "none.pem"))
    assert status == 1 and "PEM" in output


def test_a_relay_that_does_not_follow(check, server):
    answers = {"api": {"payload": {"relay": {"fn": 2}}}, "relay": {"payload": {"in": False}}}

    def take(data):
        for kind, fields in wire.Reader().feed(data):
            answer = answers["api" if "resource" not in fields else "relay"] if kind == "DESCRIBE" else {}
            if kind in ("DESCRIBE", "RUN"):
                asyncio.get_running_loop().call_soon(port.feed, wire.frame("OK", sid=fields["sid"], **answer))

    port = server.model.connection(take, lambda: None)
    port.feed(LOGIN)
    status, output = check("--relay", "relay")
    assert status == 1 and "relay was set to True and shows False" in output
    status, output = check()
    assert status == 0 and "connected: True" in output


def test_a_token_on_the_command_line_is_wrong_usage(check):
    with pytest.raises(SystemExit) as ended:
        check("--token", "test-token-not-real")
    assert ended.value.code == 2


async def test_a_server_that_does_not_answer_in_time_is_named_as_such():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with Account(url, THINGER_USER, THINGER_DEVICE, within_s=0.2) as account:
            with pytest.raises(NoAnswer) as found:
                await account.stats()
    assert (found.value.status, str(found.value)) == (0, f"{url}: no answer in time")
