"""Authorized requests to the Realer API: the token, the lease, the cadence, and the common part of every answer.

Owns the lease, because only it hears the cloud's word on authorization, and the token, which never leaves it. Answers that
concern authorization or the server's health are dealt with here; what remains goes to the link. What an answer means is
the table in `core.verdict`; bytes are `http1`'s business. Only LinkError and AuthError escape.
"""

import asyncio
import json
from micropython import const

from firmware.cloud import realer
from firmware.core import verdict as v
from firmware.core.errors import AuthError, LinkError
from firmware.core.safety import Lease
from firmware.core.timing import Backoff, Cadence
from http1.message import HttpError
from netio.errors import NetError

_SLICE_MS = const(20000)
_REVOKE_MS = const(5000)


class RealerApi:
    """`cfg`: the `cloud` section of the config; `client`: an `http1.client.Client`; `rng()`: 32 random bits;
    `say(level, text)`: the log; `alive()`: called at least every 20 s while this waits for the rate limit."""

    def __init__(self, cfg, client, clock, rng, say, alive):
        self._cfg = cfg
        self._client = client
        self._clock = clock
        self._rng = rng
        self._say = say
        self._alive = alive
        self._token = None
        self._renewals = Backoff(5000, 60000)
        self._turn = asyncio.Lock()
        self.cadence = Cadence(cfg["poll_s"] * 1000, clock.ms())
        self.lease = Lease(clock.ms())

    def __repr__(self):
        return "RealerApi(%r)" % self.lease

    async def exchange(self, method, what, text=None, is_poll=False):
        """One request under the device's path: (verdict, JSON, HTTP status). `text`: JSON text of the body, or None.

        A 401 or 403 is answered with one fresh token and one repetition of the very same request. REAUTH, UNPAID,
        FORBIDDEN and RETRY are dealt with or raised here and never come back.
        """
        async with self._turn:
            await self._authorize()
            found, body, response = await self._request(method, what, text, is_poll)
            if found in (v.REAUTH, v.FORBIDDEN):
                self._say(
                    "warning",
                    "%s: %s; asking for a fresh token" % (what, realer.complaint(response.status, body)),
                )
                await self._fresh_token()
                found, body, response = await self._request(method, what, text, is_poll)
        if found == v.REAUTH:
            raise self.refused("unauthorized", "the cloud refuses a token it has just issued")
        if found == v.FORBIDDEN:
            raise self.refused("forbidden", "forbidden: check cloud.device_id and the device's policy")
        if found == v.UNPAID:
            raise self.refused("subscription", "subscription inactive")
        if found == v.RETRY:
            raise LinkError("%s: HTTP %d" % (what, response.status), response.retry_after_s)
        return found, body, response.status

    def refused(self, reason, text):
        """End the lease; the AuthError to raise."""
        self._token = None
        self.lease.end(text)
        return AuthError(reason, text)

    def close(self):
        self._client.close()

    async def shutdown(self):
        """Give the token back (Realer API, section 3.2): best effort within five seconds."""
        token, self._token = self._token, None
        self.lease.end("shut down")
        if token:
            try:
                await self._clock.within(
                    _REVOKE_MS, self._oauth(realer.REVOKE_PATH, realer.revoke_body(token))
                )
            except (LinkError, OSError, asyncio.TimeoutError):
                pass
        self.close()

    # -- one request --

    async def _request(self, method, what, text, is_poll):
        await self._await_turn()
        self.cadence.started(self._clock.ms(), is_poll)
        headers = [("Authorization", realer.bearer(self._token)), ("Accept", "application/json")]
        if text is not None:
            headers.append(("Content-Type", "application/json"))
            text = text.encode()
        try:
            response = await self._call(method, realer.path(self._cfg["device_id"], what), headers, text)
        finally:
            self.cadence.finished(self._clock.ms())
        parsed = _parse(response.body)
        found = v.verdict(response.status, realer.code_of(parsed))
        if found == v.OK and not isinstance(parsed, dict):
            raise LinkError("%s: HTTP %d without a JSON object" % (what, response.status))
        if found == v.OK:
            self.lease.confirm()
        if found == v.SLOW:
            self.cadence.slow_down(self._clock.ms(), response.retry_after_s)
            self._say("warning", "rate limit, requests now %d s apart" % (self.cadence.gap_ms() // 1000))
        return found, parsed, response

    async def _await_turn(self):
        while True:
            wait = self.cadence.wait_ms(self._clock.ms())
            if not wait:
                return
            self._alive()
            await self._clock.sleep_ms(min(wait, _SLICE_MS))

    async def _call(self, method, target, headers, body):
        try:
            return await self._client.request(method, target, headers, body)
        except (NetError, HttpError) as e:
            raise LinkError(str(e))

    # -- authorization --

    async def _authorize(self):
        """Have a token. Renewal begins while the old one still works; its failure is no failure of the request."""
        now = self._clock.ms()
        if self._token and not self.lease.renewal_due(now):
            return
        if not self._token or self.lease.expired(now):
            await self._grant()
            return
        try:
            await self._grant()
        except AuthError:
            raise
        except LinkError as e:
            wait = max(self._renewals.next_ms(self._rng()), e.retry_after_s * 1000)
            self.lease.postpone_renewal(self._clock.ms(), wait)
            self._say("warning", "token not renewed, %d s left: %s" % (self.lease.left_ms(now) // 1000, e))

    async def _fresh_token(self):
        """The cloud does not take the token: without a new one there is no authorization left to rely on."""
        self._token = None
        try:
            await self._grant()
        except LinkError:
            self.lease.end("the cloud refused the token")
            raise

    async def _grant(self):
        asked = self._clock.ms()
        response = await self._oauth(realer.TOKEN_PATH, realer.GRANT_BODY)
        try:
            grant = realer.parse_token(response.status, _parse(response.body), response.retry_after_s)
        except AuthError as e:
            raise self.refused(e.reason, str(e))
        renewed = self._token is not None
        self._token = grant.token
        self.lease.grant(asked, grant.expires_s, grant.renew_s)
        self._renewals.reset()
        self._say("info", "token %s, valid for %d s" % ("renewed" if renewed else "issued", grant.expires_s))

    async def _oauth(self, target, body):
        headers = (
            ("Authorization", realer.basic(self._cfg["client_id"], self._cfg["client_secret"])),
            ("Content-Type", realer.FORM),
            ("Accept", "application/json"),
        )
        return await self._call("POST", target, headers, body)


def _parse(body):
    """JSON of a body, or None. A hostile body may nest deeper than the heap is: that is no JSON either."""
    try:
        return json.loads(bytes(body).decode()) if body else None
    except (ValueError, MemoryError, RuntimeError):
        return None
