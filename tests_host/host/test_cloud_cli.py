"""`realer cloud` against a running cloud: what it prints, what it changes, how it fails."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests_host.support.cloudclient import Client, reading
from tests_host.support.commands import realer
from tests_host.support.mqttdevice import MqttDevice
from tools.cli.cloud_command import main
from tools.cloud import admin_client, show
from tools.cloud.demo_device import CLIENT_SECRET, demo_device
from tools.cloud.site import Site

ROOT = Path(__file__).resolve().parents[2]


class Running:
    """A site with the demo device, and the command line pointed at it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], mqtt: bool = False) -> None:
        self.file = folder / "admin.json"
        self.site = Site(
            certs=folder / "certs", connection_file=self.file, clock=lambda: 1_800_000_000.0, mqtt=mqtt
        )
        self.site.model.add_device(demo_device())
        self._capsys = capsys

    async def run(self, *words: str) -> tuple[int, str, str]:
        """(exit status, standard output, standard error)"""
        status = await asyncio.to_thread(main, ["--connection", str(self.file), *words])
        return status, *self._capsys.readouterr()


@pytest.fixture
def running(tmp_path, capsys):
    return Running(tmp_path, capsys)


async def test_an_owner_sets_a_value(running):
    async with running.site:
        assert await running.run("set", "6", "1") == (0, "1.0\n", "")
        assert await running.run("set", "6", "off") == (0, "0.0\n", "")
        assert running.site.model.desired(12345, "6") == "0.0"
        status, out, err = await running.run("set", "33", "1")
        assert (status, out) == (1, "") and "its ports: 6, 9" in err
        assert (await running.run("set", "6", "warm"))[0] == 1
        assert (await running.run("set", "6", "warm", "--raw"))[0] == 0


async def test_the_output_has_every_value_and_no_secret(running):
    async with running.site as site:
        device = Client(site.model)
        device.login()
        device.post(reading("m", "21.4"))
        site.model.set_desired(12345, "9", 19, device.now)
        status, out, _ = await running.run("show")
        assert status == 0
        for text in ("device 12345", "thermistor", "21.4", "19.0", "out of sync"):
            assert text in out
        _, raw, _ = await running.run("--json", "show")
        assert json.loads(raw)[0]["sensors"][0]["reported"] == "21.4"
        _, rows, _ = await running.run("--json", "feed")
        assert [row["message_id"] for row in json.loads(rows)] == ["m"]
        _, events, _ = await running.run("events")
        assert "stored sensor 1: 21.4" in events
        for text in (out, raw, events):
            assert CLIENT_SECRET not in text and device.token not in text


async def test_access_is_revoked_and_restored(running):
    async with running.site as site:
        device = Client(site.model)
        device.login()
        assert await running.run("expire-token") == (0, "1\n", "")
        assert device.get("commands").status == 401
        device.login()
        assert await running.run("revoke") == (0, "1\n", "")
        assert device.get("commands").status == 401
        device.login()
        await running.run("subscription", "off")
        assert device.get("commands").status == 402
        await running.run("subscription", "on")
        assert device.get("commands").status == 200
        await running.run("keys", "off")
        assert device.login().status == 401
        await running.run("keys", "on")
        assert device.login().status == 200


async def test_faults_come_and_go(running):
    async with running.site as site:
        assert (await running.run("fault", "feed-data", "status=503", "times=3"))[:2] == (
            0, "feed-data status=503 times=3\n",
        )  # fmt: skip
        await running.run("fault", "any", "hang")
        assert (await running.run("faults"))[1] == "feed-data status=503 times=3\nany hang\n"
        assert (await running.run("faults", "clear"))[1] == "none\n"
        assert site.faults.rules == []
        status, _, err = await running.run("fault", "any", "explode")
        assert status == 1 and "unknown fault 'explode'" in err


async def test_the_faults_of_name_and_time_servers(running):
    async with running.site as site:
        await running.run("dns", "servfail")
        await running.run("ntp", "kiss", "--offset-s", "-60")
        assert (site.dns.mode, site.ntp.mode, site.ntp.offset_s) == ("servfail", "kiss", -60)
        await running.run("dns")
        await running.run("ntp")
        assert (site.dns.mode, site.ntp.mode, site.ntp.offset_s) == ("", "", 0)
        await running.run("apply-local", "6", "on")
        assert site.model.find_command(12345, "6").apply_local
        await running.run("cert", "expired")
        await running.run("listener", "off")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", site.server.port)
        await running.run("listener", "on")
        _, writer = await asyncio.open_connection("127.0.0.1", site.server.port)
        writer.close()
        await writer.wait_closed()


async def test_an_owner_plays_with_the_broker(tmp_path, capsys):
    running = Running(tmp_path, capsys, mqtt=True)
    async with running.site as site:
        connected = asyncio.Event()
        site.model.listeners.append(lambda event: event["event"] == "mqtt_connected" and connected.set())
        device = await MqttDevice(site.model).online(site)
        await asyncio.wait_for(connected.wait(), 5)
        assert "v1 3600 s left, connected" in (await running.run("show"))[1]
        await running.run("set", "6", "1")
        assert (await device.message())["value"] == "1.0"
        assert await running.run("fault", "desired", "value=99", "copies") == (
            0,
            "desired copies=2 value=99\n",
            "",
        )
        await running.run("set", "6", "0")
        assert [(await device.message())["value"] for _ in range(2)] == ["99", "99"]
        assert await running.run("kick") == (0, "1\n", "")
        assert await device.end() == 0x98
        assert await running.run("broker", "down") == (0, "done\n", "")
        assert not site.broker.running
        await running.run("broker", "up")
        await device.connect(site)
        await running.run("cert", "expired")
        await device.end()
        shown = await running.run("show")
        assert "connected" not in shown[1]
        events = (await running.run("events"))[1]
        assert "is at the broker" in events and "broker down" in events
        await device.off()
        for text in (events, shown[1]):
            assert device.credentials["mqtt_credential"] not in text


async def test_a_cloud_without_a_broker_reports_that(running):
    async with running.site:
        assert await running.run("broker", "down") == (1, "", "this cloud runs no broker\n")
        assert await running.run("kick") == (0, "0\n", "")


async def test_without_a_cloud_the_command_line_prints_the_remedy(running):
    status, out, err = await running.run("show")
    assert (status, out) == (3, "")
    assert "no cloud is running here; start one with realer demo" in err
    async with running.site:
        stale = running.file.read_text()
        assert running.file.stat().st_mode & 0o77 == 0
    assert not running.file.exists()
    running.file.write_text(stale)
    assert (await running.run("show"))[0] == 3


async def test_only_the_holder_of_the_key_plays_owner(running):
    async with running.site as site:
        found = json.loads(running.file.read_text())
        running.file.write_text(json.dumps(found | {"admin_key": "0" * 32}))
        status, _, err = await running.run("set", "6", "1")
        assert (status, err) == (1, "this is not your cloud\n")
        assert site.model.desired(12345, "6") == "0.0"
        running.file.write_text(json.dumps(found))
        with pytest.raises(admin_client.Refused, match="no such verb"):
            await asyncio.to_thread(admin_client.call, "explode", running.file)


async def test_a_second_site_keeps_its_connection_file(running):
    async with running.site:
        running.file.write_text(json.dumps({**running.site.addresses(), "pid": 1}))
    assert running.file.exists()


@pytest.mark.parametrize("command", [["demo", "--no-open"], ["cloud", "serve"]])
@pytest.mark.parametrize("content", ['{"version": 1}', "[]", "", "test"])
def test_another_file_is_not_replaced_by_a_cloud(tmp_path, command, content):
    file = tmp_path / "config.json"
    file.write_text(content)
    done = realer(*command, "--connection", file)
    assert done.returncode == 1 and f"{file} is there and is no connection file" in done.stderr
    assert file.read_text() == content
    for words in (["--connection", file, "show"], ["show", "--connection", file, "--json"]):
        assert realer("cloud", *words).returncode == 3


def test_every_event_has_a_readable_line():
    events = {
        "feed_rejected": {"details": {"value": ["x"]}},
        "keys_set": {"enabled": False},
        "mqtt_disconnected": {"username": "realer-cdv_1-cred-v2", "reason": "disconnected"},
        "desired_published": {"sequence": 3, "command_id": 1, "delivered": False},
        "something_new": {},
    }
    lines = [
        show.line({"at": 0, "event": name, "device": "1", **facts}).plain for name, facts in events.items()
    ]
    assert lines[0].endswith("feed data rejected: {'value': ['x']}")
    assert lines[1].endswith("keys off")
    assert lines[2].endswith("the session with credentials v2 is over: disconnected")
    assert lines[3].endswith("desired state 3 of command 1 is published; no subscriber")
    assert lines[4].endswith("something_new")


def test_serve_runs_until_stopped(tmp_path):
    file = tmp_path / "admin.json"
    words = [sys.executable, "-m", "tools", "cloud", "--connection", str(file), "serve"]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while "serving" not in process.stdout.readline():
        assert process.poll() is None
    admin_client.call("set", file, port="6", value="on")
    (device,) = admin_client.call("show", file)
    assert device["commands"][0]["value"] == "1.0"
    process.send_signal(signal.SIGINT)
    assert "owner wants 1.0 on port 6" in process.communicate(timeout=20)[0]
    assert process.returncode == 0
    assert not file.exists()
