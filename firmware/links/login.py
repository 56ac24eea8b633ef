"""The login of iot/v1. In memory only while a token is requested or revoked."""

from firmware.cloud import keys, oauth
from firmware.core import outcomes


class Login:
    """`http`: an Https."""

    def __init__(self, http):
        self.http = http
        self.account = http.account

    async def token(self, scopes):
        """Return (token, expires_s, renew_s) of a fresh token. LinkError, AuthError."""
        answer = await self.http.call("token", oauth.oauth(self.account.cfg, None, scopes))
        self.account.no_oauth = answer[0] == outcomes.NOT_FOUND
        return keys.grant(self.http.accept(*answer))

    async def revoke(self, token):
        await self.http.call("revoke", oauth.oauth(self.account.cfg, token))

    def scopes(self):
        """Return the scopes to request, "" for the server's choice."""
        return oauth.scopes(self.account.cfg)
