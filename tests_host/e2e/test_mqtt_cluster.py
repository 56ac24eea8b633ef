"""lib/mqtt5 on the real MicroPython at a cluster of two ejabberd nodes, of which one is killed (docs/brokers.md)."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5

from tests_host.e2e.test_mqtt5_broker import Device
from tests_host.support.brokers import PASSWORD, Ejabberd, SecondEjabberd
from tools.cloud import certs
from tools.env import interpreter

pytestmark = pytest.mark.thorough

_WITHIN_S = 60


class Cloud:
    """What was published to `test/echo`, in `numbers`; it is connected to one node."""

    def __init__(self, port: int, ca: certs.TestCA) -> None:
        self.numbers: list[int] = []
        self._more, self._subscribed = threading.Condition(), threading.Event()
        self._client = client = Client(CallbackAPIVersion.VERSION2, "cloud", protocol=MQTTv5)
        client.username_pw_set("user", PASSWORD)
        client.tls_set(str(ca.pem))
        client.on_message = self._received
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.connect("localhost", port)
        client.loop_start()
        client.subscribe("test/echo", qos=1)
        assert self._subscribed.wait(_WITHIN_S)

    def _received(self, client: Client, userdata: object, message: object) -> None:
        with self._more:
            self.numbers.append(int(message.payload))  # type: ignore[attr-defined]
            self._more.notify()

    def until(self, count: int) -> None:
        with self._more:
            assert self._more.wait_for(lambda: len(self.numbers) >= count, _WITHIN_S), self.numbers[-5:]

    def send(self, text: str) -> None:
        self._client.publish("test/desired", text, qos=1).wait_for_publish(_WITHIN_S)

    def end(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def ca(tmp_path: Path) -> certs.TestCA:
    return certs.TestCA(tmp_path / "ca")


@pytest.fixture
def nodes(tmp_path: Path, ca: certs.TestCA) -> Iterator[tuple[Ejabberd, SecondEjabberd]]:
    for name in "ab":
        (tmp_path / name).mkdir()
    first = Ejabberd(tmp_path / "a", ca)
    try:
        second = SecondEjabberd(tmp_path / "b", ca, first)
        try:
            yield first, second
        finally:
            second.stop()
    finally:
        first.stop()


def test_a_killed_node_loses_nothing_that_was_acknowledged(
    nodes: tuple[Ejabberd, SecondEjabberd], tmp_path: Path, ca: certs.TestCA
):
    first, second = nodes
    cloud = Cloud(second.port, ca)
    device = Device(interpreter.find(32), tmp_path, ca, 5)
    process = device.start("from_node_to_node", first.port, ports=[second.port])
    assert process.stdout and process.stdout.readline() == "ready\n"
    cloud.send("before")
    cloud.until(50)
    first.stop()
    assert process.stdout.readline() == "again\n"
    cloud.until(len(cloud.numbers) + 50)
    cloud.send("after")
    cloud.send("end")
    seen = device.seen(process)["result"]
    cloud.until(seen["published"])
    cloud.end()
    assert seen["got"] == ["before", "after", "end"]
    # The session was on the node that is gone: the device subscribes again, and reads what it may have missed.
    assert seen["present"] == [False]
    first_of_each = [number for number, _ in itertools.groupby(cloud.numbers)]
    assert first_of_each == list(range(seen["published"]))
    # At most the one that was not acknowledged came twice, under the same identity.
    assert len(cloud.numbers) - len(first_of_each) <= 1
