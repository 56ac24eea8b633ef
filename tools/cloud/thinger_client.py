"""The REST side of Thinger.io as documented: what a person, a script or a test asks about a device.

A password is used once, for a token, and not kept.
"""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Any

import aiohttp

_WITHIN_S = 25


class NoAnswer(Exception):
    """Not what was hoped for: `status` of HTTP, 0 where there was none, and words that hold no secret."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status} {text}".strip() if status else text)
        self.status = status


class Account:
    """`async with Account(url, user, device) as account:`. `tls`: trusts the server; `token`: of the account or the
    device, until `login` gets one; `within_s`: how long an answer may take."""

    def __init__(
        self, url: str, user: str, device: str, tls: ssl.SSLContext | None = None, token: str = "",
        within_s: float = _WITHIN_S,
    ) -> None:  # fmt: skip
        self.url, self.user, self.device, self.token = url.rstrip("/"), user, device, token
        self.refresh_token = ""
        self._connector = aiohttp.TCPConnector(ssl=tls or True)
        self._session = aiohttp.ClientSession(
            connector=self._connector, timeout=aiohttp.ClientTimeout(within_s)
        )

    async def __aenter__(self) -> Account:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ask(self, method: str, path: str, **body: Any) -> Any:
        """The JSON of an answer, None when it is empty. `body`: `json` or `data` of aiohttp. NoAnswer."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            async with self._session.request(method, self.url + path, headers=headers, **body) as answer:
                if answer.status != 200:
                    raise NoAnswer(answer.status, (await answer.text())[:200])
                return await answer.json(content_type=None) if await answer.read() else None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer(0, f"{self.url}: {str(error) or 'no answer in time'}") from None

    async def login(self, password: str) -> None:
        """Password grant; the account's token is used from now on."""
        await self._grant({"grant_type": "password", "username": self.user, "password": password})

    async def refresh(self) -> None:
        """Refresh grant: a fresh pair of tokens for the refresh token, which serves once."""
        await self._grant({"grant_type": "refresh_token", "refresh_token": self.refresh_token})

    async def _grant(self, form: dict[str, str]) -> None:
        pair = await self.ask("POST", "/oauth/token", data=form)
        self.token, self.refresh_token = pair["access_token"], pair["refresh_token"]

    async def stats(self) -> dict[str, Any]:
        return await self.ask("GET", f"/v1/users/{self.user}/devices/{self.device}/stats")

    async def resources(self) -> dict[str, dict[str, int]]:
        """{name: {"fn": 1 run, 2 input, 3 output}}."""
        return await self.ask("GET", f"{self._device}/api")

    async def shown(self, resource: str) -> Any:
        """What the console shows of a resource: {"in": value} or {"out": value}."""
        return await self.ask("GET", f"{self._device}/{resource}/api")

    async def read(self, resource: str) -> Any:
        """The value of an output; runs what can be run."""
        answer = await self.ask("GET", f"{self._device}/{resource}")
        return answer["out"] if answer else None

    async def write(self, resource: str, value: Any) -> None:
        await self.ask("POST", f"{self._device}/{resource}", json={"in": value})

    @property
    def _device(self) -> str:
        return f"/v2/users/{self.user}/devices/{self.device}"
