"""lib/mqtt5 on the real MicroPython against a real mosquitto over TLS."""

import base64
import contextlib
import getpass
import hashlib
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish
from paho.mqtt.client import MQTTv5

from tools.checks import portable
from tools.cloud import certs
from tools.env import interpreter, mosquitto

PROBE = portable.ROOT / "tests_host" / "support" / "mqtt_probe.py"
PASSWORD = "test-secret-not-real"
find = cache(interpreter.find)


def account(name: str, password: str) -> str:
    """A line of mosquitto's password file: PBKDF2 with SHA-512, as mosquitto_passwd writes it."""
    salt = b"0123456789ab"
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"{name}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


class Broker:
    """A mosquitto of its own for each test, on a free port, TLS only, one account."""

    def __init__(self, folder: Path, ca: certs.TestCA, kind: str = "good") -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        leaf, accounts = folder / "leaf.pem", folder / "accounts"
        ca.write_leaf(leaf, kind)
        accounts.write_text(account("user", PASSWORD))
        self._file = folder / "mosquitto.conf"
        self._file.write_text(
            f"listener {self.port} 127.0.0.1\ncertfile {leaf}\nkeyfile {leaf}\npassword_file {accounts}\n"
            f"allow_anonymous false\npersistence false\nuser {getpass.getuser()}\nmax_packet_size 6000\n"
            "set_tcp_nodelay true\n"
        )
        self._ca = ca
        self.start()

    def start(self) -> None:
        argv = [*mosquitto.find().argv, "-c", str(self._file)]
        self.process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.01)
        raise AssertionError("mosquitto does not answer")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def publish(self, payload: bytes, qos: int, retain: bool = False) -> None:
        publish.single(
            "test/echo", payload, qos, retain, "localhost", self.port, tls={"ca_certs": str(self._ca.pem)},
            auth={"username": "user", "password": PASSWORD}, protocol=MQTTv5,
        )  # fmt: skip


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> certs.TestCA:
    return certs.TestCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def broker(tmp_path: Path, ca: certs.TestCA) -> Iterator[Broker]:
    broker = Broker(tmp_path, ca)
    yield broker
    broker.stop()


class Device:
    """Starts a MicroPython that does one job."""

    def __init__(self, python: interpreter.Interpreter, folder: Path, ca: certs.TestCA, version: int) -> None:
        self._python, self._folder, self._ca, self.version = python, folder, ca, version

    def start(self, do: str, port: int, **job: Any) -> subprocess.Popen[str]:
        file = self._folder / "job.json"
        defaults = {
            "do": do,
            "port": port,
            "host": "mqtt.realer.test",
            "ca": str(self._ca.der),
            "version": self.version,
        }
        file.write_text(json.dumps(defaults | job))
        argv = [*self._python.argv, str(PROBE), str(portable.ROOT), str(file)]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    def seen(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        out, _ = process.communicate(timeout=40)
        assert process.returncode == 0, out
        assert "not-real" not in out
        return json.loads(out.splitlines()[-1])

    def __call__(self, do: str, port: int, **job: Any) -> dict[str, Any]:
        return self.seen(self.start(do, port, **job))


@pytest.fixture(
    params=[(bits, v) for bits in portable.word_sizes() for v in (5, 4)], ids=lambda p: f"{p[0]}-bit-v{p[1]}"
)
def device(request: pytest.FixtureRequest, tmp_path: Path, ca: certs.TestCA) -> Device:
    return Device(find(request.param[0]), tmp_path, ca, request.param[1])


def test_echo(device: Device, broker: Broker):
    assert device("echo", broker.port, times=60)["result"] == {"received": 300, "in_order": True}


def test_cancelled_publishes_harm_no_others(device: Device, broker: Broker):
    assert device("cancelled", broker.port)["result"] == ["0", "1", "2"]


def test_redelivery(device: Device, broker: Broker):
    assert device("redelivery", broker.port)["result"] == {
        "present": [True, True],
        "got": ["never received", "new"],
        "last": "last",
        "open": 1,
    }


def test_wrong_password(device: Device, broker: Broker):
    seen = device("refused", broker.port, password="wrong-not-real")
    assert (seen["kind"], seen["detail"]) == (0x87, "not authorized")


def test_wrong_certificate(device: Device, tmp_path: Path, ca: certs.TestCA):
    broker = Broker(tmp_path, ca, "wrong_name")
    seen = device("refused", broker.port)
    broker.stop()
    assert seen["kind"] == "tls"


def test_taken_over(device: Device, broker: Broker):
    seen = device("taken_over", broker.port)
    assert (seen["kind"], seen["detail"]) == ("closed", "by the server")


def test_publish_larger_than_the_server_takes(device: Device, broker: Broker):
    expected = (0x95, "too large") if device.version == 5 else ("closed", "by the server")
    seen = device("too_large", broker.port)
    assert (seen["kind"], seen["detail"]) == expected


def test_will(device: Device, broker: Broker):
    got = device("will", broker.port)["result"]
    assert [text for text in got if text != "mark"] == ["gone None", "gone 4"]
    assert got.count("mark") == 3


def test_foreign_messages(device: Device, broker: Broker):
    broker.publish(bytes(5500) if device.version == 4 else b"kept", 1, retain=True)
    process = device.start("listen", broker.port)
    assert process.stdout and process.stdout.readline() == "ready\n"
    sizes = (0, 1, 127, 1900)
    for size in sizes:
        for qos in (0, 1, 2):
            broker.publish(bytes(size), qos)
    broker.publish(bytes(5000), 1)
    broker.publish(b"end", 2)
    expected = [["test/echo", size, False] for size in sizes for _ in range(3)]
    if device.version == 5:
        expected.insert(0, ["test/echo", 4, True])
    else:  # a server of 3.1.1 gets no limit from us
        expected = [["test/echo", None, True], *expected, ["test/echo", None, False]]
    assert device.seen(process)["result"] == expected


def test_broker_that_dies(device: Device, broker: Broker):
    process = device.start("until_it_ends", broker.port, keep_alive_s=45)
    assert process.stdout and process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    broker.stop()
    seen = device.seen(process)["result"]
    assert seen["ends"] == ["closed", "closed"]
    assert 200 <= seen["after_ms"] < 3000


def test_broker_that_falls_silent(device: Device, broker: Broker):
    process = device.start("until_it_ends", broker.port, keep_alive_s=2)
    assert process.stdout and process.stdout.readline() == "ready\n"
    broker.process.send_signal(signal.SIGSTOP)
    seen = device.seen(process)["result"]
    assert seen["ends"] == ["timeout", "timeout"]
    assert 2400 <= seen["after_ms"] <= 3300  # nearly 1.25 keep-alives, 1.5 at most, and the test's own delays


def test_many_messages_leave_no_trace(device: Device, broker: Broker):
    seen = device("rates", broker.port, times=4800)["result"]
    assert abs(seen["growth"]) < 1024, seen
    assert seen["together"] >= 3 * seen["alone"], seen
