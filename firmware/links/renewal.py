"""Requests a token, and decides what a failure means: in memory only while that goes on."""

from firmware.core.errors import LinkError
from firmware.core.timing import Timer


async def renew(http, error):
    """Let an Https have a fresh token. `error`: a LinkError, there is no connection. Renewal begins while the old token
    still works; its failure is no failure of the request. LinkError, AuthError."""
    account = http.account
    lease = account.lease
    asked = http.clock.ms()
    scopes = http.source.scopes()
    try:
        if error:
            raise error
        account.token, expires_s, renew_s = await http.source.login(scopes)
    except LinkError as e:
        if not account.token or lease.token.passed(asked):
            # Nothing is left to rely on.
            lease.end(str(e))
            raise
        wait = max(account.renewals.next_ms(account.rng()), e.retry_after_s * 1000)
        lease.renewal = Timer(http.clock.ms(), wait)
        account.log("warning", "token not renewed: %s" % e)
        return
    account.asked_scopes = scopes
    lease.grant(asked, expires_s, renew_s, account.rng())
    account.renewals.reset()
    account.log("info", "token valid for %d s" % expires_s)
