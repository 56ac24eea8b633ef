"""lib/mqtt5 on the real MicroPython against real brokers over TLS: mosquitto, ejabberd, and aedes with MQTT 3.1.1.

What differs between them is in docs/brokers.md.
"""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests_host.support.brokers import KINDS, Broker
from tools.checks import portable
from tools.cloud import certs
from tools.env import interpreter

pytestmark = [pytest.mark.gate("mosquitto-64"), pytest.mark.thorough("ejabberd", "aedes")]

PROBE = portable.ROOT / "tests_host" / "support" / "mqtt_probe.py"
find = cache(interpreter.find)


class Choice(NamedTuple):
    """`version`: of MQTT."""

    kind: str
    bits: int
    version: int


CHOICES = [Choice("mosquitto", bits, version) for bits in portable.word_sizes() for version in (5, 4)]
CHOICES += [
    Choice(kind, portable.word_sizes()[0], version)
    for kind, broker in KINDS.items()
    if kind != "mosquitto"
    for version in broker.versions
]


MOSQUITTO = [choice for choice in CHOICES if choice.kind == "mosquitto"]
LIMITED = [choice for choice in CHOICES if choice.kind != "aedes"]
"""With a limit to what they take."""
SLOW = ("ejabberd",)
REFUSALS = {"aedes": (0x86, "bad user or password")}
"""What a wrong password is called, where it is not "not authorized"."""


def name(choice: Choice) -> str:
    return f"{choice.kind}-{choice.bits}-bit-v{choice.version}"


@pytest.fixture(params=CHOICES, ids=name)
def choice(request: pytest.FixtureRequest) -> Choice:
    return request.param


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> certs.TestCA:
    return certs.TestCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def started() -> Iterator[dict[str, Broker]]:
    """Brokers that go on for the next test, because they take long to start."""
    brokers: dict[str, Broker] = {}
    yield brokers
    for broker in brokers.values():
        broker.stop()


@pytest.fixture
def broker(
    choice: Choice, tmp_path_factory: pytest.TempPathFactory, ca: certs.TestCA, started: dict[str, Broker]
) -> Iterator[Broker]:
    kept = started.pop(choice.kind, None)
    if kept is None or kept.process.poll() is not None:
        kept = KINDS[choice.kind](tmp_path_factory.mktemp(choice.kind), ca)
    yield kept
    if choice.kind in SLOW and kept.process.poll() is None:
        kept.process.send_signal(signal.SIGCONT)
        kept.publish(b"", 1, retain=True)  # nothing is left for the next test
        started[choice.kind] = kept
    else:
        kept.stop()


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


@pytest.fixture
def device(choice: Choice, tmp_path: Path, ca: certs.TestCA) -> Device:
    return Device(find(choice.bits), tmp_path, ca, choice.version)


def test_echo(device: Device, broker: Broker):
    assert device("echo", broker.port, times=60)["result"] == {"received": 300, "in_order": True}


def test_cancelled_publishes_harm_no_others(device: Device, broker: Broker):
    assert device("cancelled", broker.port)["result"] == ["0", "1", "2"]


@pytest.mark.parametrize("choice", MOSQUITTO, indirect=True, ids=name)
def test_redelivery(device: Device, broker: Broker):
    assert device("redelivery", broker.port)["result"] == {
        "present": [True, True],
        "got": ["never received", "new"],
        "last": "last",
        "open": 1,
    }


def test_a_lost_connection_goes_on_with_every_broker(device: Device, broker: Broker, choice: Choice):
    seen = device("resumed", broker.port)["result"]
    assert seen["present"], seen
    got = seen["got"]
    # An answer may be lost with the connection, and what was answered comes again.
    assert set(got) <= {"answered", "held", "never received", "new"}
    assert got.count("never received") == got.count("new") == 1
    assert got.index("never received") < got.index("new")


def test_wrong_password(device: Device, broker: Broker, choice: Choice):
    seen = device("refused", broker.port, password="wrong-not-real")
    assert (seen["kind"], seen["detail"]) == REFUSALS.get(choice.kind, (0x87, "not authorized"))


def test_wrong_certificate(device: Device, choice: Choice, tmp_path: Path, ca: certs.TestCA):
    broker = KINDS[choice.kind](tmp_path, ca, "wrong_name")
    seen = device("refused", broker.port)
    broker.stop()
    assert seen["kind"] == "tls"


def test_taken_over(device: Device, broker: Broker, choice: Choice):
    tells = choice.kind == "ejabberd" and choice.version == 5
    assert device("taken_over", broker.port)["kind"] == (0x8E if tells else "closed")


@pytest.mark.parametrize("choice", LIMITED, indirect=True, ids=name)
def test_publish_larger_than_the_server_takes(device: Device, broker: Broker):
    assert device("too_large", broker.port)["kind"] == (0x95 if device.version == 5 else "closed")


def test_will(device: Device, broker: Broker):
    got = device("will", broker.port)["result"]
    assert [text for text in got if text != "mark"] == ["gone None", "gone 4"]
    assert got.count("mark") == 3


def test_foreign_messages(device: Device, broker: Broker, choice: Choice):
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
        # The broker knows the limit and sends more: the device skips that.
        expected += [["test/echo", None, False]] * (choice.kind == "ejabberd")
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


@pytest.mark.gate
def test_many_messages_take_no_memory(device: Device, broker: Broker):
    seen = device("rates", broker.port, times=4800)["result"]
    assert abs(seen["growth"]) < 1024, seen
