"""SNTP packets byte for byte, honest and hostile, and the one question a client asks."""

import struct

from netio.errors import NetError
from sntp.client import parse, query, request
from tests_host.support.scripted import FakeClock

NONCE = 0x89ABCDEF
FLOOR_S = 1767225600  # 2026-01-01
EPOCH = 2208988800


def answer(unix_s=FLOOR_S + 1, fraction=0, flags=0x24, stratum=2, code=b"\0\0\0\0", cookie=None, nonce=NONCE):
    """What a server sends back. `flags`: leap, version and mode."""
    head = bytes((flags, stratum, 6, 0xEC)) + bytes(8) + code + bytes(8)
    stamp = struct.pack(">II", unix_s + EPOCH & 0xFFFFFFFF, fraction)
    return head + (cookie or request(nonce)[40:]) + bytes(8) + stamp


def parsed(data, floor_s=FLOOR_S):
    try:
        return parse(data, NONCE, floor_s)
    except NetError as e:
        return e.detail if e.kind == "sntp" else e


def test_request():
    assert request(NONCE) == b"\x23" + bytes(39) + b"\x76\x54\x32\x10\x89\xab\xcd\xef"
    assert len(request(0)) == len(request(0xFFFFFFFF)) == 48
    assert request(0)[40:] != bytes(8) != request(0xFFFFFFFF)[40:]


def test_time():
    assert parsed(answer()) == FLOOR_S + 1
    assert parsed(answer(fraction=0x80000000)) == FLOOR_S + 1
    assert parsed(answer(fraction=0xFFFFFFFF)) == FLOOR_S + 1
    assert parsed(answer(flags=0x1C)) == FLOOR_S + 1  # version 3
    assert parsed(answer(flags=0x64)) == FLOOR_S + 1  # a leap second today
    assert parsed(answer() + bytes(20)) == FLOOR_S + 1  # with an authenticator behind


def test_after_the_counter_wraps_in_2036():
    for unix_s in (2085978495, 2085978497, 0x7FFFFFFF, 0x80000000, 4102444800):
        assert parsed(answer(unix_s)) == unix_s


def test_floor():
    assert parsed(answer(FLOOR_S)) == FLOOR_S
    assert parsed(answer(FLOOR_S - 1)) == "time before the build"
    assert parsed(answer(0)) == "time before the build"
    assert parsed(answer(-EPOCH, 0)) == parsed(answer(-EPOCH, 1)) == "no time"


def test_cut():
    for size in range(48):
        assert parsed(answer()[:size]) == "not an answer"


def test_wrong_kind_of_packet():
    for flags in (0x23, 0x25, 0x20, 0x04, 0x2C, 0x0C):
        assert parsed(answer(flags=flags)) == "not an answer"


def test_an_answer_to_another_query_is_refused():
    assert parsed(answer(nonce=NONCE ^ 1)) == "not our answer"
    assert parsed(answer(cookie=bytes(8))) == "not our answer"


def test_unsynchronised():
    assert parsed(answer(flags=0xE4)) == "server not synchronised"
    assert parsed(answer(stratum=16)) == "server not synchronised"
    assert parsed(answer(stratum=255)) == "server not synchronised"


def test_kiss():
    assert parsed(answer(stratum=0, code=b"RATE")) == "kiss b'RATE'"
    assert parsed(answer(stratum=0, code=b"\n\x1b\xff0")) == r"kiss b'\n\x1b\xff0'"
    assert parsed(answer(stratum=0, code=b"RATE", nonce=1)) == "not our answer"


class Resolver:
    async def resolve(self, host):
        assert host == "ntp.realer.test"
        return ["192.0.2.1", "192.0.2.2"]


async def test_client():
    clock = FakeClock()
    asked = []

    async def exchange(ip, port, payload, clock, timeout_ms):
        asked.append((ip, port, timeout_ms))
        await clock.sleep_ms(600)
        return answer(nonce=NONCE)

    result = await query("ntp.realer.test:1123", Resolver(), clock, lambda: NONCE, FLOOR_S, exchange)
    assert result == FLOOR_S + 1
    await query("ntp.realer.test", Resolver(), clock, lambda: NONCE, FLOOR_S, exchange)
    assert asked == [("192.0.2.2", 1123, 3000), ("192.0.2.2", 123, 3000)]
