"""What the resolver asks, keeps and falls back to, with a scripted network."""

from dnsstub.resolver import Resolver
from netio.errors import NetError
from tests_host.support.scripted import FakeClock

HOST = "api.realer.test"
SILENCE = NetError("timeout", "no answer")


def reply(question, address, ttl_s):
    """An honest server's answer to `question`."""
    data = bytes(int(part) for part in address.split("."))
    ttl = bytes((ttl_s >> 24 & 255, ttl_s >> 16 & 255, ttl_s >> 8 & 255, ttl_s & 255))
    head = question[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
    return head + question[12:] + b"\xc0\x0c\x00\x01\x00\x01" + ttl + b"\x00\x04" + data


class Rig:
    """A resolver whose servers do what `script` says: (address, ttl) answers, an exception, or raw bytes, in turn."""

    def __init__(self, *script, servers=("192.0.2.53",)):
        self.script = list(script)
        self.servers = servers
        self.asked = []
        self.idents = 0x10000
        self.clock = FakeClock()
        self.resolver = Resolver(self.clock, lambda: self.servers, self.rng, self.exchange)

    def rng(self):
        self.idents += 1
        return self.idents

    async def exchange(self, ip, port, payload, clock, timeout_ms):
        self.asked.append((ip, port))
        assert payload[:2] == bytes((self.idents >> 8 & 255, self.idents & 255)) and timeout_ms == 2000
        step = self.script.pop(0)
        if isinstance(step, Exception):
            await clock.sleep_ms(timeout_ms)
            raise step
        return reply(payload, *step) if isinstance(step, tuple) else step

    async def resolve(self, host=HOST):
        try:
            return await self.resolver.resolve(host)
        except NetError as e:
            return e.kind + " " + e.detail


async def test_asks_and_keeps_for_its_lifetime():
    rig = Rig(("1.2.3.4", 60), ("5.6.7.8", 60))
    assert await rig.resolve() == ["1.2.3.4"]
    await rig.clock.sleep_ms(59999)  # the counter wraps meanwhile
    assert await rig.resolve() == ["1.2.3.4"]
    await rig.clock.sleep_ms(1)
    assert await rig.resolve() == ["5.6.7.8"]
    assert rig.asked == [("192.0.2.53", 53)] * 2


async def test_a_wrapped_counter_makes_no_cache_entry_fresh():
    rig = Rig(("1.2.3.4", 3600), ("5.6.7.8", 3600))
    await rig.resolve()
    await rig.clock.sleep_ms(7 * 86400 * 1000)
    assert await rig.resolve() == ["5.6.7.8"]


async def test_lifetime_has_limits():
    for ttl_s, kept_ms in ((0, 30000), (5, 30000), (86400, 3600000), (0xFFFFFFFF, 3600000)):
        rig = Rig(("1.2.3.4", ttl_s), ("5.6.7.8", 60))
        await rig.resolve()
        await rig.clock.sleep_ms(kept_ms - 1)
        assert await rig.resolve() == ["1.2.3.4"]
        await rig.clock.sleep_ms(1)
        assert await rig.resolve() == ["5.6.7.8"]


async def test_addresses_need_no_server():
    rig = Rig(servers=())
    assert await rig.resolve("192.0.2.7") == ["192.0.2.7"]
    for not_one in ("256.1.1.1", "1.2.3", "1.2.3.4.5", "1.2.3.x", "1.2.3.0004", "1.2.3."):
        assert await rig.resolve(not_one) == "dns no server"


async def test_each_server_gets_two_tries():
    rig = Rig(SILENCE, SILENCE, SILENCE, ("1.2.3.4", 60), servers=["192.0.2.1", "192.0.2.2:5353"])
    assert await rig.resolve() == ["1.2.3.4"]
    assert rig.asked == [("192.0.2.1", 53), ("192.0.2.2", 5353)] * 2
    assert rig.clock.waited_ms == 6000


async def test_the_last_error_is_raised():
    rig = Rig(SILENCE, SILENCE)
    assert await rig.resolve() == "dns no answer"
    rig = Rig(SILENCE, NetError("closed", "ECONNREFUSED"))
    assert await rig.resolve() == "dns ECONNREFUSED"
    rig = Rig(b"", b"\0" * 40)
    assert await rig.resolve() == "dns not our answer"


async def test_a_forged_answer_counts_as_one_failed_try():
    rig = Rig(b"\xff" * 60, ("1.2.3.4", 60))
    assert await rig.resolve() == ["1.2.3.4"]


async def test_an_expired_answer_is_used_when_no_server_answers():
    rig = Rig(("1.2.3.4", 60), SILENCE, SILENCE, SILENCE, SILENCE, ("5.6.7.8", 60))
    await rig.resolve()
    await rig.clock.sleep_ms(3600000)
    assert await rig.resolve() == ["1.2.3.4"]
    assert await rig.resolve() == ["1.2.3.4"]
    assert await rig.resolve() == ["5.6.7.8"]
    assert len(rig.asked) == 6


async def test_a_forgotten_answer_is_queried_again_and_used_as_a_last_resort():
    rig = Rig(("1.2.3.4", 3600), SILENCE, SILENCE, ("5.6.7.8", 3600))
    await rig.resolve()
    rig.resolver.forget(HOST)
    rig.resolver.forget("never.seen.test")
    assert await rig.resolve() == ["1.2.3.4"]
    assert await rig.resolve() == ["5.6.7.8"]
    assert await rig.resolve() == ["5.6.7.8"]


async def test_cache_is_small():
    rig = Rig(*[("1.2.3.4", 3600)] * 9)
    for host in ("a.test", "b.test", "c.test", "d.test", "a.test"):
        await rig.resolve(host)
    assert len(rig.asked) == 4
    await rig.resolve("e.test")
    await rig.resolve("e.test")
    assert len(rig.asked) == 5
    for host in ("a.test", "b.test", "c.test", "d.test"):
        await rig.resolve(host)
    assert len(rig.asked) == 9, "the fifth name took the place of all others"


async def test_servers_are_looked_up_each_time():
    rig = Rig(("1.2.3.4", 60), servers=[])
    assert await rig.resolve() == "dns no server"
    rig.servers = ["192.0.2.9"]
    assert await rig.resolve() == ["1.2.3.4"]
    assert rig.asked == [("192.0.2.9", 53)]
