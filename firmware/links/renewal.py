"""Requests a token, and handles its failure. In memory only for that."""

from micropython import const

from firmware.core.errors import LinkError
from firmware.core.timing import Timer

_REST_MS = const(30000)
_LEAST_MS = const(5000)


async def renew(http, error):
    """Request a token for an Https and store it. `error`: the LinkError of connecting, or None. While the old token is
    valid, a failure is logged and tried again later. LinkError, AuthError: there is no valid token."""
    account = http.account
    lease = account.lease
    asked = http.clock.ms()
    scopes = http.source.scopes()
    try:
        if error:
            raise error
        account.token, expires_s, renew_s = await http.source.login(scopes)
    except LinkError as e:
        left_ms = lease.token.left_ms(asked)
        if not (account.token and left_ms):
            lease.end(str(e))
            raise
        # Rare at first, because with one connection at a time each attempt interrupts an MQTT session.
        wait = max(left_ms // 4, min(left_ms // 2, _REST_MS), _LEAST_MS, e.retry_after_s * 1000)
        lease.renewal = Timer(http.clock.ms(), wait)
        account.log("warning", "token not renewed: %s; next try in %d s" % (e, wait // 1000))
        return
    account.asked_scopes = scopes
    lease.grant(asked, expires_s, renew_s, account.rng())
    account.log("info", "token valid for %d s" % expires_s)
