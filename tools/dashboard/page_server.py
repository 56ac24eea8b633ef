"""The dashboard on a socket: the page, a WebSocket with the feeds of all devices, and one address that takes calls.

It listens on loopback. Whoever has no token gets nothing; it is part of the address, which goes to the person alone. A
page elsewhere that makes a browser come here, also under another name (DNS rebinding), fails at Host and Origin.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from aiohttp import WSCloseCode, web

from tools.dashboard.actions import Wrong
from tools.dashboard.panel import PANEL
from tools.dashboard.watch import Watch
from tools.env import uplot

PAGE = Path(__file__).parent / "page"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_LIBRARY = {"uplot.js": "uPlot.esm.js", "uplot.css": "uPlot.min.css"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LARGEST = 4096
_PACE_S = 0.1
"""Between two messages to one page."""
_HEARTBEAT_S = 15

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Dashboard:
    """`async with Dashboard([device, ...]) as page:` then `page.url`. `pages`: how many are open."""

    def __init__(self, devices: Sequence[Watch]) -> None:
        self._devices, self._port = devices, 0
        self._library = uplot.find()
        self._token = secrets.token_urlsafe(24)
        self._sockets: dict[web.WebSocketResponse, asyncio.Event] = {}
        self._runner: web.AppRunner | None = None

    @property
    def pages(self) -> int:
        return len(self._sockets)

    @property
    def has_charts(self) -> bool:
        """Whether the library that draws them is here."""
        return self._library is not None

    @property
    def url(self) -> str:
        """The address for the person; it has the token in it."""
        return f"http://127.0.0.1:{self._port}/{self._token}/"

    async def __aenter__(self) -> Dashboard:
        application = web.Application(middlewares=[self._guarded], client_max_size=_LARGEST)
        application.router.add_get("/{token}/live", self._live)
        application.router.add_get("/{token}/{file:[^/]*}", self._file)
        application.router.add_post("/{token}/do", self._do)
        application.on_response_prepare.append(_secured)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        for device in self._devices:
            device.feed.on_change = self._changed
        return self

    async def __aexit__(self, *_: object) -> None:
        for device in self._devices:
            device.feed.on_change = lambda: None
        for socket in list(self._sockets):
            with contextlib.suppress(ConnectionError):
                await socket.send_str('{"ended":true}')
            await socket.close(code=WSCloseCode.GOING_AWAY)
        if self._runner:
            await self._runner.cleanup()

    def _changed(self) -> None:
        for changed in self._sockets.values():
            changed.set()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        hosts = [f"{name}:{self._port}" for name in ("127.0.0.1", "localhost")]
        if request.host not in hosts:
            return _refused(421, "Host", "is not that of this dashboard")
        token = request.match_info.get("token", "")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return _refused(403, "address", "is not complete: open the one that the demo printed")
        writes = request.method not in ("GET", "HEAD")
        origin = request.headers.get("Origin")
        asks = writes or "Upgrade" in request.headers
        if (origin or asks) and origin not in [f"http://{host}" for host in hosts]:
            return _refused(403, "Origin", "is not this dashboard")
        return await handler(request)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["file"] or "index.html"
        if name in _LIBRARY:
            path = self._library / _LIBRARY[name] if self._library else None
        else:
            path = next((path for path in PAGE.iterdir() if path.name == name), None)
        return _content(path) if path else _refused(404, "file", "is not there")

    async def _do(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/json":
            return _refused(415, "Content-Type", "must be application/json")
        try:
            call = json.loads(await request.read())
        except web.HTTPRequestEntityTooLarge:
            return _refused(413, "body", f"must have at most {_LARGEST} bytes")
        except (ValueError, RecursionError):
            return _refused(400, "body", "must be JSON")
        number = call.pop("device", 0) if isinstance(call, dict) else 0
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(self._devices):
            return _refused(400, "device", f"must be 0 to {len(self._devices) - 1}")
        try:
            await self._devices[number].do(call)
        except Wrong as wrong:
            return _refused(400, wrong.field, wrong.text)
        return web.Response(status=204)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=_LARGEST)
        await socket.prepare(request)
        changed = self._sockets[socket] = asyncio.Event()
        telling = asyncio.create_task(self._tell(socket, changed))
        try:
            async for _ in socket:  # a page says nothing here
                pass
        finally:
            del self._sockets[socket]
            telling.cancel()
        return socket

    async def _tell(self, socket: web.WebSocketResponse, changed: asyncio.Event) -> None:
        """All there is, and then what changes; the next part when the page has taken the one before."""
        await socket.send_str(json.dumps({"panel": PANEL, "charts": self.has_charts}))
        counts = [0] * len(self._devices)
        with contextlib.suppress(ConnectionError):
            while True:
                changed.clear()
                news = [device.feed.since(count) for device, count in zip(self._devices, counts, strict=True)]
                counts = [part["n"] for part in news]
                if any(len(part) > 1 for part in news):
                    await socket.send_str(json.dumps({"devices": news}, separators=(",", ":")))
                await asyncio.sleep(_PACE_S)
                await changed.wait()


async def _secured(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _content(path: Path) -> web.Response:
    return web.Response(body=path.read_bytes(), content_type=_TYPES[path.suffix], charset="utf-8")


def _refused(status: int, field: str, text: str) -> web.Response:
    return web.json_response({"field": field, "error": text}, status=status)
