"""Words for the numbers in a board's log."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tools.serial import board_log, error_codes
from tools.serial.boot_report import Start


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("+9 W link failed: MQTT: mqtt 0x8b ; next try in 2 s", "server shutting down"),
        ("+9 W link failed: MQTT: mqtt 0x87 not authorized; next try in 2 s", "(not authorized)"),
        ("+9 W Wi-Fi: reason 2", "authentication expired"),
        ("+9 W link failed: token: connect: 118; next try in 2 s", "EHOSTUNREACH"),
        ("+9 W link failed: commands: closed: -113; next try in 2 s", "the network was lost"),
        (
            "+9 W link failed: token: tls: -17040; next try in 2 s",
            "RSA: public operation failed; memory is short",
        ),
        ("+9 W link failed: token: tls: -30592; next try in 2 s", "fatal alert"),
        ("+9 W link failed: token: connect: -29312; next try in 2 s", "ended the connection"),
    ],
)
def test_a_number_gets_its_words(line, words):
    assert words in error_codes.explained(line)


@pytest.mark.parametrize(
    "line", ["+1 I online", "connect: ECONNREFUSED", "reason 999", "mqtt 0xff ", "tls: -1"]
)
def test_an_unknown_error_code_stays_as_it_is(line):
    assert error_codes.explained(line) == line


def test_every_reason_code_of_mqtt_has_words():
    """Those of MQTT 5.0, section 2.4; what 3.1.1 says is among them."""
    codes = {0, 1, 2, 4, 0x10, 0x11, 0x18, 0x19, *range(0x80, 0xA3)}
    assert set(error_codes.MQTT) == codes and all(error_codes.MQTT.values())


def test_every_reason_of_wifi_has_words():
    """Those of ESP-IDF's `wifi_err_reason_t`, which are those of IEEE 802.11 and some of its own from 200 on."""
    reasons = {*range(1, 40), *range(46, 52), 67, 68, *range(200, 213)}
    assert set(error_codes.WIFI) == reasons and all(error_codes.WIFI.values())


def test_mbedtls_allocation_errors_are_explained_as_memory():
    for code in (0x7F00, 0x2880, 0x3F80, 0x4D80, 0x4290, 0x5180, 0x6180, 0x1180, 0x206A):
        assert "memory is short" in error_codes.mbedtls(code), hex(code)


def test_monitor_and_deploy_explain_error_codes():
    console = Console(file=io.StringIO())
    start = Start("a")
    start.take("+0 I firmware 1.0 in slot a, boot 1, reset cause: power_on")
    line = board_log.show("+5 W link failed: token: connect: 118; next try in 2 s", console)
    start.take(line)
    assert "EHOSTUNREACH" in line and "EHOSTUNREACH" in start.over(90).text


def test_troubleshooting_has_a_section_for_each_family():
    folder = Path(__file__).parents[2] / "docs/symptoms"
    page = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.md"))
    for sign in ("mqtt 0x…", "reason …", "connect: …", "tls: -…"):
        assert f"`{sign}`" in page
