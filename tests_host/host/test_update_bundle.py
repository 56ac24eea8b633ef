"""The key of updates over the air, and the server for their bundles."""

import asyncio
import hashlib
import hmac
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests_host.support.commands import realer
from tools.cli import update_bundle
from tools.cloud.certs import TestCA
from tools.common import Failed

ROOT = Path(__file__).parents[2]
KEY = "test-update-key-not-real"


def test_a_key_is_drawn_once_and_never_shown(tmp_path, capsys):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"name": "x", "update": {"pin_port": "99"}}))
    assert update_bundle.main(["--new-key", "--config", str(config)]) == 0
    draft = json.loads(config.read_text())
    key = draft["update"]["key"]
    output = capsys.readouterr().out
    assert len(key.encode()) in update_bundle.KEY_BYTES and key not in output and "update.url" in output
    assert draft["name"] == "x" and draft["update"]["pin_port"] == "99"
    assert config.stat().st_mode & 0o77 == 0
    with pytest.raises(Failed, match="already"):
        update_bundle.main(["--new-key", "--config", str(config)])
    assert json.loads(config.read_text()) == draft


@pytest.mark.parametrize("content", [None, "{", "[]", '{"update": 3}'])
def test_an_invalid_configuration_gets_no_key(tmp_path, content):
    config = tmp_path / "config.json"
    if content:
        config.write_text(content)
    with pytest.raises(Failed):
        update_bundle.main(["--new-key", "--config", str(config)])
    assert (config.read_text() if content else None) == content


def test_a_configuration_that_is_not_there_or_has_no_key_is_named(tmp_path):
    config = tmp_path / "base.json"
    argv = ["7", "--config", str(config), "--out", str(tmp_path / "served")]
    with pytest.raises(Failed, match=r"base\.json: No such file") as failed:
        update_bundle.main(argv)
    assert "--config" in failed.value.do
    config.write_text("{}")
    with pytest.raises(Failed, match=r"no update\.key") as failed:
        update_bundle.main(argv)
    assert f"--config {config}" in failed.value.do and not (tmp_path / "served").exists()


async def test_bundles_are_served_with_ranges_over_tls(tmp_path):
    (tmp_path / "served" / "7").mkdir(parents=True)
    (tmp_path / "served" / "7" / "files").write_bytes(bytes(range(100)))
    authority = TestCA(tmp_path / "ca")

    def ask(port, **headers):
        request = urllib.request.Request(f"https://localhost:{port}/firmware/7/files", headers=headers)
        with urllib.request.urlopen(request, context=authority.client(), timeout=20) as answer:
            return answer.status, answer.read()

    async with update_bundle.serving(tmp_path / "served", authority.leaf()) as port:
        assert await asyncio.to_thread(ask, port, Range="bytes=10-19") == (206, bytes(range(10, 20)))
        assert await asyncio.to_thread(ask, port) == (200, bytes(range(100)))


def test_a_certificate_that_is_none_is_named(tmp_path):
    (tmp_path / "text.pem").write_text("no certificate")
    for name, reason in (("none.pem", "No such file"), (".", "Is a directory"), ("text.pem", "[SSL]")):
        done = realer("bundle", "--serve", "--out", tmp_path, "--certificate", tmp_path / name)
        assert done.returncode == 1 and f"error: {tmp_path / name}: {reason}" in done.stderr


@pytest.mark.gate
def test_the_command_serves_with_a_certificate_of_ones_own_until_ctrl_c(tmp_path):
    pem = TestCA(tmp_path / "ca").write_leaf(tmp_path / "leaf.pem")
    (tmp_path / "served").mkdir()
    argv = [sys.executable, "-m", "tools", "bundle", "--serve", "--out", str(tmp_path / "served")]
    with subprocess.Popen([*argv, "--certificate", str(pem)], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"update.url    https://")
        process.terminate()
        assert process.wait(60) == 0
    for wrong in (["--certificate", str(tmp_path / "none.pem")], ["--certificate", __file__]):
        done = subprocess.run([*argv, *wrong], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "Traceback" not in done.stderr and "PEM" in done.stderr
    done = subprocess.run(
        [*argv[:-1], str(tmp_path / "none")], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and "realer bundle" in done.stderr


@pytest.mark.gate
def test_bundles_bring_the_roots_of_the_configuration_and_the_latest_is_for_lost_boards(tmp_path, capsys):
    der = TestCA(tmp_path / "ca").certificate
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "a.der").write_bytes(der)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"update": {"key": KEY}, "cloud": {"ca_files": ["certs/a.der"]}}))
    served = tmp_path / "served"
    for number in (7, 8, 3):
        assert update_bundle.main([str(number), "--config", str(config), "--out", str(served)]) == 0
    assert "a.der: Realer test CA" in capsys.readouterr().out
    digest = hashlib.sha256(der).hexdigest()
    assert f"{digest} {len(der)} firmware/certs/a.der\n" in (served / "8" / "manifest").read_text()
    assert der in (served / "8" / "files").read_bytes()
    mac, number = (served / "rescue").read_text().split()
    assert number == "8", "an older one does not take its place"
    assert mac == hmac.new(KEY.encode(), b"realer-rescue 8\n", "sha256").hexdigest()
    config.write_text(json.dumps({"update": {"key": KEY}}))
    assert update_bundle.main(["9", "--config", str(config), "--out", str(served)]) == 0
    assert (served / "rescue").read_text().split()[1] == "8", "without a root it helps nobody"
