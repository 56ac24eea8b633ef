"""Asks the Realer API, from the host, which ports a device has: these a configuration has to map to pins.

It makes three requests (token, commands, sensors), revokes the token, and explains every refusal. It verifies the
certificate with the device's own roots and nothing else, and follows no redirect. No key or response is part of a text.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import aiohttp

from tools.common import Failed

_TIMEOUT = aiohttp.ClientTimeout(total=20)
_LARGEST = 256 * 1024
_REFUSED = {
    400: ("the cloud refused the keys", "Copy client_id and client_secret again from the dashboard."),
    401: ("the cloud refused the keys", "Copy client_id and client_secret again from the dashboard."),
    402: ("the subscription is not active", "Renew it in the dashboard."),
    403: (
        "these keys may not read this device",
        "Compare device_id with the dashboard, and the device's policy there.",
    ),
    404: ("the cloud does not know this device", "Compare device_id with the dashboard."),
    429: ("too many requests for this plan", "Wait a minute and try again."),
}


@dataclass(frozen=True)
class Port:
    """A row of the catalog: `role` "output" or "sensor", `kind` as the cloud calls it."""

    pin_port: str
    role: str
    kind: str


def read(cloud: Mapping[str, Any], roots: Sequence[bytes]) -> list[Port]:
    """The ports of the device that the section `cloud` of a configuration names. Raises Failed.

    `roots`: DER certificates. Rows that the cloud marks as faulty are left out.
    """
    context = ssl.create_default_context(cadata=b"".join(roots))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        return asyncio.run(_read(cloud, context))
    except aiohttp.ClientConnectorCertificateError:
        raise Failed(
            "the server's certificate does not verify with this root", "Run: realer ca HOST"
        ) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise Failed(f"{cloud['base_url']} cannot be reached: {reason}", "Is this computer online?") from None


async def _read(cloud: Mapping[str, Any], context: ssl.SSLContext) -> list[Port]:
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(cloud["base_url"], connector=connector, timeout=_TIMEOUT) as session:
        names = cloud["client_id"], cloud["client_secret"]
        if cloud.get("basic_auth") == "form":
            names = quote_plus(names[0]), quote_plus(names[1])
        keys = {"Authorization": aiohttp.encode_basic_auth(*names)}
        grant = {"grant_type": "client_credentials"}
        answer = await _answer(session, "POST", "/oauth/token", headers=keys, data=grant)
        token = answer.get("access_token")
        if not isinstance(token, str):
            raise Failed("the login response has no token", "Is cloud.base_url right?")
        try:
            path, bearer = f"/iot/v1/devices/{cloud['device_id']}", {"Authorization": f"Bearer {token}"}
            return [
                Port(row["pin_port"], role, str(row.get("kind")))
                for resource, role in (("commands", "output"), ("sensors", "sensor"))
                for row in _rows(
                    await _answer(session, "GET", f"{path}/{resource}", headers=bearer), resource
                )
            ]
        finally:
            await session.post("/oauth/revoke", headers=keys, data={"token": token}, allow_redirects=False)


async def _answer(session: aiohttp.ClientSession, method: str, path: str, **options: Any) -> dict[str, Any]:
    async with session.request(method, path, allow_redirects=False, **options) as response:
        body = await response.content.read(_LARGEST)
    if response.status != 200:
        what, do = _REFUSED.get(
            response.status, (f"the cloud answered HTTP {response.status}", "Try again later.")
        )
        raise Failed(what, do)
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Failed(f"the answer to {path} is not a JSON object", "Is cloud.base_url right?")
    return answer


def _rows(answer: dict[str, Any], resource: str) -> list[dict[str, Any]]:
    rows = answer.get(resource)
    if not isinstance(rows, list):
        raise Failed(f"the cloud's answer has no {resource}", "Is cloud.base_url right?")
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("pin_port"), str)]
