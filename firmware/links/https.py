"""Authorized requests to any generation of the Realer API: the token, the rate limit, and what all responses have in
common.

One half of a link (docs/ARCHITECTURE.md, "Halves of a link"): in memory while the device uses HTTPS. Responses that
concern authorization or the server's health are handled here; the others by the source, which knows one generation.
Only LinkError and AuthError are raised. Source: docs/protocol.md, Tokens, Response codes.

The verbs of a source:

| verb                  | what it does                                                                        |
|-----------------------|-------------------------------------------------------------------------------------|
| `scopes()`            | returns the scopes to request a token with, "" for the server's choice              |
| `login(scopes)`       | awaitable: returns (token, expires_s, renew_s) of a fresh token                     |
| `revoke(token)`       | awaitable: revokes the token                                                        |
| `request(what, text)` | returns the arguments of `Client.request`                                           |
| `begin()`             | awaited before MQTT is tried: determines what the cloud offers                      |
| `open()`              | awaitable: reads `Account.catalog` and `Account.desired`                            |
| `poll()`              | awaitable: returns desired values, None if the rate limit allows no request         |
| `send(reports)`       | awaited after `most_reports`: returns (message_id, outcome) of each answered report |
| `memo()`              | returns the state for a later source, which gets it as `Account.memo`               |
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

# A verb returns at least this often, so that its caller can feed the watchdog.
_REST_MS = const(20000)
_NOT_MODIFIED = const(304)
_REPORT = const(1500)
_SPARE = const(8000)
"""Bytes of heap: for each report while it is sent, as a dict, as growing JSON and in the request; and for the code that
sends, including free blocks that are too small."""
_AGENT = "User-Agent", "realer-firmware/" + VERSION  # RFC 9110, section 10.1.5


class Https:
    """One persistent connection to the cloud. `account`: see Account. Set `source` before the first request."""

    def __init__(self, account):
        cfg = account.cfg
        clock = account.clock
        host, _, port = cfg["base_url"][8:].rstrip("/").partition(":")
        self.account = account
        self.clock = clock
        self.client = Client(account.net, clock, host, int(port or 443), account.view)
        self.limiter = RateLimiter(cfg["poll_s"] * 1000, clock.ms(), account.pacing)
        self.turn = asyncio.Lock()
        # `most`: the last result of `most_reports`.
        self.source = self.large = self.unit = self.most = None
        # ETags: of the commands in use, set by the source; of the last response.
        self.tag = self.last_tag = ""

    def unload(self):
        """Close, and store the state for a later Https in the account. Never raises."""
        self.client.close()
        self.account.pacing = self.limiter.state()
        self.account.memo = self.source.memo()

    async def next_desired(self):
        """Wait for the next poll, at most 20 s, and return desired values, None if there are none yet."""
        if await self.slot(self.limiter.poll_wait_ms):
            return await self.source.poll()
        return None

    async def most_reports(self):
        """Wait until a report may be sent, at most 20 s, and return how many may be in one request, as far as memory
        allows; 0: none yet."""
        if not await self.slot(self.limiter.report_wait_ms):
            return 0
        most = min(self.limiter.most, (self.account.net.heap_free() - _SPARE) // _REPORT)
        self.most = max(most, 1)
        return self.most

    async def exchange(self, what, text="", strict=True):
        """Make the request `what`; return (outcome, JSON, text for the log). `text`: JSON to send, "" for a GET.

        After a 401 or 403 the same request is repeated once with a fresh token. If it is refused again, or with 402,
        the lease ends and AuthError is raised. Without `strict` the outcome is returned instead, because the refusal
        may concern this request alone. LinkError for RETRY.
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
        """Return the JSON of the catalog or values `what`, None if the rate limit allows no request. LinkError,
        AuthError."""
        outcome, body, message = await self.exchange(what)
        if outcome == outcomes.NOT_FOUND:
            raise self.refused(outcome, message)
        if outcome not in (outcomes.OK, outcomes.RATE_LIMITED):
            raise LinkError(message)
        return body if outcome == outcomes.OK else None

    async def have_token(self):
        """Get a token if there is none, or renew it if that is due. LinkError, AuthError: there is no valid token."""
        await self.turn.acquire()
        try:
            await self.authorize()
        finally:
            self.turn.release()

    async def connected(self):
        """Connect if there is no connection. The TLS handshake follows with the next request. LinkError."""
        try:
            await self.client.connect()
        except NetError as e:
            raise LinkError(self.account.net.explain(e))

    async def slot(self, wait_ms):
        """Wait as long as `wait_ms(now)` says, at most `_REST_MS`. Return whether that was long enough."""
        await self.clock.sleep_ms(min(wait_ms(self.clock.ms()), _REST_MS))
        return not wait_ms(self.clock.ms())

    async def paced(self, what, request):
        """Wait for the rate limit, then make a request; see `call`."""
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
        """Make a request at once; return (outcome, JSON, text for the log, Retry-After in s). The JSON is () if the
        commands have not changed (304). LinkError."""
        account = self.account
        method, target, headers, body = request
        tag = self.tag if what == "commands" else ""
        if tag:
            headers += (("If-None-Match", tag),)
        try:
            # A token is kept whole, whatever its length.
            sink = None if what == "token" else self.sink
            response = await self.client.request(method, target, headers + (_AGENT,), body, sink)
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
        """Return a function that takes the parts of a large body, see http1.message."""
        self.unit = Unit(_large_body, self.clock.sleep_ms)
        self.large = self.unit.load()(self.account)
        return self.large.feed

    def accept(self, outcome, body, message, wait_s):
        """Return the JSON of a login response. LinkError: rate limit. AuthError: refused."""
        if outcome == outcomes.RATE_LIMITED:
            raise LinkError(message, wait_s)
        if outcome != outcomes.OK:
            raise self.refused(outcome, message)
        return body

    def refused(self, outcome, message):
        """End the lease, and return the AuthError to raise."""
        message += "; " + responses.remedy(outcome, message)
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
        """Get or renew the token if that is due, see `renewal`."""
        account = self.account
        if account.token and not account.lease.renewal.passed(self.clock.ms()):
            return
        error = None
        try:
            await self.connected()  # before the login is loaded: not both in memory at once
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
