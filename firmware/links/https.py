"""Authorized requests to any generation of the Realer API: the token, the rate limit, and what all answers have in
common.

Half of a link (docs/ARCHITECTURE.md, "Halves of a link"): in memory while the device talks HTTPS. Answers about
authorization or the server's health are handled here; the others go to the source, which knows one generation. Only
LinkError and AuthError escape. Source: docs/protocol.md, Tokens, Response codes.

A source has `scopes()`, what tokens are asked for; `login()`: the (token, expires_s, renew_s) of a fresh token;
`request(what, text)`: the arguments of `Client.request`; `revoke(token)`; `begin()`, awaited before MQTT is tried:
find out what the cloud offers; `open()`: nothing, once `Account.catalog` and `Account.desired` are read; `poll()`:
desired values, None when the rate limit forbids to ask; `send(reports)`, after `most_reports`; `memo()`: what a later
source of this kind goes on with, by way of `Account.memo`.
"""

import asyncio
from micropython import const

from firmware.cloud import responses
from firmware.core import outcomes
from firmware.core.errors import AuthError, LinkError
from firmware.core.rate_limit import RateLimiter
from firmware.version import VERSION
from http1.client import Client
from http1.message import HttpError
from netio.errors import NetError
from units.loader import Unit

_REST_MS = const(
    20000
)  # a verb returns at least this often when there is nothing to do, so that its caller can feed
_NOT_MODIFIED = const(304)
_REPORT = const(1500)
_SPARE = const(8000)
"""Bytes of heap: what a report takes on its way, as a dict, as JSON while that grows and within the request; and the
code that sends, with what is left over in smaller pieces."""
_AGENT = "User-Agent", "realer-firmware/" + VERSION  # RFC 9110, section 10.1.5


class Https:
    """One kept-alive connection to the cloud. `account`: see Account; `source`: set before the first request."""

    def __init__(self, account):
        cfg = account.cfg
        clock = account.clock
        host, _, port = cfg["base_url"][8:].rstrip("/").partition(":")
        self.account = account
        self.clock = clock
        self.client = Client(account.net, clock, host, int(port or 443), account.view)
        self.limiter = RateLimiter(cfg["poll_s"] * 1000, clock.ms(), account.pacing)
        self.turn = asyncio.Lock()
        # `most`: what `most_reports` returned last.
        self.source = self.large = self.unit = self.most = None
        # ETags: of the commands that count, which a source may set; of the last answer.
        self.tag = self.last_tag = ""

    def unload(self):
        """Close, and store with the account what a later half has to know. Never raises."""
        self.client.close()
        self.account.pacing = self.limiter.state()
        self.account.memo = self.source.memo()

    async def next_desired(self):
        """Desired values as of now, after waiting for the next poll; None when there was nothing to receive yet."""
        if await self.slot(self.limiter.poll_wait_ms):
            return await self.source.poll()
        return None

    async def most_reports(self):
        """How many reports may be sent in one request now, as far as memory allows, after waiting for the next slot; 0:
        none yet."""
        if not await self.slot(self.limiter.report_wait_ms):
            return 0
        most = min(self.limiter.most, (self.account.net.heap_free() - _SPARE) // _REPORT)
        self.most = max(most, 1)
        return self.most

    async def exchange(self, what, text="", strict=True):
        """One request under the device's path: (outcome, JSON, message for the log). `text`: JSON to post, "" to get.

        A 401 or 403 is answered with one fresh token and one repetition of the very same request. RETRY is raised, and
        so are REAUTH, PAYMENT_REQUIRED and FORBIDDEN, which end the lease. Without `strict` these are returned instead:
        then the refusal may concern this request alone.
        """
        await self.turn.acquire()
        try:
            outcome, body, message = await self.ask(what, text)
            if outcome in (outcomes.REAUTH, outcomes.FORBIDDEN):
                self.account.log("warning", message + "; asking for a fresh token")
                self.account.token = None
                outcome, body, message = await self.ask(what, text)
        finally:
            self.turn.release()
        if strict and outcome in (outcomes.REAUTH, outcomes.FORBIDDEN, outcomes.PAYMENT_REQUIRED):
            raise self.refused(outcome, message)
        return outcome, body, message

    async def read(self, what):
        """The JSON of a catalog, None when the rate limit is not over yet."""
        outcome, body, message = await self.exchange(what)
        if outcome == outcomes.NOT_FOUND:
            raise self.refused(outcome, message)
        if outcome not in (outcomes.OK, outcomes.RATE_LIMITED):
            raise LinkError(message)
        return body if outcome == outcomes.OK else None

    async def have_token(self):
        """Have a token: a fresh one if it is time for that, as far as the server gives one. LinkError, AuthError."""
        await self.turn.acquire()
        try:
            await self.authorize()
        finally:
            self.turn.release()

    async def connected(self):
        """Have a connection; its handshake comes with the next request. LinkError."""
        try:
            await self.client.connect()
        except NetError as e:
            raise LinkError(self.account.net.explain(e))

    async def slot(self, wait_ms):
        """Wait for a slot, but not longer than `_REST_MS`: whether it has come."""
        await self.clock.sleep_ms(min(wait_ms(self.clock.ms()), _REST_MS))
        return not wait_ms(self.clock.ms())

    async def paced(self, what, request):
        """One request when its turn has come."""
        limiter = self.limiter
        clock = self.clock
        while wait := limiter.wait_ms(clock.ms()):
            self.account.feed()
            await clock.sleep_ms(min(wait, _REST_MS))
        limiter.started(clock.ms(), what in ("commands", "desired-states"))
        try:
            return await self.call(what, request)
        finally:
            limiter.finished(clock.ms())

    async def call(self, what, request):
        """One request at once: (outcome, JSON, message, seconds of Retry-After). The JSON is () where commands are what
        they were."""
        account = self.account
        method, target, headers, body = request
        tag = self.tag if what == "commands" else ""
        if tag:
            headers += (("If-None-Match", tag),)
        try:
            response = await self.client.request(method, target, headers + (_AGENT,), body, self.sink)
            if tag and response.status == _NOT_MODIFIED:
                return outcomes.OK, (), "", 0
            self.last_tag = response.etag
            response.retry_after_s = max(response.retry_after_s, account.retry_s)
            return responses.parse_response(what, response, self.large)
        except NetError as e:
            raise LinkError("%s: %s" % (what, account.net.explain(e)), account.retry_s)
        except HttpError as e:
            raise LinkError("%s: %s" % (what, e), account.retry_s)
        finally:
            if self.large:
                self.large = None
                self.unit.drop()

    def sink(self):
        """See Response."""
        self.unit = Unit(_large_body, self.clock.sleep_ms)
        self.large = self.unit.load()(self.account)
        return self.large.feed

    def accept(self, outcome, body, message, wait_s):
        """The JSON of an answer to the device's keys. LinkError or AuthError when there is none."""
        if outcome == outcomes.RATE_LIMITED:
            raise LinkError(message, wait_s)
        if outcome != outcomes.OK:
            raise self.refused(outcome, message)
        return body

    def refused(self, outcome, message):
        """End the lease; the AuthError to raise."""
        message += "; " + responses.remedy(outcome)
        self.account.token = None
        self.account.lease.end(message)
        return AuthError(message)

    # -- the steps --

    async def ask(self, what, text):
        account = self.account
        await self.authorize()
        request = self.source.request(what, text)
        outcome, body, message, wait_s = await self.paced(what, request)
        if outcome == outcomes.OK:
            account.lease.confirm()
        if outcome == outcomes.RATE_LIMITED:
            limiter = self.limiter
            limiter.slow_down(self.clock.ms(), wait_s)
            account.log("warning", "rate limit, requests now %d s apart" % (limiter.gap_ms() // 1000))
        return outcome, body, message

    async def authorize(self):
        """Have a token, see `renewal`."""
        account = self.account
        if account.token and not account.lease.renewal.passed(self.clock.ms()):
            return
        error = None
        try:
            await self.connected()  # what dialing takes is free again before the login is loaded
        except LinkError as e:
            error = e
        unit = Unit(_renewal, self.clock.sleep_ms)
        try:
            await unit.load()(self, error)
        finally:
            unit.drop()


def _renewal():
    from firmware.links.renewal import renew

    return renew


def _large_body():
    from firmware.cloud.large_body import LargeBody

    return LargeBody
