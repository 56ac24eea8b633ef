"""HTTPS polling of the Realer cloud of any generation.

A link (docs/ARCHITECTURE.md, "Link") that holds the HTTPS half of the code and chooses the generation. With `api` auto
that is the newest one that the server supports: Realino if there is no OAuth, until Realino is refused too.
`transports` unloads this module while it is not needed, so the state is in the account.
"""

import asyncio
from micropython import const

from firmware.core.errors import AuthError, LinkError
from units.loader import Unit

_REVOKE_MS = const(5000)


class Polling:
    """`account`: see Account."""

    waits = 2000, 300000

    def __init__(self, account):
        self.account = account
        self.lease = account.lease
        importing = _iot if account.cfg["api"] == "realer" else _realino if account.realino else _bootstrap
        self.unit = Unit(importing, account.clock.sleep_ms)
        self.http = None  # the HTTPS half, while it is loaded

    @property
    def catalog(self):
        return self.account.catalog

    def watch(self, feed):
        """Have `feed()` called at least every 20 s while a verb takes long."""
        self.account.feed = feed

    def masked(self):
        """Return objects whose `reveal()` returns a text that the log must mask."""
        return (self.account,)

    async def load(self, anyway=False):
        """Return the HTTPS half, loaded if necessary. LinkError: the memory of an unloaded one is not free again. With
        `anyway` it is loaded all the same."""
        if not self.http:
            if not (await self.unit.gone() or anyway):
                raise self.account.net.not_freed()
            self.http = self.unit.load()(self.account)
        return self.http

    def unload(self):
        """Close and unload the HTTPS half. `load` waits until its memory is free. Never raises."""
        http, self.http = self.http, None
        if http:
            http.unload()
            self.unit.drop()

    async def open(self):
        """See Link."""
        try:
            http = await self.load()
            await http.source.open()
        except AuthError as e:
            if not self.other_generation(e):
                raise
            http = await self.load()
            await http.source.open()
        return self.account.catalog

    def other_generation(self, error):
        """After the AuthError `error`, return whether to try again at once, with Realino: the server has no OAuth. If
        it refused Realino, the next attempt uses iot/v1."""
        account = self.account
        if account.cfg["api"] != "auto" or not (account.realino or account.no_oauth):
            return False
        self.unload()
        account.realino = not account.realino
        account.memo = None
        self.unit.importing = _realino if account.realino else _bootstrap
        account.lease.end(str(error))
        if account.realino:
            account.log("warning", "no OAuth here; trying Realino")
        return account.realino

    async def next_desired(self):
        """See Link."""
        desired, self.account.desired = self.account.desired, None
        if desired is None:
            desired = await (await self.load()).next_desired()
        return desired

    async def most_reports(self):
        """See Link."""
        return await (await self.load()).most_reports()

    async def send(self, reports):
        """See Link."""
        return await (await self.load()).source.send(reports) if reports else ()

    def close(self):
        """Close every connection. Never raises."""
        net = self.account.net
        if net.memory_failures or net.unanswered > 1:
            self.unload()  # memory is short, or the escalation ladder needs it until the next attempt
        if self.http:
            self.http.client.close()

    async def shutdown(self):
        """Revoke the token, if that succeeds within five seconds. Call it after all tasks have ended. Never raises."""
        account = self.account
        token, account.token = account.token, None
        account.lease.end("shut down")
        try:
            http = await self.load(True)
            http.client.abandon()
            if token:
                await http.clock.within(_REVOKE_MS, http.source.revoke(token))
        except (LinkError, MemoryError, asyncio.TimeoutError):
            pass
        self.close()

    def exclusive(self):
        """Return whether the link must be closed before another TLS connection is made, for lack of memory."""
        open_now = 1 if self.http and self.http.client.stream else 0
        return not self.account.net.two_fit(open_now)

    async def lend(self, host, port):
        """Return an HTTP client for another host. None: there is no memory for it beside the HTTPS half, which was
        unloaded. LinkError."""
        if not self.exclusive():
            return await self.client(host, port)
        self.unload()
        if not await self.unit.gone():
            raise self.account.net.not_freed()
        return None

    async def client(self, host, port):
        """Return an HTTP client for another host, of the HTTPS half. LinkError."""
        http = await self.load()
        return type(http.client)(self.account.net, http.clock, host, port)


def _iot():
    from firmware.links.https_iot import half

    return half


def _bootstrap():
    from firmware.links.https_bootstrap import half

    return half


def _realino():
    from firmware.links.https_realino import half

    return half
