"""The whole device on every supported MicroPython: the units that a board gets, from boot.py to reports."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests_host.support.node_device import NodeDevice
from tools.build import payload
from tools.cloud.certs import TestCA
from tools.cloud.demo_device import CLIENT_ID, CLIENT_SECRET, DEVICE_ID, demo_device
from tools.cloud.model import Model
from tools.env import wasm

ROOT = Path(__file__).resolve().parent.parent.parent
OLDEST = wasm.versions()[0]
WIFI = {"bench": "test-password-not-real"}
PUMP, HEATER = 16, 17  # as config.example.json wires them; the heater's relay pulls when its pin is low
ONLINE_S = 60


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return TestCA(tmp_path_factory.mktemp("authority")).certificate


def flash_for(
    transport: str, trusted: bytes, edit: Callable[[dict], None] = lambda config: None
) -> dict[str, bytes]:
    """A board fresh from a deploy. `trusted`: the certificate in its CA file; `edit(config)` changes the example's."""
    config = json.loads((ROOT / "config.example.json").read_text())
    config["wifi"]["networks"] = [{"ssid": ssid, "password": password} for ssid, password in WIFI.items()]
    config["time"]["servers"] = ["ntp.realer.test"]
    config["cloud"] |= {"transport": transport, "base_url": "https://api.realer.test"}
    config["cloud"] |= {"device_id": str(DEVICE_ID), "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    edit(config)
    own = {payload.CONFIG: json.dumps(config).encode(), "certs/ca.der": trusted}
    return payload.starters(ROOT) | payload.slot_files(ROOT) | own


@pytest.fixture
def bench(authority: bytes) -> Iterator[Callable[..., NodeDevice]]:
    """Makes devices by version and transport, and the demo's device in the cloud of each."""
    made = []

    def device_on(version: str, transport: str, trusted: bytes = authority, **how) -> NodeDevice:
        model = Model(seed=1)
        model.add_device(demo_device())
        made.append(NodeDevice(version, flash_for(transport, trusted, **how), model, authority, WIFI))
        return made[-1]

    yield device_on
    for device in made:
        device.close()


def reports(device: NodeDevice, source: str) -> list[dict]:
    """What the cloud holds of "command" or "sensor", in order of arrival."""
    return [entry for entry in device.model.feed(DEVICE_ID) if f"{source}_id" in entry]


def output(device: NodeDevice) -> str:
    return "\n".join(device.lines[-40:])


@pytest.mark.thorough("1.24.0-https", "1.24.0-auto", "1.29.0-mqtt", "1.29.0-auto")
@pytest.mark.parametrize("transport", ["https", "mqtt", "auto"])
@pytest.mark.parametrize("version", wasm.chosen())
def test_from_power_on_to_reports_and_again_with_its_records(
    version: str, transport: str, bench: Callable[..., NodeDevice]
):
    device = bench(version, transport)

    def first_reports() -> bool:
        return len(reports(device, "command")) >= 2 and len(reports(device, "sensor")) >= 2

    assert device.run(first_reports, ONLINE_S) == "done", output(device)
    assert device.pins[:2] == [(PUMP, 0), (HEATER, 1)]  # boot.py, before anything else
    assert {entry["value"] for entry in reports(device, "command")} >= {"0.0", "18.5"}
    assert {entry["sensor_id"] for entry in reports(device, "sensor")} == {1, 2}

    # With the flash as that run left it when the plug was pulled.
    written = {name for name in device.flash if name not in payload.slot_files(ROOT)}
    assert any(name.startswith("state") for name in written), written
    before, pins = len(reports(device, "command")), len(device.pins)
    device.model.set_desired(DEVICE_ID, "6", 1, device.wall())

    def pump_reported() -> bool:
        return any(entry["value"] == "1.0" for entry in reports(device, "command")[before:])

    assert device.run(pump_reported, ONLINE_S) == "done", output(device)
    assert (PUMP, 1) in device.pins[pins:]
    assert device.resets == []
    assert device.model.violations == []
    assert [refused for _, refused in device.net.dials] == [False] * len(device.net.dials)
    assert (8883 in [port for port, _ in device.net.dials]) is (transport != "https")


@pytest.mark.parametrize("version", wasm.chosen())
def test_a_cloud_with_another_authority_gets_nothing(
    version: str, bench: Callable[..., NodeDevice], tmp_path: Path
):
    device = bench(version, "https", TestCA(tmp_path).certificate)
    assert device.run(lambda: len(device.net.dials) > 2, 10 * ONLINE_S) == "done", output(device)
    assert device.model.feed(DEVICE_ID) == [] and device.resets == []


@pytest.mark.gate
def test_an_interpreter_that_cannot_load_the_firmware_keeps_the_outputs_safe(
    bench: Callable[..., NodeDevice],
):
    device = bench(OLDEST, "https")
    device.flash["firmware/device.mpy"] = b"?" + device.flash["firmware/device.mpy"][1:]
    assert device.run(lambda: False, 60) == "late"
    assert len(device.resets) > 5 and device.net.dials == []
    assert {pin for pin in device.pins if pin[1] is not None} == {(PUMP, 0), (HEATER, 1)}
    assert device.pins.count((PUMP, 0)) == device.pins.count((HEATER, 1)) == len(device.resets) + 1


STRICT = """
import _thread, asyncio, errno, gc, network, select, socket, sys, time, tls
from machine import Pin

def refused(call, *args):
    try:
        call(*args)
    except (OSError, ValueError, NotImplementedError) as error:
        return error.args[0] if error.args else type(error)

assert refused(socket.getaddrinfo, "api.realer.test", 443) == -202
assert refused(Pin, 35, Pin.OUT) == "pin can only be input"
for name in ("abc", "logging", "functools"):
    try:
        __import__(name)
        raise SystemExit("an ESP32 has no " + name)
    except ImportError:
        pass

def dialled(port):
    wire = socket.socket()
    wire.setblocking(False)
    assert refused(wire.connect, socket.getaddrinfo("127.0.0.1", port)[0][-1]) == errno.EINPROGRESS
    poller = select.poll()
    poller.register(wire, select.POLLOUT | select.POLLHUP)
    assert poller.poll(0) == []
    time.sleep_ms(1000)
    return wire, poller.poll(0)[0][1]

wire, ready = dialled(80)
assert ready & select.POLLHUP and refused(wire.read, 1) == errno.ECONNREFUSED
wire, ready = dialled(443)
assert ready == select.POLLOUT and wire.read(1) is None
wire.write(b"GET / HTTP/1.1\\r\\n\\r\\n")
assert refused(wire.read, 1) == errno.ECONNRESET  # it is no TLS
wire.close()
assert refused(wire.read, 1) == errno.EBADF

context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
assert context.verify_mode == tls.CERT_REQUIRED
assert refused(context.load_verify_locations, b"-----BEGIN CERTIFICATE-----") == "invalid cert"
with open("certs/ca.der", "rb") as f:
    context.load_verify_locations(f.read())
for name, what in (("api.realer.test", None), ("mqtt.realer.test", "The certificate Common Name (CN)")):
    wire, ready = dialled(443)
    secured = context.wrap_socket(wire, server_hostname=name, do_handshake_on_connect=False)
    why = refused(secured.write, b"G")
    assert why is None if what is None else why.startswith(what), why
nothing = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
wire, ready = dialled(443)
secured = nothing.wrap_socket(wire, server_hostname="api.realer.test", do_handshake_on_connect=False)
assert refused(secured.write, b"G") == "The certificate is not correctly signed by the trusted CA"

lock = _thread.allocate_lock()
lock.acquire()
ended = []
_thread.start_new_thread(lambda: (lock.acquire(), ended.append(1)), ())
assert lock.locked() and not lock.acquire(0) and not ended
lock.release()
assert lock.locked()  # the thread has it
assert refused(lock.acquire) == "the program waits for a lock that nobody else can release"

async def late():
    await asyncio.sleep(30)  # beyond the wrap of the count of milliseconds
    return time.ticks_ms()

assert asyncio.run(late()) < 20000
gc.collect()
before = gc.mem_alloc()
keep = bytes(10000)
assert 10000 <= gc.mem_alloc() - before < 11000
print("strict")
"""


@pytest.mark.parametrize("version", wasm.chosen())
def test_the_surroundings_are_as_limited_as_on_a_chip(version: str, bench: Callable[..., NodeDevice]):
    device = bench(version, "https")
    device.flash |= {"boot.py": b"", "main.py": STRICT.encode()}
    assert device.run(lambda: False, 120) == "over", output(device)
    assert device.lines == ["strict"]
