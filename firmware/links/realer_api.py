"""Authorized requests to any generation of the Realer API: the token, the lease, the cadence, what every answer shares.

Owns the lease, because only it hears the cloud's word on authorization, and the token, which never leaves it. Answers
that concern authorization or the server's health are dealt with here; what remains goes to the link. What an answer
means is the dialect's to say; bytes are `http1`'s business. Only LinkError and AuthError escape.

A generation adds `login()`: the (token, expires_s, renew_s) of a fresh token, LinkError or AuthError without one;
`request(what, text)`: the arguments of `Client.request`; `poll()`: desired values as of now, None when the rate limit
forbids to ask; and `give_back(token)` where it can be revoked.
"""

import asyncio
from micropython import const

from firmware.cloud import words as w
from firmware.core import verdict as v
from firmware.core.errors import AuthError, LinkError
from firmware.core.safety import Lease
from firmware.core.timing import Backoff, Cadence, Timer
from firmware.version import VERSION
from http1.client import Client
from http1.message import HttpError
from netio.errors import NetError

_REST_MS = const(20000)  # a verb returns at least this often when there is nothing to do, to show life
_REVOKE_MS = const(5000)
_AGENT = "User-Agent", "realer-firmware/" + VERSION  # RFC 9110, section 10.1.5


class RealerApi:
    """What Realer links have in common. `cfg`: the `cloud` section of the config; `net`: an object with `dialer`;
    `rng()`: 32 random bits; `say(level, text)`: the log. `alive` may be replaced: it is called every 20 s while the
    rate limit holds."""

    waits = 2000, 300000

    def __init__(self, cfg, net, clock, rng, say):
        host, _, port = cfg["base_url"][8:].rstrip("/").partition(":")
        self.cfg = cfg
        self.client = Client(net.dialer, clock, host, int(port or 443))
        self.clock = clock
        self.rng = rng
        self.say = say
        self.token = None  # a Secret, or None when a new one is needed
        self.turn = asyncio.Lock()
        self.renewals = Backoff(5000, 60000)
        self.cadence = Cadence(cfg["poll_s"] * 1000, clock.ms())
        self.lease = Lease(clock.ms())

    first = None  # desired values that came when the link was opened
    retry_s = 0  # least wait after a failure, where the cloud tells one
    broken = NetError, HttpError
    """What requests of `client` raise."""

    def alive(self):
        pass

    def close(self):
        """Drop every connection. Never raises."""
        self.client.close()

    def reveal(self):
        """What the log has to mask: a server may echo the token."""
        return self.token.reveal() if self.token else "\n"

    async def next_desired(self):
        """Desired values as of now, after waiting for the next poll; None when there was nothing to hear yet."""
        wanted, self.first = self.first, None
        if wanted is None and await self.slot(self.cadence.poll_wait_ms):
            wanted = await self.poll()
        return wanted

    async def exchange(self, what, text="", strict=True):
        """One request under the device's path: (verdict, JSON, words for the log). `text`: JSON to post, "" to get.

        A 401 or 403 is answered with one fresh token and one repetition of the very same request. RETRY is raised, and
        so are REAUTH, UNPAID and FORBIDDEN, which end the lease; without `strict` these come back instead: then the
        refusal may concern this request alone.
        """
        await self.turn.acquire()
        try:
            await self.authorize()
            found, body, words = await self.ask(what, text)
            if found in (v.REAUTH, v.FORBIDDEN):
                self.say("warning", words + "; asking for a fresh token")
                self.token = None
                await self.authorize()
                found, body, words = await self.ask(what, text)
        finally:
            self.turn.release()
        if strict and found in (v.REAUTH, v.FORBIDDEN, v.UNPAID):
            raise self.refused(found, words)
        return found, body, words

    async def read(self, what):
        """The JSON of a catalog, None when the rate limit is not over yet."""
        found, body, words = await self.exchange(what)
        if found == v.GONE:
            raise self.refused(found, words)
        if found not in (v.OK, v.SLOW):
            raise LinkError(words)
        return body if found == v.OK else None

    async def give_back(self, token):
        pass

    async def shutdown(self):
        """Give the token back: best effort within five seconds, after all other tasks."""
        self.client.abandon()
        token, self.token = self.token, None
        self.lease.end("shut down")
        if token:
            try:
                await self.clock.within(_REVOKE_MS, self.give_back(token))
            except (LinkError, asyncio.TimeoutError):
                pass
        self.close()

    # -- the steps --

    async def ask(self, what, text):
        found, body, words, wait_s = await self.paced(what, self.request(what, text))
        if found == v.OK:
            self.lease.confirm()
        if found == v.SLOW:
            self.cadence.slow_down(self.clock.ms(), wait_s)
            self.say("warning", "rate limit, requests now %d s apart" % (self.cadence.gap_ms() // 1000))
        return found, body, words

    async def slot(self, wait_ms):
        """Wait for a slot, but not longer than `_REST_MS`: whether it has come."""
        await self.clock.sleep_ms(min(wait_ms(self.clock.ms()), _REST_MS))
        return not wait_ms(self.clock.ms())

    async def paced(self, what, request):
        """One request when its turn has come."""
        cadence = self.cadence
        clock = self.clock
        while wait := cadence.wait_ms(clock.ms()):
            self.alive()
            await clock.sleep_ms(min(wait, _REST_MS))
        cadence.started(clock.ms(), what in ("commands", "desired-states"))
        try:
            return await self.call(what, request)
        finally:
            cadence.finished(clock.ms())

    def accept(self, found, body, words, wait_s):
        """The JSON of an answer to the device's keys. LinkError or AuthError when there is none."""
        if found == v.SLOW:
            raise LinkError(words, wait_s)
        if found != v.OK:
            raise self.refused(found, words)
        return body

    async def call(self, what, request):
        method, target, headers, body = request
        try:
            response = await self.client.request(method, target, headers + (_AGENT,), body)
        except (NetError, HttpError) as e:
            raise LinkError("%s: %s" % (what, e), self.retry_s)
        response.retry_after_s = max(response.retry_after_s, self.retry_s)
        return w.judge(what, response)

    async def authorize(self):
        """Have a token. Renewal begins while the old one still works; its failure is no failure of the request."""
        asked = self.clock.ms()
        lease = self.lease
        if self.token and not lease.renewal.passed(asked):
            return
        try:
            self.token, expires_s, renew_s = await self.login()
        except LinkError as e:
            if not self.token or lease.token.passed(asked):
                # Nothing is left to rely on.
                lease.end(str(e))
                raise
            wait = max(self.renewals.next_ms(self.rng()), e.retry_after_s * 1000)
            lease.renewal = Timer(self.clock.ms(), wait)
            self.say("warning", "token not renewed: %s" % e)
            return
        lease.grant(asked, expires_s, renew_s)
        self.renewals.reset()
        self.say("info", "token valid for %d s" % expires_s)

    def refused(self, found, words):
        """End the lease; the AuthError to raise."""
        words += "; " + w.REFUSALS.get(found, "not allowed")
        self.token = None
        self.lease.end(words)
        return AuthError(words)
