"""The configuration as it lies on the flash: what the host's check refuses, the device refuses as well."""

import json
import os

from firmware.config_file import read
from firmware.core.errors import ConfigError
from firmware.settings import checked

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
