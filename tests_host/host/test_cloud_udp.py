"""The simulated DNS and SNTP servers: packets checked byte by byte, then over real sockets."""

import asyncio
import socket
import struct

import pytest

from dnsstub.resolver import parse
from tools.cloud import dns, ntp
from tools.cloud.dns import DnsServer
from tools.cloud.ntp import EPOCH_1900_S, NtpServer

NOW = 1_800_000_000.25


def question(name: str, kind: int = 1, ident: int = 0x1234) -> bytes:
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return struct.pack(">6H", ident, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def head(packet: bytes) -> tuple[int, int, int]:
    """(identifier, response code, number of answers)"""
    ident, flags, _, answers = struct.unpack_from(">4H", packet)
    assert flags & 0x8000
    return ident, flags & 15, answers


@pytest.mark.parametrize("name", ["api.realer.test", "NTP.Realer.TEST", "realer.test"])
def test_names_of_the_simulation_are_here(name):
    query = question(name)
    packet = dns.answer(query)
    assert head(packet) == (0x1234, 0, 1)
    assert packet[12 : len(query)] == query[12:]
    assert packet[len(query) :] == bytes.fromhex("c00c 0001 0001 0000003c 0004 7f000001".replace(" ", ""))


@pytest.mark.parametrize("name", ["realer.test.evil", "notrealer.test", "therealer.com"])
def test_other_names_do_not_exist(name):
    assert head(dns.answer(question(name))) == (0x1234, 3, 0)


def test_a_name_without_an_ipv6_address_still_exists():
    assert head(dns.answer(question("api.realer.test", kind=28))) == (0x1234, 0, 0)


def test_dns_misbehaves_on_demand():
    query = question("api.realer.test")
    assert dns.answer(query, "silent") is None
    assert head(dns.answer(query, "servfail")) == (0x1234, 2, 0)
    assert head(dns.answer(query, "nxdomain")) == (0x1234, 3, 0)
    assert head(dns.answer(query, "wrong_id")) == (0x1235, 0, 1)
    truncated = dns.answer(query, "truncated")
    assert head(truncated) == (0x1234, 0, 0) and truncated[2] & 2


@pytest.mark.parametrize(("mode", "records"), [("alias", 3), ("unordered", 5), ("strangers", 3), ("loop", 2)])
def test_dns_answers_with_more_than_an_address_on_demand(mode, records):
    query = question("api.realer.test")
    packet = dns.answer(query, mode)
    assert head(packet) == (0x1234, 0, records)
    if mode in dns.ODD:
        assert parse(packet, 0x1234, "api.realer.test") == (["127.0.0.1"], 60)
    if mode == "unordered":
        assert packet.index(b"\x7f\0\0\1") < packet.index(b"\xc0\x0c", len(query)), "the address comes first"


def test_a_datagram_that_is_no_query_is_refused():
    query = question("api.realer.test")
    for bad in (dns.answer(query), query[:5] + b"\2" + query[6:], query[:12] + b"\xff" + query[13:]):
        with pytest.raises(ValueError, match=r"not a query|broken name"):
            dns.answer(bad)


def client_packet() -> bytes:
    return bytes((0x23,)) + bytes(39) + b"ORIGIN!!"


def test_sntp_echoes_the_origin_and_has_the_time():
    packet = ntp.answer(client_packet(), NOW)
    assert len(packet) == 48
    assert packet[:2] == bytes((0x24, 2))
    assert packet[24:32] == b"ORIGIN!!"
    assert struct.unpack(">II", packet[40:]) == (1_800_000_000 + EPOCH_1900_S, 1 << 30)
    assert packet[32:40] == packet[40:]


def test_sntp_misbehaves_on_demand():
    assert ntp.answer(client_packet(), NOW, "silent") is None
    kiss = ntp.answer(client_packet(), NOW, "kiss")
    assert (kiss[0] >> 6, kiss[1], kiss[12:16]) == (3, 0, b"RATE")
    assert ntp.answer(client_packet(), NOW, "stratum0")[1] == 0
    assert ntp.answer(client_packet(), NOW, "unsynchronized")[0] >> 6 == 3
    assert ntp.answer(client_packet(), NOW, "wrong_origin")[24:32] == bytes(8)
    assert len(ntp.answer(client_packet(), NOW, "short")) < 48
    late = ntp.answer(client_packet(), NOW, offset_s=-86400)
    assert struct.unpack_from(">I", late, 40) == (1_800_000_000 - 86400 + EPOCH_1900_S,)


@pytest.mark.parametrize("bad", [b"", bytes(47), bytes((0x24,)) + bytes(47)])
def test_a_datagram_that_is_no_sntp_request_is_refused(bad):
    with pytest.raises(ValueError, match="not an SNTP client request"):
        ntp.answer(bad, NOW)


async def ask(port: int, *datagrams: bytes) -> bytes:
    """Send datagrams from a real socket; the first one that comes back."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(("127.0.0.1", port))
        for datagram in datagrams:
            await loop.sock_sendall(sock, datagram)
        async with asyncio.timeout(5):
            return await loop.sock_recv(sock, 600)


async def test_dns_over_a_socket_survives_nonsense():
    server = DnsServer()
    await server.start()
    packet = await ask(server.port, b"nonsense", question("mqtt.realer.test"))
    assert packet.endswith(bytes((127, 0, 0, 1)))
    assert (server.queries, server.nonsense) == (1, 1)
    await server.stop()


async def test_sntp_over_a_socket_uses_the_given_clock():
    server = NtpServer(clock=lambda: NOW)
    server.offset_s = 5
    await server.start()
    packet = await ask(server.port, client_packet())
    assert struct.unpack_from(">I", packet, 40) == (1_800_000_005 + EPOCH_1900_S,)
    await server.stop()
