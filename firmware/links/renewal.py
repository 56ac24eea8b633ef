"""Requests a token, and handles its failure. In memory only for that."""

from firmware.core.errors import LinkError
from firmware.core.timing import Timer


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
        if not account.token or lease.token.passed(asked):
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
