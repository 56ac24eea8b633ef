"""Authorized requests to iot/v1: OAuth 2.0 client credentials and Bearer tokens. The rest is `realer_api`'s."""

from firmware.cloud import realer, words
from firmware.core import verdict as v
from firmware.links.realer_api import RealerApi


class IotApi(RealerApi):
    """See RealerApi. `scopes`: what tokens are asked for, "" for the server's own choice."""

    scopes = ""
    missing = False  # there is no such thing as OAuth on this server

    async def login(self):
        answer = await self.call("token", realer.oauth(self.cfg, None, self.scopes))
        self.missing = answer[0] == v.GONE
        return words.grant(self.accept(*answer))

    async def give_back(self, token):
        """Realer API, section 3.2."""
        await self.call("revoke", realer.oauth(self.cfg, token))

    def request(self, what, text):
        return realer.request(self.cfg, self.token, what, text)
