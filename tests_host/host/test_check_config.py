"""`python -m tools.check_config FILE`: exit status, words, certificates, privacy."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.cloud.certs import TestCA as CertificateMaker

ROOT = Path(__file__).parents[2]
SECRET = "test-secret-not-real"
ENV = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}


def run(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.check_config", str(file)]
    return subprocess.run(command, cwd=ROOT, env=ENV, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return Path(CertificateMaker(tmp_path_factory.mktemp("ca")).der).read_bytes()


@pytest.fixture
def device(tmp_path: Path, authority: bytes) -> Path:
    """A complete configuration with its certificate beside it, as an owner would have filled it in."""
    config = json.loads((ROOT / "config.example.json").read_text())
    config["wifi"]["networks"] = [{"ssid": "bench", "password": SECRET}]
    config["cloud"].update(
        device_id="12345", client_id="cdv_00000000000000000000000001", client_secret=SECRET
    )
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.der").write_bytes(authority)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    file.chmod(0o600)
    return file


def test_a_good_file_says_so_in_one_line(device: Path) -> None:
    done = run(device)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"{device}: usable, 0 errors, 0 warnings"]


def test_a_portal_without_wifi_is_pointless(device: Path) -> None:
    config = json.loads(device.read_text()) | {"portal": {"password": SECRET}}
    del config["wifi"]
    device.write_text(json.dumps(config))
    done = run(device)
    assert done.returncode == 0 and "portal stays shut" in done.stdout and SECRET not in done.stdout


def test_errors_name_path_found_and_allowed(device: Path) -> None:
    config = json.loads(device.read_text())
    config["outputs"][0]["gpio"] = 6
    config["cloud"]["client_secert"] = SECRET
    device.write_text(json.dumps(config))
    done = run(device)
    assert done.returncode == 1
    for words in ("outputs[0].gpio", "found:   6", "flash chip", "client_secret?", "1 errors, 1 warnings"):
        assert words in done.stdout
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("item", "key", "value", "allowed"),
    [
        ("cloud", "poll_s", 2.5, "a whole number, 2..3600"),
        ("cloud", "device_id", "a/b", "1..64 letters, digits, - and _"),
        ("outputs", "active", "up", "high, low"),
        ("outputs", "pin_prot", "6", "no such key; pin_port?"),
        ("outputs", "hysteresis", 1, 'no such key without mode "setpoint"'),
        ("sensors", "scale", 1, 'no such key without kind "ldr_sensor"'),
        ("cloud", "weather", "nice", "no such key"),
        ("cloud", "a.b", 1, "no such key"),
    ],
)
def test_what_is_allowed_is_said_in_words(
    device: Path, item: str, key: str, value: Any, allowed: str
) -> None:
    config = json.loads(device.read_text())
    (config[item] if item == "cloud" else config[item][0])[key] = value
    device.write_text(json.dumps(config))
    assert f"allowed: {allowed}" in run(device).stdout.splitlines()[2]


def test_settings_that_make_no_sense_together_are_warnings(device: Path) -> None:
    config = json.loads(device.read_text())
    config["outputs"][0].update(min_on_s=60, max_on_s=30, safe="on", interlock="a")
    config["outputs"][1].update(step=31)
    device.write_text(json.dumps(config))
    done = run(device)
    assert done.returncode == 0
    named = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("warning:")]
    assert named == [
        "outputs[0].min_on_s",
        "outputs[0].max_on_s",
        "outputs[0].interlock",
        "outputs[1].step",
    ]
    config["outputs"][0].update(max_on_s=60, safe="off")
    config["outputs"][1].update(step=30, interlock="a")
    device.write_text(json.dumps(config))
    assert "0 errors, 0 warnings" in run(device).stdout


def test_the_untouched_example_asks_for_what_is_missing(tmp_path: Path) -> None:
    done = run(ROOT / "config.example.json")
    assert done.returncode == 1
    assert done.stdout.count("placeholder") == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n  "version": 1,\n}', "comma"),
        ('{\n  "version": 1 // one\n}', "comments"),
        ('{\n  "version" 1}', ":2:"),
        ("", ":1:1"),
        ("[" * 100_000, "JSON"),
        ("9" * 5_000, "JSON"),
    ],
)
def test_a_syntax_error_is_located(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    done = run(file)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr and "Traceback" not in done.stderr


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin1.json").write_bytes(b'{"name": "caf\xe9"}')
    for name in ("absent.json", "latin1.json", "."):
        done = run(tmp_path / name)
        assert done.returncode == 2
        assert name.rstrip(".") in done.stderr and "Traceback" not in done.stderr


def test_certificates_that_the_device_could_not_use(device: Path, authority: bytes) -> None:
    file = device.parent / "certs" / "ca.der"
    for content, words in ((b"-----BEGIN CERTIFICATE-----\n", "openssl x509"), (authority[:-1], "DER")):
        file.write_bytes(content)
        done = run(device)
        assert done.returncode == 1
        assert "cloud.ca_files[0]" in done.stdout and words in done.stdout
    file.unlink()
    assert "No such file" in run(device).stdout


def test_a_file_that_others_can_read_is_a_warning(device: Path) -> None:
    device.chmod(0o644)
    done = run(device)
    assert done.returncode == 0
    assert "chmod 600" in done.stdout and "0 errors, 1 warnings" in done.stdout


def test_colour_only_on_a_terminal(device: Path) -> None:
    assert "\033" not in run(device).stdout
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "tools.check_config", str(device)]
    subprocess.run(command, cwd=ROOT, env=ENV, stdout=follower, check=True)
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert "\033[32m" in shown and "usable" in shown
