"""Checks from this computer, before a virtual board is switched on, whether a time server will answer it.

Without the time no certificate can be verified, and the board would wait for ever.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from dnsstub import resolver as dns
from sntp import client as sntp

_WAIT_S = 1.5
_SERVERS = ("pool.ntp.org", "time.cloudflare.com")
_REMEDY = (
    "The device will wait for the time, and ask no cloud. Name a time server that can be reached in time.servers, as "
    "host or host:port; the simulated cloud has one, and a name server for wifi.dns."
)


def without_time(config: dict[str, Any]) -> str:
    """What to tell where none of the configuration's time servers answers, else nothing."""
    servers = (config.get("time") or {}).get("servers") or _SERVERS
    names = (config.get("wifi") or {}).get("dns") or []
    if any(_knows_the_time(server, names) for server in servers):
        return ""
    return f"no time server answers ({', '.join(map(str, servers))}). {_REMEDY}"


def _knows_the_time(server: Any, names: list[Any]) -> bool:
    host, port = _split(str(server), 123)
    nonce = int.from_bytes(os.urandom(4), "big")
    for address in _addresses(host, names):
        if _asked(address, port, sntp.request(nonce), lambda data: sntp.parse(data, nonce, 0)):
            return True
    return False


def _addresses(host: str, names: list[Any]) -> list[str]:
    """As the device does it: by the name servers of the configuration, where it has any."""
    if host.replace(".", "").isdigit():
        return [host]
    for name in names:
        found = _asked(*_split(str(name), 53), dns.query(7, host), lambda data: dns.parse(data, 7, host)[0])
        if found:
            return list(found)
    if names:
        return []
    try:
        return [str(row[4][0]) for row in socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_DGRAM)]
    except OSError:
        return []


def _asked(host: str, port: int, question: bytes, understood: Callable[[bytes], Any]) -> Any:
    """What one datagram comes to, None without an answer that means something."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(_WAIT_S)
        try:
            wire.connect((host, port))
            wire.send(question)
            return understood(wire.recv(512))
        except Exception:  # noqa: BLE001  whatever it is, it is no answer
            return None


def _split(server: str, port: int) -> tuple[str, int]:
    host, _, digits = server.partition(":")
    return host, int(digits) if digits.isdigit() else port
