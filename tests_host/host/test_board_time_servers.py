"""Whether a virtual board will find the time, asked before it is switched on."""

import asyncio
import contextlib

from tools.cloud.dns import DnsServer
from tools.cloud.ntp import NtpServer
from tools.virtual_board.time_servers import without_time


@contextlib.asynccontextmanager
async def around():
    dns, ntp = DnsServer(), NtpServer()
    await dns.start()
    await ntp.start()
    yield dns, ntp
    await dns.stop()
    await ntp.stop()


def config(dns, server):
    return {"wifi": {"networks": [], "dns": [f"127.0.0.1:{dns.port}"]}, "time": {"servers": [server]}}


async def test_does_not_warn_when_a_time_server_answers():
    async with around() as (dns, ntp):
        assert await asyncio.to_thread(without_time, config(dns, f"127.0.0.1:{ntp.port}")) == ""
        assert await asyncio.to_thread(without_time, config(dns, f"ntp.realer.test:{ntp.port}")) == ""
        assert dns.queries


async def test_warns_when_no_time_server_answers():
    async with around() as (dns, ntp):
        for server in ("127.0.0.1:9", "ntp.realer.test:9"):
            output = await asyncio.to_thread(without_time, config(dns, server))
            assert server in output and "time.servers" in output
        dns.mode = "nxdomain"
        assert await asyncio.to_thread(without_time, config(dns, f"ntp.realer.test:{ntp.port}"))
        ntp.mode = "silent"
        assert await asyncio.to_thread(without_time, config(dns, f"127.0.0.1:{ntp.port}"))
