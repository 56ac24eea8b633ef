"""Where the broker comes from: what is found, what will not do, and which message a person gets."""

import stat
from pathlib import Path

import pytest

from tools.common import Failed
from tools.env import mosquitto

PLUGIN = "mosquitto_dynamic_security.so"


def put(prefix: Path, version: str = "2.0.18", plugin: str = f"lib/x86_64-linux-gnu/{PLUGIN}") -> Path:
    """A program below `prefix` that says it is mosquitto; returns its folder."""
    program = prefix / "sbin/mosquitto"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'mosquitto version {version}'\nexit 3\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    if plugin:
        (prefix / plugin).parent.mkdir(parents=True)
        (prefix / plugin).touch()
    return program.parent


def test_one_on_the_path_is_found_with_its_plugin(tmp_path):
    found = mosquitto.find(tmp_path / "cache", str(put(tmp_path / "usr")))
    assert (found.version, found.argv) == ("2.0.18", [str(tmp_path / "usr/sbin/mosquitto")])
    assert found.plugin == tmp_path / "usr/lib/x86_64-linux-gnu" / PLUGIN


def test_one_in_the_cache_is_found(tmp_path):
    put(tmp_path / "root/usr", "2.1")
    assert mosquitto.find(tmp_path, "").version == "2.1"


@pytest.mark.parametrize(
    ("version", "plugin"), [("1.6.15", f"lib/{PLUGIN}"), ("2.0.18", ""), ("two", f"lib/{PLUGIN}")]
)
def test_one_that_will_not_do_is_not_taken(tmp_path, version, plugin):
    with pytest.raises(Failed, match="no usable mosquitto"):
        mosquitto.find(tmp_path / "cache", str(put(tmp_path / "usr", version, plugin)))


def test_an_installed_broker_is_used(tmp_path):
    folder = put(tmp_path / "usr")
    assert mosquitto.fetch(tmp_path / "cache", tmp_path / "no-apt", str(folder)).version == "2.0.18"


def test_what_cannot_be_fetched_leaves_nothing_and_says_what_to_install(tmp_path):
    with pytest.raises(Failed, match=r"could not be fetched: .*") as failed:
        mosquitto.fetch(tmp_path / "cache", tmp_path / "no-apt", "")
    assert "install mosquitto 2.0 or newer" in failed.value.do
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]
