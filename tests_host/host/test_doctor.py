"""The doctor's checklist on the virtual board, run by the real mpremote: what it finds, and what it leaves alone."""

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator

import pytest
from cryptography import x509

from firmware import version
from tools.cli import doctor_command
from tools.cloud.certs import TestCA as Authority
from tools.cloud.demo_device import CLIENT_SECRET
from tools.env import interpreter
from tools.fixture.system import WIFI_PASSWORD, SystemFixture
from tools.repository import ROOT

pytestmark = pytest.mark.waits

TIMEOUT_S = 90
PORTS = """
from usocket import *
import usocket
PORTS = {ports}
def getaddrinfo(host, port, *rest):
    if not host[0].isdigit():
        raise OSError(-2)
    return usocket.getaddrinfo(host, PORTS.get(port, port), *rest)
"""
"""`socket` of a network in which the broker, and with `usual` the name and time servers, have the ports that they have
everywhere. It answers only for addresses: names are asked of the name server that the configuration, or the network,
tells."""


@contextlib.asynccontextmanager
async def bench(
    edit=lambda config: None, board="esp32", files=None, usual=False
) -> AsyncIterator[SystemFixture]:
    """A board that is off, with a cable, in front of the simulated cloud with its broker."""
    more = {"edit": edit, "board": board, "files": files}
    async with SystemFixture(interpreter.find(), powered=False, mqtt=True, **more) as fixture:
        at = fixture.site.addresses()
        ports = {8883: at["mqtt_port"]} | ({53: at["dns_port"], 123: at["ntp_port"]} if usual else {})
        (fixture.flash / "socket.py").write_text(PORTS.format(ports=ports))
        fixture.url = await fixture.board.console.open()
        await fixture.board.power_on()
        yield fixture


async def doctor(fixture: SystemFixture, *more: str) -> tuple[int, str]:
    """(exit status, what it said)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools", "doctor", "--port", fixture.url, *more, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(TIMEOUT_S):
        output, _ = await process.communicate()
    printed = output.decode()
    assert CLIENT_SECRET not in printed and WIFI_PASSWORD not in printed
    return process.returncode, printed


def thinger(config):
    """A server of Thinger.io is one that speaks TLS and knows its name: this one does."""
    address = config["cloud"]["base_url"].split("//")[1]
    keys = {
        "user": "me",
        "device_id": "d",
        "credential": CLIENT_SECRET,
        "ca_files": config["cloud"]["ca_files"],
    }
    config["cloud"] = {"api": "thinger", "host": address} | keys


@pytest.mark.gate
async def test_at_thinger_its_server_is_asked_and_no_other():
    async with bench(thinger) as fixture:
        requests = fixture.site.server.requests
        status, printed = await doctor(fixture)
    assert status == 0 and "ok       thinger" in printed and "certificate verified" in printed, printed
    assert "api " not in printed and "broker" not in printed and fixture.site.server.requests == requests


def updates(config):
    config["update"] = {"pin_port": "99", "url": config["cloud"]["base_url"] + "/", "key": CLIENT_SECRET}
    config["cloud"]["api"] = "realino"


@pytest.mark.thorough
async def test_a_server_of_updates_is_asked_at_its_port_and_a_cloud_without_mqtt_for_no_broker(tmp_path):
    """Of two roots, one of which came with a bundle, it says which one each server needs, and until when."""
    other = Authority(tmp_path).certificate
    files = {"a/firmware/certs/other.der": other, "slot.json": b'{"slot": "a"}'}
    async with bench(updates, files=files) as fixture:
        status, printed = await doctor(fixture)
    assert status == 0 and "ok       update" in printed and "broker" not in printed, printed
    for what in ("api", "update"):
        assert re.search(rf"ok       {what} +its root, certs/ca.der, expires in 36\d\d days", printed), (
            printed
        )
    assert "other.der" not in printed


@pytest.mark.thorough("179")
@pytest.mark.parametrize(("left", "level", "status"), [(179, "note", 0), (29, "problem", 1)])
async def test_a_root_that_ends_soon_is_said(tmp_path, monkeypatch, left, level, status):
    """Ten years from now its clock is set to, `left` days before the root ends."""
    async with bench() as fixture:
        end = x509.load_der_x509_certificate(fixture.site.certs.certificate).not_valid_after_utc
        check = (ROOT / "tools" / "doctor" / "network_check.py").read_text()
        assert check.count("time.time() // 86400") == 1
        changed = check.replace("time.time() // 86400", str(int(end.timestamp()) // 86400 - left))
        (tmp_path / "network_check.py").write_text(changed)
        *_, last = doctor_command._CHECKS
        checks = doctor_command._CHECKS | {last: tmp_path / "network_check.py"}
        monkeypatch.setattr(doctor_command, "_CHECKS", checks)
        ended = await asyncio.to_thread(
            doctor_command.main, ["--port", fixture.url, "--report", str(tmp_path / "r")]
        )
        printed = (tmp_path / "r").read_text()
    assert ended == status
    assert re.search(rf"{level} +api +its root, certs/ca.der, expires in {left} days", printed), printed


async def test_a_working_board_passes_every_check_and_the_firmware_continues(tmp_path):
    async with bench() as fixture:
        await fixture.online()
        fixture.want("6", 1)
        await fixture.until("the pump runs", lambda: fixture.on("pump"), 20)
        tokens, boots = len(fixture.model.named("token_issued")), fixture.board.boots
        status, printed = await doctor(fixture, "--report", str(tmp_path / "report.md"))
        assert status == 0, printed
        for words in (
            "ok       wifi", "dBm", "UTC from ntp.realer.test", "certificate verified", "answers HTTP", "speaks MQTT",
            "room: ", "daylight: ", "pump is off", "button is not pressed", "of 2048 KB free", " 0 problems",
        ):  # fmt: skip
            assert words in printed
        report = (tmp_path / "report.md").read_text()
        assert "certificate verified" in report and "realer.test" not in report and "127.0.0.1" not in report
        assert fixture.site.dns.queries and 1000 < flash_free(printed) < 2048
        assert "\033" not in printed
        assert len(fixture.model.named("token_issued")) == tokens
        await fixture.until("the firmware runs again", lambda: fixture.on("pump"), 40)
        assert fixture.board.boots > boots


def flash_free(printed: str) -> int:
    return int(re.search(r"flash +(\d+) of", printed)[1])


def dhcp(config):
    """Name server and time server where everybody has them."""
    config["wifi"]["dns"] = []
    config["time"]["servers"] = ["ntp.realer.test"]


@pytest.mark.gate
async def test_name_and_time_servers_without_ports_are_asked_where_everybody_has_them():
    async with bench(dhcp, usual=True) as fixture:
        status, printed = await doctor(fixture)
        assert status == 0 and "name server 127.0.0.1" in printed and "UTC from ntp.realer.test" in printed, (
            printed
        )
        assert fixture.site.dns.queries


@pytest.mark.gate
async def test_the_second_name_or_time_server_serves_where_the_first_does_not():
    def edit(config):
        config["wifi"]["dns"].insert(0, "127.0.0.1:9")
        config["time"]["servers"].insert(0, "ntp.realer.test:9")

    async with bench(edit) as fixture:
        status, printed = await doctor(fixture)
    assert status == 0 and "ntp.realer.test:9 does not answer" in printed, printed
    assert "1 note, 0 problems" in printed


async def test_the_next_address_of_a_server_is_tried_where_one_cannot_be_reached():
    async with bench() as fixture:
        fixture.site.dns.addresses = ("127.0.0.99", "127.0.0.1")
        status, printed = await doctor(fixture)
    assert status == 0 and "127.0.0.99, an address of api.realer.test, cannot be reached" in printed, printed
    assert " 0 problems" in printed


@pytest.mark.thorough
@pytest.mark.parametrize("mode", ["nxdomain", "servfail", "wrong_id", "silent"])
async def test_what_a_name_server_answers_is_reported(mode):
    async with bench() as fixture:
        fixture.site.dns.mode = mode
        status, printed = await doctor(fixture)
    words = {
        "nxdomain": "there is none",
        "servfail": "error 2",
        "wrong_id": "not an answer to this query",
    }.get(mode, "")
    assert status == 1 and f"127.0.0.1:{fixture.site.dns.port} says {words}" in printed, printed
    assert "the name api.realer.test is not known" in printed


@pytest.mark.thorough
@pytest.mark.parametrize("mode", ["kiss", "stratum0", "unsynchronized", "wrong_origin", "short"])
async def test_a_time_server_that_is_not_synchronized_fails_the_check(mode):
    async with bench() as fixture:
        fixture.site.ntp.mode = mode
        _, printed = await doctor(fixture)
    assert "does not answer" in printed and "UTC from" not in printed, printed


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("wrong_name", "another name than api.realer.test"),
        ("expired", "has expired"),
        ("not_yet_valid", "not valid yet"),
        ("unknown_ca", "chain ends in none of cloud.ca_files"),
    ],
)
async def test_it_explains_a_refused_certificate(kind, words):
    async with bench() as fixture:
        fixture.site.server.present(kind)
        status, printed = await doctor(fixture)
    assert status == 1 and "problem  api" in printed and words in printed


@pytest.mark.gate
async def test_wires_switches_and_names_that_are_wrong():
    async with bench() as fixture:
        fixture.site.dns.mode = "nxdomain"
        fixture.plant.break_sensor("ntc", "open")
        fixture.plant.break_sensor("ldr", "short")
        fixture.board.press_button(TIMEOUT_S * 1000)
        status, printed = await doctor(fixture)
    assert status == 1
    assert "room: " in printed and "an open circuit" in printed and "a short circuit" in printed
    assert "button is pressed" in printed
    assert (
        "the name api.realer.test is not known" in printed
        and "the name mqtt.realer.test is not known" in printed
    )
    assert "note     broker" in printed  # for a device that speaks HTTPS
    assert "no time server" in printed or "does not answer" in printed


@pytest.mark.gate
async def test_a_cloud_that_is_down_and_a_certificate_that_is_missing():
    async with bench() as fixture:
        (fixture.flash / "certs/ca.der").unlink()
        await fixture.site.server.down()
        status, printed = await doctor(fixture)
    assert status == 1
    assert "cannot be reached" in printed and "certs/ca.der is not on the board" in printed
    assert " 2 problems" in printed


@pytest.mark.thorough
async def test_an_access_point_that_is_gone_and_a_wrong_password():
    async with bench() as fixture:
        fixture.board.network_down()
        status, printed = await doctor(fixture)
        assert status == 1 and "no such network here" in printed and "api" not in printed
        # It begins anew, lest the firmware of before has joined already with the right password.
        await fixture.board.power_off()
        fixture.board.network_up()
        config = json.loads((fixture.flash / "config.json").read_text())
        config["wifi"]["networks"][0]["password"] = "another-password"
        (fixture.flash / "config.json").write_text(json.dumps(config))
        await fixture.board.power_on()
        status, printed = await doctor(fixture)
        assert status == 1 and "the password is wrong" in printed


@pytest.mark.gate
async def test_a_lan_and_its_cable():
    async with bench(board="wt32-eth01") as fixture:
        status, printed = await doctor(fixture)
        assert status == 0 and "ok       lan          address 192.168.4.20" in printed, printed
        assert "wifi" not in printed and "ok       api" in printed
        fixture.board.network_down()
        status, printed = await doctor(fixture)
        assert (
            status == 1
            and "no cable, or nothing at its other end" in printed
            and "ok       api" not in printed
        )


@pytest.mark.gate
async def test_a_lan_whose_chip_does_not_answer():
    async with bench(board="wt32-eth01") as fixture:
        await fixture.board.power_off()
        fixture.board.chip.lan.mute = True
        await fixture.board.power_on()
        status, printed = await doctor(fixture)
    assert status == 1 and "is it really a wt32-eth01?" in printed


@pytest.mark.gate
async def test_what_is_on_an_i2c_bus_is_named():
    pins = {"sda": 25, "scl": 26}

    def edit(config):
        config["sensors"] = config["sensors"][:1] + [
            {"kind": "sht3x", "pin_port": "80", "name": "loft", **pins},
            {"kind": "bme280", "pin_port": "81", "name": "shed", **pins},
        ]

    async with bench(edit) as fixture:
        _, printed = await doctor(fixture)
        assert printed.count("on the bus there is 0x44 (SHT3x), 0x76 (BME280 or BMP280)") == 1
        assert re.search(r"ok +GPIO 25, 26 +loft: 1\d\.\d degrees, 45\.0 %", printed)
        assert re.search(r"ok +GPIO 25, 26 +shed: 1\d\.\d degrees", printed), printed
        fixture.plant.break_sensor("loft", "open")
        fixture.plant.wiring["shed"]["chip_id"] = 0x58
        fixture.plant.kept.clear()
        status, printed = await doctor(fixture)
        assert status == 1 and "nothing answers at 0x44; on the bus there is 0x76" in printed
        assert "chip id 0x58: a BMP280" in printed
        fixture.plant.break_sensor("loft", "short")
        status, printed = await doctor(fixture)
        assert status == 1 and "held low" in printed


def of_the_network(**keys):
    """A change of the configuration: these keys of its only network."""

    def edit(config):
        config["wifi"]["networks"][0] |= keys

    return edit


HERE, GONE = "02:00:00:00:00:01", "02:00:00:00:00:99"


@pytest.mark.thorough
async def test_an_access_point_that_is_named_and_not_seen_while_its_network_is():
    async with bench(of_the_network(bssid=GONE)) as fixture:
        status, printed = await doctor(fixture)
        assert status == 1 and f"access point {GONE} is not seen here, but {HERE} with -57 dBm" in printed
        assert "no such network" not in printed and "api" not in printed
        fixture.board.network_down()
        status, printed = await doctor(fixture)
        assert status == 1 and "no such network here" in printed and "not seen here, but" not in printed


@pytest.mark.thorough
async def test_an_access_point_and_a_country_that_are_right_are_no_finding():
    def edit(config):
        of_the_network(bssid=HERE)(config)
        config["wifi"] |= {"country": "DE", "power_save": True}

    async with bench(edit) as fixture:
        status, printed = await doctor(fixture)
    assert status == 0 and "ok       wifi" in printed and " 0 notes, 0 problems" in printed, printed


@pytest.mark.gate
@pytest.mark.thorough("keys0", "keys1", "keys2")
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"ip": "192.168.1.20", "gateway": "192.168.2.1"}, "192.168.2.1 are not in one network"),
        ({"ip": "192.168.1.20"}, "gateway None are not in one network"),
        ({"ip": "10.0.0.5", "netmask": "255.0.0.0", "gateway": "10.0.0"}, "10.0.0 is not an address"),
        ({"bssid": "02:00"}, "bssid is not the address of an access point"),
    ],
)
async def test_an_address_that_cannot_be_is_a_problem_and_the_rest_is_still_looked_at(keys, words):
    async with bench(of_the_network(**keys)) as fixture:
        status, printed = await doctor(fixture)
    assert status == 1 and words in printed and "certificate verified" in printed, printed
    assert ", 1 problem" in printed


@pytest.mark.gate
async def test_a_fixed_address_is_taken_and_its_gateway_asked():
    fixed = {"ip": "127.0.0.20", "netmask": "255.0.0.0", "gateway": "127.0.0.1"}
    async with bench(of_the_network(**fixed)) as fixture:
        status, printed = await doctor(fixture)
        assert status == 0 and "fixed address 127.0.0.20, gateway 127.0.0.1" in printed, printed
        assert "answers at no port" not in printed


@pytest.mark.gate("None")
@pytest.mark.thorough("x-", "[]-")
@pytest.mark.parametrize(
    ("content", "words"), [(None, "no config.json"), ("x", "not JSON"), ("[]", "not an object")]
)
async def test_a_board_without_a_configuration(content, words):
    async with bench() as fixture:
        file = fixture.flash / "config.json"
        file.unlink()
        if content:
            file.write_text(content)
        status, printed = await doctor(fixture)
    assert status == 1 and words in printed and "realer deploy" in printed
    assert "KB free" in printed and "api" not in printed


async def test_no_board_at_all():
    async with bench() as fixture:
        await fixture.board.power_off()
        fixture.board.console.close()
        status, printed = await doctor(fixture)
    assert status == 1 and f"nothing answers at {fixture.url}" in printed


def sensors(config):
    config["sensors"] = [
        {
            "kind": "analog",
            "gpio": 32,
            "pin_port": "70",
            "name": "tank",
            "deadband": 1,
            "points": [[0.5, 0], [2.5, 9]],
        },
        {"kind": "digital", "gpio": 13, "pin_port": "71", "name": "door", "cloud_kind": "thermistor"},
        {"kind": "ds18b20", "gpio": 4, "pin_port": "72", "name": "attic", "address": "28ff000000000002"},
        {"kind": "dht22", "gpio": 18, "pin_port": "73", "name": "bath"},
        {"kind": "dht11", "gpio": 19, "pin_port": "74", "name": "hall"},
    ]


@pytest.mark.gate
async def test_each_kind_of_sensor_has_its_check_and_one_that_the_cloud_cannot_know_is_noted():
    async with bench(sensors) as fixture:
        fixture.plant.stick(13, 1)
        fixture.plant.set_room(25)
        status, printed = await doctor(fixture)
        assert status == 0, printed
        for words in (
            "tank: 1500 mV", "door: its pin is high, which is 0", "attic: 28ff000000000002, 2", "bath: 2",
            "hall: 2", "tank: the Realer cloud may not know the kind analog",
        ):  # fmt: skip
            assert words in re.sub(r"tank: 1[45]\d\d mV", "tank: 1500 mV", printed), (words, printed)
        assert "not know the kind digital" not in printed
        for name in ("attic", "bath", "tank"):
            fixture.plant.break_sensor(name, "open")
        status, printed = await doctor(fixture)
        assert status == 1 and " 3 problems" in printed, printed


async def test_both_relays_of_a_cover_are_looked_at():
    def cover(config):
        more = {"name": "blind", "mode": "cover", "safe": "hold", "close": {"gpio": 21}, "open_s": 20}
        config["outputs"][0] |= more

    async with bench(cover) as fixture:
        fixture.plant.stick(21, 1)
        _, printed = await doctor(fixture)
    assert "ok       GPIO 16      blind is off" in printed and "note     GPIO 21      blind is on" in printed


def test_a_report_has_the_problems_and_no_private_names():
    lines = [
        "ok       board        MicroPython 1.26.1",
        "problem  wifi         Our House: the password is wrong; wifi.networks: go closer",
        "ok       wifi         address 192.168.4.20, gateway 192.168.4.1, name server 192.168.4.1",
        "problem  wifi         Our House: its access point 02:00:00:00:00:01 is not seen here, but 02:00:00:00:00:02",
        "ok       api          TLS to api.example.org:443, certificate verified; certs/ca.der",
    ]
    text = doctor_command.report("Generic ESP32 module with ESP32", lines)
    for private in ("Our House", "192.168", "02:00", "example.org"):
        assert private not in text
    for words in (
        "Generic ESP32", version.VERSION, "MicroPython 1.26.1", "<network 1>: the password is wrong", "wifi.networks",
        "gateway <address 2>, name server <address 2>", "<hardware address 1> is not seen", "TLS to <host 1>:443",
        "certs/ca.der",
    ):  # fmt: skip
        assert words in text, words
