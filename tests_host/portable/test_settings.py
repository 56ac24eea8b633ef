"""The configuration as it lies on the flash: what the host's check refuses, the device refuses as well."""

import json
import os
import sys

from firmware import settings
from firmware.config_file import read
from firmware.core.errors import ConfigError
from firmware.settings import checked
from tests_host.support.fakemachine import Uname

ROOT = __file__.replace("\\", "/").rpartition("/")[0] + "/../../"
SECRET = "test-secret-not-real"


class Log:
    def __init__(self):
        self.lines = []
        self.level = self.hidden = None

    def log(self, level, text):
        self.lines.append(text)


def loaded(content):
    """(the configuration or None, the log, what the file holds afterwards)."""
    try:
        os.mkdir(ROOT + ".cache")
    except OSError:
        pass  # it is there
    path = ROOT + ".cache/settings-%d.json" % int.from_bytes(os.urandom(6), "little")
    with open(path, "wb") as f:
        f.write(content)
    log = Log()
    try:
        config = checked(*read(path), log)
    except ConfigError as error:
        config = None
        log.lines.append(str(error))
    with open(path, "rb") as f:
        left = f.read()
    os.remove(path)
    return config, log, left


def good():
    with open(ROOT + "config.example.json") as f:
        return f.read().replace("REPLACE-ME", SECRET).encode()


def test_a_good_file_is_loaded_and_left_as_it_is():
    config, log, left = loaded(good())
    assert config["outputs"][1]["safe"] == 8.0 and not log.lines and log.level == "info"
    assert left == good()


def test_a_file_that_is_not_strict_json_is_refused():
    text = good()
    for wrong in (
        text.replace(b'"gpio": 16,', b'"gpio": 16'),
        text.replace(b'"version": 1,', b'"version": 01,'),
        text[: text.rindex(b"}")] + b",}",
        text[: text.rindex(b"}")],
        text + b"}",
        text.replace(b'"active": "high"', b"'active': 'high'"),
        text.replace(b'"bench device"', b'"bench\tdevice"'),
        text.replace(b'"bench device"', b'"caf\xe9"'),
        b"",
    ):
        config, log, _ = loaded(wrong)
        assert config is None and len(log.lines) == 1 and SECRET not in log.lines[0]


def test_a_duplicate_key_is_refused():
    config, log, _ = loaded(good().replace(b'"gpio": 16,', b'"gpio": 16, "gpio": 18,'))
    assert config is None and [line for line in log.lines if "outputs[0].gpio" in line]


def test_the_byte_order_mark_is_removed_from_the_file():
    config, log, left = loaded(b"\xef\xbb\xbf" + good())
    assert config["outputs"][0]["gpio"] == 16 and not log.lines
    assert json.loads(left) == json.loads(good())


def on(machine, call):
    """What `call` returns on such a machine."""
    settings.os = Uname(machine)
    try:
        return call()
    finally:
        settings.os = os


def test_the_chip_is_known_by_what_micropython_calls_it():
    for machine, chip in (
        ("Generic ESP32 module with ESP32", "esp32"),
        ("Generic ESP32 module with SPIRAM with ESP32", "esp32"),
        ("Generic ESP32 module with ESP32-UNICORE", "esp32"),
        ("Lilygo with ESP32-PICO-D4", "esp32"),
        ("LOLIN_S2_MINI with ESP32-S2FN4R2", "esp32s2"),
        ("Generic ESP32S3 module with Octal-SPIRAM with ESP32S3", "esp32s3"),
        ("ESP32C3 module with ESP32C3", "esp32c3"),
        ("ESP32C6 module with ESP32-C6", "esp32c6"),
        ("ESP32H2 module with ESP32H2", "esp32h2"),
        ("x86_64", "esp32"),
    ):
        assert on(machine, settings.chip) == chip


def test_a_configuration_is_checked_for_the_chip_it_is_on():
    raw = json.loads(good())
    for machine, expected in (("Generic ESP32 module with ESP32", 0), ("ESP32C3 module with ESP32C3", 5)):
        found = on(machine, lambda: settings.problems_of(raw))
        wrong = [problem for problem in found if problem[0] == "error" and problem[1].endswith("gpio")]
        assert len(wrong) == expected, found


def test_pins_of_the_psram_are_refused_where_micropython_uses_it():
    raw = json.loads(good())
    for machine, expected in (
        ("Generic ESP32 module with ESP32", []),
        ("Generic ESP32 module with SPIRAM with ESP32", ["outputs[0].gpio", "outputs[1].gpio"]),
    ):
        found = on(machine, lambda: settings.problems_of(raw))
        assert [path for level, path, _, _ in found if level == "error"] == expected


def test_a_chip_that_is_not_known_is_an_error_of_the_configuration():
    refused = ""
    try:
        on("ESP32H2 module with ESP32H2", lambda: settings.problems_of({}))
    except ConfigError as error:
        refused = str(error)
    assert "esp32h2" in refused


def test_nothing_of_a_profile_stays_loaded():
    assert "\nname ESP32-C6\n" in settings.profile("esp32c6")
    assert [name for name in sys.modules if name in ("firmware.boards.esp32c6", "firmware.boards")] == []
