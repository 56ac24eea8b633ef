"""Measures lib/mqtt5 and lib/http1 beside the clients that others wrote, in one run and in turn.

All of them have the same interpreter, servers and certificates, and TLS that verifies where they can. paho-mqtt on
CPython is there as the upper bound, and an echo over TLS without a protocol as what no client can undercut. `bench` is
the command.
"""

from __future__ import annotations

import asyncio
import json
import queue
import socket
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tools.checks import bench_servers
from tools.checks.curves import curve
from tools.checks.figures import PROBES, Line, line, run_probe
from tools.cloud.certs import TestCA
from tools.cloud.site import CERTS
from tools.env import stock
from tools.env.interpreter import Interpreter
from tools.virtual_board.memory import USUAL_CHAIN

_HOST, _TOPIC, _NAME = "localhost", "bench/peers", "peer"
_BODY = b'{"items": [], "next": null}' * 8
_PAYLOAD = b"x" * 120
_LACKS, _SIZES = 3, (100, 400, 1600)
_HEAP = 15_500

Samples = dict[str, list[float]]


@dataclass(frozen=True)
class Peer:
    """`name` for people; `probe`: its function in probes/peers.py; `server`: which one it talks to; `note`: what to
    know about its figures."""

    name: str
    probe: str
    server: str
    note: str = ""


PEERS = (
    Peer("lib/mqtt5", "mqtt5", "broker"),
    Peer("umqtt.simple", "umqtt", "broker", "MQTT 3.1.1; blocks, so one publish after the other is all it does"),
    Peer("mqtt_as", "mqtt_as", "broker", "MQTT 5; of its connect a second is a wait for Wi-Fi"),
    Peer("lib/http1", "http1", "web", "keeps its connection"),
    Peer("requests", "requests", "web", "connects for each request; cannot verify a certificate, so it did not"),
    Peer("TLS echo of lib/netio", "stream", "echo", "no protocol: what an engine on this stream cannot undercut"),
    Peer("TLS echo, blocking", "blocking", "echo", "no protocol and no loop: nothing else can run meanwhile"),
)  # fmt: skip
PAHO = Peer(
    "paho-mqtt on CPython", "", "broker",
    "MQTT 5; another interpreter, as the upper bound; TCP_NODELAY set for it, without which its echo takes 44 ms",
)  # fmt: skip

_RATIOS = (
    ("connect", "umqtt.simple", 1.0),
    ("echo", "TLS echo of lib/netio", 1.5),
    ("echo", "TLS echo, blocking", None),
    ("echo", PAHO.name, None),
    ("rate", PAHO.name, None),
)
"""What of ours is divided by that of whom, and how much it may be at most."""


class Peers:
    """`rounds`: how often each client is measured; `folder`: where copies of peers are that the user has, by the names
    of their modules; `chain`: see TestCA."""

    def __init__(
        self, rounds: int, found: Interpreter, tree: Path, folder: Path | None, chain: str = USUAL_CHAIN
    ) -> None:
        self._rounds = rounds
        self._found, self._tree, self._folder, self._chain = found, tree, folder, chain

    async def peers(self, peers: Sequence[Peer] = (*PEERS, PAHO)) -> list[Line]:
        """A line for each client, and one for each aim of ours that can be measured with them. Raises OSError."""
        certs = TestCA(CERTS, self._chain)
        samples: dict[str, Samples] = {peer.name: {} for peer in peers}
        facts: dict[str, dict[str, Any]] = {peer.name: {} for peer in peers}
        async with (
            bench_servers.broker(certs, _NAME, _TOPIC) as broker,
            bench_servers.web(certs.leaf(), _BODY) as web,
        ):
            with bench_servers.echo(certs.leaf()) as echo:
                ports = {"broker": broker, "web": web, "echo": echo}
                for _ in range(self._rounds):
                    for peer in peers:
                        if "skipped" not in facts[peer.name]:
                            found = await asyncio.to_thread(self._measure, peer, ports[peer.server], certs)
                            _note(found, samples[peer.name], facts[peer.name])
        return [*(_of(peer, samples, facts) for peer in peers), *_aims(samples)]

    def _measure(self, peer: Peer, port: int, certs: TestCA) -> dict[str, Any]:
        return self._probe(peer, port, certs) if peer.probe else _paho(port, certs)

    def _probe(self, peer: Peer, port: int, certs: TestCA) -> dict[str, Any]:
        """What probes/peers.py prints, or why there is nothing. Raises OSError."""
        own = [str(self._folder)] if self._folder else []
        orders = {
            "client": peer.probe, "path": [str(PROBES), *own, ".frozen", str(stock.FOLDER), str(self._tree / "lib")],
            "ca": str(certs.der.resolve()), "host": _HOST, "address": "127.0.0.1", "port": port, "topic": _TOPIC,
            "user": _NAME, "password": bench_servers.SECRET, "body": len(_BODY), "count": 40, "lanes": 16, "each": 50,
            "sizes": _SIZES,
        }  # fmt: skip
        status, printed = run_probe(self._found, "peers", orders)
        if status == _LACKS:
            return {"skipped": f"not at hand ({printed.strip()}); PEERS_DIR names a folder that has it"}
        if status:
            raise OSError(f"{peer.name}: {printed}")
        found: dict[str, Any] = json.loads(printed.splitlines()[-1])
        found["version"] = self._version(found.get("version", ""), found.pop("file", ""))
        return found

    def _version(self, said: str, file: str) -> str:
        """Which version a module is, and where it is from; "" for one of ours."""
        if not file:
            return ""
        if self._folder and file.startswith(str(self._folder)):
            return f"{said or 'without a version'}, from PEERS_DIR"
        if file.startswith(str(stock.FOLDER)):
            module = Path(file).relative_to(stock.FOLDER).parts[0]
            pins = (stock.FOLDER / "fetched.txt").read_text().split()
            return next(pin.partition("==")[2] for pin in pins if module in pin) + ", from the package index"
        return f"{said or 'without a version'}, frozen into the interpreter"


def _note(found: dict[str, Any], samples: Samples, facts: dict[str, Any]) -> None:
    """Put the figures of one run to those of the others: lists of microseconds by their median."""
    for key, value in found.items():
        if isinstance(value, str):
            facts[key] = value
            continue
        if isinstance(value, list):
            value = statistics.median(value)
        name, scale = (key.removesuffix("_us") + "_ms", 1000) if key.endswith("_us") else (key, 1)
        samples.setdefault(name, []).append(value / scale)


def _of(peer: Peer, samples: Mapping[str, Samples], facts: Mapping[str, dict[str, Any]]) -> Line:
    """The line of one client: of each figure the median of the rounds, the least and the most."""
    figures = {name: spread(values) for name, values in samples[peer.name].items()}
    about = {name: value for name, value in facts[peer.name].items() if value}
    if peer.note:
        about["note"] = peer.note
    return {"figure": f"beside peers: {peer.name}", "ok": True, **about, **figures}


def spread(values: list[float]) -> list[float]:
    """Median, least and most, to three digits that count."""
    return [_rounded(value) for value in (statistics.median(values), min(values), max(values))]


def _rounded(value: float) -> float:
    return round(value) if value >= 1000 else float(f"{value:.3g}")


def _aims(samples: Mapping[str, Samples]) -> list[Line]:
    """Ours beside others, where both were measured."""

    def middle(who: str, what: str) -> float:
        values = samples.get(who, {}).get(what)
        return statistics.median(values) if values else 0

    ours, found = PEERS[0].name, []
    if heap := middle(ours, "heap"):
        why = f"{middle(ours, 'code'):,.0f} bytes are code; a board bundles it and unloads what opens a connection"
        what = f"beside peers, heap of {ours} once connected (bytes)"
        found.append(line(what, round(heap), _HEAP, why=why))
        times = [round(middle(ours, f"publish_{size}_ms"), 2) for size in _SIZES]
        points = ", ".join(f"{size:,}: {took:g} ms" for size, took in zip(_SIZES, times, strict=True))
        name = f"beside peers, growth of a QoS 1 publish of {ours} by bytes of its payload ({points})"
        found.append(curve("", "", _SIZES, times) | {"figure": name})
    for what, other, aim in _RATIOS:
        mine, its = middle(ours, _key(what)), middle(other, _key(what))
        if mine and its:
            name, ratio = f"beside peers, {what} of {ours}, {other} (times)", round(mine / its, 2)
            found.append(line(name, ratio, aim) if aim else {"figure": name, "value": ratio, "ok": True})
    return found


def _key(what: str) -> str:
    return what if what == "rate" else f"{what}_ms"


def _paho(port: int, certs: TestCA) -> dict[str, Any]:
    """The same figures of paho-mqtt, whose loop runs in a thread."""
    came: queue.Queue[MQTTMessage] = queue.Queue()
    up: queue.Queue[str] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2, client_id=_NAME, protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set(_NAME, bench_servers.SECRET)
    client.tls_set_context(certs.client())
    client.on_socket_open = _without_delay
    client.on_connect = lambda *_: up.put("connected")
    client.on_subscribe = lambda *_: up.put("subscribed")
    client.on_message = lambda _, __, message: came.put(message)
    client.max_inflight_messages_set(16)
    start = time.perf_counter()
    client.connect(_HOST, port)
    client.loop_start()
    up.get(timeout=10)
    found: dict[str, Any] = {
        "connect_us": (time.perf_counter() - start) * 1e6,
        "version": paho.mqtt.__version__,
    }

    def publish() -> None:
        client.publish(_TOPIC, _PAYLOAD, 1).wait_for_publish(10)

    def echo() -> None:
        publish()
        came.get(timeout=10)

    try:
        found["publish_us"] = _timed(40, publish)
        start = time.perf_counter()
        for sent in [client.publish(_TOPIC, _PAYLOAD, 1) for _ in range(800)]:
            sent.wait_for_publish(10)
        found["rate"] = 800 / (time.perf_counter() - start)
        client.subscribe(_TOPIC, 1)
        up.get(timeout=10)
        found["echo_us"] = _timed(40, echo)
    finally:
        client.disconnect()
        client.loop_stop()
    return found


def _without_delay(client: Client, userdata: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _timed(times: int, call: Any) -> list[float]:
    took = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        took.append((time.perf_counter() - start) * 1e6)
    return took
