"""The tokens of the simulated Thinger.io: who may do what, as signed JSON (JWT, HS256).

It has the two grants of `/oauth/token`, and tokens for one device. A refresh token is valid once; its `jti` stays the
same through a chain of refreshes and is new at each login. No two tokens are the same. A token that another model
signed is refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from dataclasses import dataclass, field
from typing import Any

ACCESS_S = 7200
REFRESH_S = 61 * 86400


class NoSuchToken(Exception):
    """Forged, expired, used up or revoked."""


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Tokens:
    chance: random.Random
    chains: dict[str, tuple[str, str]] = field(
        default_factory=dict
    )  # jti: user, the refresh token that is good

    def __post_init__(self) -> None:
        self._key = self.chance.randbytes(32)
        self._latest = 0

    def new_id(self) -> str:
        return self.chance.randbytes(12).hex()

    def sign(self, claims: dict[str, Any]) -> str:
        head = _b64(b'{"alg":"HS256","typ":"JWT"}')
        text = f"{head}.{_b64(json.dumps(claims, separators=(',', ':')).encode())}"
        return f"{text}.{_b64(hmac.digest(self._key, text.encode(), hashlib.sha256))}"

    def claims(self, token: str, now: float) -> dict[str, Any]:
        """What a token says. NoSuchToken."""
        try:
            claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        except (IndexError, ValueError):
            raise NoSuchToken from None
        if self.sign(claims) != token or claims.get("exp", now + 1) <= now:
            raise NoSuchToken
        return claims

    def login(self, user: str, now: float) -> dict[str, Any]:
        """The answer to a good password."""
        return self._pair(user, self.new_id(), now)

    def refresh(self, token: str, now: float) -> dict[str, Any]:
        """The answer to a refresh token. NoSuchToken."""
        jti = self.claims(token, now).get("jti", "")
        user, good = self.chains.get(jti, ("", ""))
        if token != good:
            raise NoSuchToken
        return self._pair(user, jti, now)

    def _pair(self, user: str, jti: str, now: float) -> dict[str, Any]:
        # Pairs of the same second would be the same, and a used refresh token would be good again.
        at = self._latest = max(int(now), self._latest + 1)
        access = self.sign({"exp": at + ACCESS_S, "iat": at, "usr": user})
        refresh = self.sign({"exp": at + REFRESH_S, "iat": at, "jti": jti})
        self.chains[jti] = user, refresh
        return {"access_token": access, "expires_in": ACCESS_S, "refresh_token": refresh, "scope": None,
                "token_type": "bearer"}  # fmt: skip
