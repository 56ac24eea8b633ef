"""The simulated cloud at another broker than mosquitto, whose accounts are made in a way of its own.

Devices connect to a gateway, which has TLS, asks the cloud's model about their credentials, and passes every packet on
to the broker. What it sees pass is what the cloud knows of sessions, as it does from mosquitto's log.
"""

import asyncio
import contextlib
import ssl
from pathlib import Path

from tests_host.support import local_port
from tests_host.support.brokers import Aedes, Ejabberd
from tools.cloud import dynsec
from tools.cloud.broker import Broker
from tools.cloud.mqttclient import MqttClient

CONNACK, SUBACK = 2, 9
REFUSED = {5: b"\x20\x03\x00\x87\x00", 4: b"\x20\x02\x00\x05"}
"""CONNACK "not authorized", by version."""


class AnyEjabberd(Ejabberd):
    authentication = (
        "auth_method: anonymous\nanonymous_protocol: login_anon\nallow_multiple_connections: true\n"
    )
    after_start = 'io:format("up~n")'

    def start(self) -> None:
        super().start()
        assert local_port.until(lambda: "up" in (self.folder / "output").read_text(), self.start_s)


class AnyAedes(Aedes):
    start_s = 60

    def command(self) -> tuple[list[str], dict[str, str] | None]:
        argv, environment = super().command()
        return argv[:-2], environment


KINDS = {"ejabberd": AnyEjabberd, "aedes": AnyAedes}
"""They let everybody in that the gateway does."""


class CloudBroker(Broker):
    """For `make_broker` of Site: a broker of that kind in `folder`. It cannot present other certificates, and nothing
    but its sessions is lost with it."""

    def __init__(self, kind: str, folder: Path, *cloud, **options) -> None:
        super().__init__(*cloud, **options)
        self._kind_of_broker, self._folder = KINDS[kind], folder
        self._other = self._gateway = None
        self._open: set[asyncio.StreamWriter] = set()

    async def up(self) -> None:
        self._other = await asyncio.to_thread(self._run)
        version = max(self._other.versions)
        self.model.offer.protocol = {5: "mqtt-5.0", 4: "mqtt-3.1.1"}[version]
        backend = MqttClient("cloud", "cloud", "any", self._received, version=version)
        await backend.connect(self._other.port, self._client(), keep_alive_s=600)
        await backend.subscribe([dynsec.FEED], qos=2, as_published=True)
        self._backend = backend
        self._gateway = await asyncio.start_server(
            self._device, "127.0.0.1", self.port, ssl=self._certs.leaf()
        )

    async def down(self) -> None:
        backend, self._backend = self._backend, None
        if backend:
            await backend.disconnect()
            self._gateway.close()
            for writer in self._open:
                writer.transport.abort()
        if self._other:
            await asyncio.to_thread(self._other.stop)

    def _run(self):
        if not self._other:
            return self._kind_of_broker(self._folder, self._certs)
        self._other.start()
        return self._other

    def _client(self) -> ssl.SSLContext:
        context = self._certs.client()
        context.check_hostname = False
        return context

    # what the model calls

    def admit(self, credential, secret) -> None:
        """The gateway asks the model."""

    def dismiss(self, credential) -> None:
        self.kick(credential)

    def kick(self, credential) -> None:
        for writer in [each for each in self._open if getattr(each, "username", None) == credential.username]:
            writer.transport.abort()

    # one device

    async def _device(self, reader, writer) -> None:
        self.dialed += 1
        self._open.add(writer)
        client_id = ""
        try:
            packet = await _packet(reader)
            version, client_id, username, password = _connect(packet)
            if not self.model.admits(client_id, username, password, self._clock()):
                self.model.event(self._clock(), "mqtt_refused")
                writer.write(REFUSED[version])
                await writer.drain()
                return
            inner, out = await asyncio.open_connection("127.0.0.1", self._other.port, ssl=self._client())
            writer.username = username
            self._open.add(out)
            out.write(packet)

            def seen(packet: bytes) -> None:
                kind = packet[0] >> 4
                if kind == CONNACK and not _after_length(packet)[1]:
                    self.model.session_opened(client_id, username, self._clock())
                elif kind == SUBACK:
                    self.model.session_subscribed(client_id, "", self._clock())

            ways = [asyncio.create_task(_pass(*way, seen)) for way in ((reader, out), (inner, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            out.close()
            self._open.discard(out)
        except (OSError, asyncio.IncompleteReadError):
            pass  # either end has gone
        finally:
            self._open.discard(writer)
            self.model.session_closed(client_id, "connection lost", self._clock())
            writer.close()


async def _pass(reader, writer, seen) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while True:
            packet = await _packet(reader)
            seen(packet)
            writer.write(packet)
            await writer.drain()


async def _packet(reader) -> bytes:
    """A whole packet: its length is written in groups of seven bits (MQTT 5, section 1.5.5)."""
    head = await reader.readexactly(2)
    length, shift = head[-1] & 127, 7
    while head[-1] & 128:
        head += await reader.readexactly(1)
        length |= (head[-1] & 127) << shift
        shift += 7
    return head + await reader.readexactly(length)


def _after_length(packet: bytes) -> bytes:
    start = 1
    while packet[start] & 128:
        start += 1
    return packet[start + 1 :]


def _connect(packet: bytes) -> tuple[int, str, str, str]:
    """Version, client id, user name and password of a CONNECT without a will (MQTT 5, section 3.1)."""
    body = _after_length(packet)
    version, at = body[6], 10
    if version == 5:
        at += 1 + body[at]
    found = []
    for _ in range(3):
        size = int.from_bytes(body[at : at + 2])
        found.append(body[at + 2 : at + 2 + size].decode())
        at += 2 + size
    return version, *found
