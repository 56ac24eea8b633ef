"""One device at the port of the simulated Thinger.io: its login, calls to its resources, streams from them.

Nothing comes before the login, every call gets an answer, and keep-alives are answered at once. What breaks the
protocol is recorded and ends the connection. Bytes in, bytes out: no socket, no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tools.cloud.thinger_wire import Broken, Reader, frame

Reply = Callable[[str, dict[str, Any]], None]
"""Takes "OK" or "ERROR" with the fields of the answer, or "GONE" without."""
KEEP_ALIVE_S = 69.0  # 60 s and 15 %


@dataclass
class Device:
    user: str
    id: str
    credential: str
    description: str = ""
    port: DevicePort | None = None
    ts: int = 0  # ms since 1970 of the latest connection or its end
    ip: str = ""
    rx: int = 0
    tx: int = 0
    tokens: dict[str, dict[str, str]] = field(default_factory=dict)

    def listed(self) -> dict[str, Any]:
        return {"device": self.id, "description": self.description,
                "connection": {"active": self.port is not None, "ts": self.ts}}  # fmt: skip

    def stats(self) -> dict[str, Any]:
        return {"connected": self.port is not None, "connected_ts": self.ts, "ip_address": self.ip,
                "rx_bytes": self.rx, "tx_bytes": self.tx}  # fmt: skip


class Cloud(Protocol):
    """What a port needs of its cloud; `now()`: unix seconds."""

    now: Callable[[], float]

    def admits(self, port: DevicePort, user: Any, device: Any, credential: Any) -> Device | None: ...

    def left(self, port: DevicePort) -> None: ...

    def violation(self, text: str) -> None: ...


class DevicePort:
    """`send(bytes)` reaches the device, `close()` ends its stream in order. `silent`: take everything, answer nothing.
    `keep_alives` False: answer no keep-alive until `answer_keep_alives`.

    `streams`: id -> (resource, what gets each value).
    """

    def __init__(self, cloud: Cloud, send: Callable[[bytes], None], close: Callable[[], None]) -> None:
        self.cloud, self.silent = cloud, False
        self.keep_alives, self._unanswered = True, 0
        self.streams: dict[int, tuple[str, Callable[[Any], None]]] = {}
        self._send, self._close = send, close
        self._calls: dict[int, Reply] = {}
        self._reader, self._sid = Reader(), 0
        self.received_at = cloud.now()
        self.open = True
        self.device: Device | None = None

    def feed(self, data: bytes) -> None:
        """Bytes of the device."""
        if self.silent or not self.open:
            return
        if self.device:
            self.device.rx += len(data)
        self.received_at = self.cloud.now()
        try:
            for kind, fields in self._reader.feed(data):
                if self.open:
                    self._take(kind, fields)
        except (Broken, UnicodeDecodeError) as error:
            self.cloud.violation(str(error))
            self.end()

    def gone(self) -> None:
        """The device has closed, or the network."""
        if self.open:
            self.open = False
            self.cloud.left(self)
            for reply in list(self._calls.values()):
                reply("GONE", {})
            self._calls.clear()
            self.streams.clear()

    def end(self, goodbye: bool = False) -> None:
        """Hang up."""
        if self.open:
            if goodbye:
                self.send("DISCONNECT")
            self.gone()
            self._close()

    def send(self, kind: str, **fields: Any) -> None:
        self._tell(frame(kind, **fields))

    def _tell(self, data: bytes) -> None:
        if self.device:
            self.device.tx += len(data)
        self._send(data)

    def call(self, reply: Reply, kind: str, **fields: Any) -> int:
        """Ask the device; the number under which `forget` knows it."""
        self._sid = number = self._sid % 65535 + 1
        data = frame(kind, sid=number, **fields)
        self._calls[number] = reply
        self._tell(data)
        return number

    def answer_keep_alives(self) -> None:
        """Answer what waits for it, and from now on at once."""
        self.keep_alives = True
        while self._unanswered:
            self._unanswered -= 1
            self.send("KEEP_ALIVE")

    def forget(self, number: int) -> None:
        self._calls.pop(number, None)

    def stream(self, resource: str, on_sample: Callable[[Any], None], interval_ms: int | None = None) -> int:
        """Open a stream; `on_sample(value)` is called with each sample. Its number, for STREAM_DATA and STOP_STREAM."""
        more = {} if interval_ms is None else {"parameters": {"interval": interval_ms}}
        number = self.call(lambda *_: None, "START_STREAM", resource=resource, **more)
        self.streams[number] = resource, on_sample
        return number

    def _take(self, kind: str, fields: dict[str, Any]) -> None:
        if not self.device:
            self._login(kind, fields)
        elif kind == "KEEP_ALIVE":
            if fields:
                raise Broken("a keep-alive has no body")
            self._unanswered += 1
            if self.keep_alives:
                self.answer_keep_alives()
        elif kind == "DISCONNECT":
            self.end()
        elif kind in ("OK", "ERROR"):
            reply = self._calls.pop(fields.get("sid", 0), None)
            if not reply:
                raise Broken(f"an answer to nothing: {fields.get('sid')}")
            reply(kind, fields)
        elif kind == "STREAM_DATA" and "payload" in fields:
            if fields.get("sid") in self.streams:  # it may have crossed a STOP_STREAM
                self.streams[fields["sid"]][1](fields["payload"])
        else:
            raise Broken(f"{kind} from a device")

    def _login(self, kind: str, fields: dict[str, Any]) -> None:
        login = fields.get("payload")
        if kind != "CONNECT" or not isinstance(login, list) or len(login) != 3 or not fields.get("sid"):
            raise Broken(f"{kind} is no login")
        self.device = self.cloud.admits(self, *login)
        if self.device:
            self.send("OK", sid=fields["sid"])
        else:
            self.send("ERROR", sid=fields["sid"])
            self.end()
