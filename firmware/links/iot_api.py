"""Authorized requests to iot/v1: OAuth 2.0 client credentials and Bearer tokens. The rest is `realer_api`'s."""

from firmware.cloud import realer, words
from firmware.links.realer_api import RealerApi


class IotApi(RealerApi):
    """See RealerApi. `scopes`: what tokens are asked for, "" for the server's own choice."""

    scopes = ""

    async def login(self):
        return words.grant(
            self.accept(*(await self.call("token", realer.oauth(self.cfg, None, self.scopes))))
        )

    async def give_back(self, token):
        """Realer API, section 3.2."""
        await self.call("revoke", realer.oauth(self.cfg, token))

    def request(self, what, text):
        return realer.request(self.cfg, self.token, what, text)
