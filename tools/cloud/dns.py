"""A small DNS server for the names of the simulation (RFC 1035; A records only).

`answer` is pure: query bytes to answer bytes. An asyncio UDP server is around it. Everything under `realer.test` is
127.0.0.1, anything else does not exist. An answer may lead over aliases (CNAME) to the address, in order, in an order
of its own, or in a circle. There is no recursion, no caching and no TCP.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence

from tools.cloud.udp import UdpServer

FAILING = ("silent", "servfail", "truncated", "wrong_id", "nxdomain", "loop")
ODD = ("alias", "unordered", "strangers")
"""Answers that are right, and not as a simple server sends them."""
MODES = ("", *FAILING, *ODD)
ZONE = "realer.test"
_A, _CNAME, _IN = 1, 5, 1
_SERVFAIL, _NXDOMAIN, _TRUNCATED = 2, 3, 0x0200


def answer(
    query: bytes, mode: str = "", addresses: Sequence[str] = ("127.0.0.1",), ttl_s: int = 60
) -> bytes | None:
    """Answer to one query, None for silence. `mode` is one of MODES; those in ODD have the first address alone. Raises
    ValueError for what is no query."""
    ident, flags, count = _header(query)
    name, end = _question(query)
    if mode == "silent":
        return None
    kind, class_ = struct.unpack_from(">HH", query, end)
    known = name == ZONE or name.endswith("." + ZONE)
    code = _SERVFAIL if mode == "servfail" else 0 if known and mode != "nxdomain" else _NXDOMAIN
    records = []
    if code == 0 and (kind, class_) == (_A, _IN) and mode != "truncated":
        records = _records(mode, [ipaddress.IPv4Address(address).packed for address in addresses], ttl_s)
    flags = 0x8400 | (flags & 0x0100) | 0x0080 | code | (_TRUNCATED if mode == "truncated" else 0)
    ident = (ident + 1) & 0xFFFF if mode == "wrong_id" else ident
    head = struct.pack(">6H", ident, flags, count, len(records), 0, 0)
    return head + query[12 : end + 4] + b"".join(records)


def _records(mode: str, addresses: Sequence[bytes], ttl_s: int) -> list[bytes]:
    """The answers about the name of the question, at which 0xc00c points (RFC 1035, 4.1.4)."""
    asked, middle, last, other = b"\xc0\x0c", b"\x03cdn\x00", b"\x04edge\x03cdn\x00", b"\x08stranger\x00"
    strange = [_record(other, _A, bytes((203, 0, 113, 66)), ttl_s), _record(other, _CNAME, last, ttl_s)]
    if mode == "loop":
        return [_record(asked, _CNAME, middle, ttl_s), _record(middle, _CNAME, asked, ttl_s)]
    if mode == "strangers":
        return [*strange, _record(asked, _A, addresses[0], ttl_s)]
    if mode in ODD:
        chain = [_record(asked, _CNAME, middle, ttl_s), _record(middle, _CNAME, last, ttl_s)]
        chain.append(_record(last, _A, addresses[0], ttl_s))
        return chain if mode == "alias" else [*reversed(chain), *strange]
    return [_record(asked, _A, address, ttl_s) for address in addresses]


def _record(owner: bytes, kind: int, data: bytes, ttl_s: int) -> bytes:
    return owner + struct.pack(">HHIH", kind, _IN, ttl_s, len(data)) + data


def _header(query: bytes) -> tuple[int, int, int]:
    if len(query) < 17:
        raise ValueError("too short for a query")
    ident, flags, count = struct.unpack_from(">HHH", query)
    if flags & 0x8000 or count != 1:
        raise ValueError("not a query with one question")
    return ident, flags, count


def _question(query: bytes) -> tuple[str, int]:
    """The name asked for, in lower case, and the offset of its type."""
    labels, at = [], 12
    while size := query[at]:
        if size > 63 or at + size + 5 >= len(query):
            raise ValueError("broken name in the question")
        labels.append(query[at + 1 : at + 1 + size].decode("ascii", "replace").lower())
        at += size + 1
    if at + 5 > len(query):
        raise ValueError("the question has no type and class")
    return ".".join(labels), at + 1


class DnsServer(UdpServer):
    """`mode` and `addresses` may be changed at any time. `queries` counts well-formed ones."""

    mode = ""
    addresses: Sequence[str] = ("127.0.0.1",)

    def reply(self, data: bytes) -> bytes | None:
        return answer(data, self.mode, self.addresses)
