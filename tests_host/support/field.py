"""A device with updates over the air, and the server of its bundles."""

import contextlib
import functools
import http.server
import io
import json
import threading

from aiohttp import web

from tools.cli import update_bundle
from tools.cloud.demo_device import demo_device
from tools.cloud.entities import Command
from tools.fixture.system import SystemFixture
from tools.repository import ROOT

KEY = "test-update-key-not-real"
PORT = "99"


class NoRanges(http.server.SimpleHTTPRequestHandler):
    """What `python -m http.server` answers with: HTTP/1.0, and the whole file whatever part was asked for."""

    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


class Field(SystemFixture):
    """A device somewhere, and a web server with bundles. `key`: the one the device was given; `ranges`: whether the
    server answers them; `authority`: whose certificate it has (default: the cloud's); `asked`: paths that were;
    `also(config)`: changes the configuration, too; `more`: of SystemFixture."""

    def __init__(self, found, folder, key=KEY, ranges=True, authority=None, also=lambda config: None, **more):
        self.ranges = ranges
        self.authority = authority
        self.also = also
        self.asked = []
        self.bundles = folder / "bundles"
        self.bundles.mkdir()
        self.key = key
        self._config = folder / "config.json"
        self._config.write_text(json.dumps({"update": {"key": KEY}}))
        self._server = contextlib.AsyncExitStack()
        device = demo_device()
        device.commands.append(Command(9, PORT, value="0", limits=(0, 999999, 1)))
        super().__init__(found, edit=self.with_update, device=device, **more)

    def with_update(self, config):
        config["update"] = {"pin_port": PORT, "url": self.url, "key": self.key, "prove_s": 5}
        self.also(config)

    async def __aenter__(self):
        port = await (self._serve() if self.ranges else self._serve_whole())
        self.url = f"https://api.realer.test:{port}"
        return await super().__aenter__()

    async def __aexit__(self, *error):
        await super().__aexit__(*error)
        await self._server.aclose()

    def leaf(self):
        return (self.authority or self.site.certs).leaf()

    async def _serve(self):
        @web.middleware
        async def note(request, handler):
            self.asked.append(request.path)
            return await handler(request)

        app = web.Application(middlewares=[note])
        app.router.add_static("/firmware", self.bundles)
        runner = web.AppRunner(app)
        self._server.push_async_callback(runner.cleanup)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.leaf())
        await site.start()
        return site._server.sockets[0].getsockname()[1]

    async def _serve_whole(self):
        (self.bundles / "firmware").symlink_to(self.bundles)
        handler = functools.partial(NoRanges, directory=self.bundles)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.asked, server.daemon_threads = self.asked, True
        server.socket = self.leaf().wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._server.callback(server.server_close)
        self._server.callback(server.shutdown)
        return server.server_port

    def trust(self, **roots):
        """Let the owner's configuration name these root certificates, DER by name; bundles bring them from now on."""
        for name, der in roots.items():
            self._config.with_name(name).write_bytes(der)
        cloud = {"ca_files": list(roots)}
        self._config.write_text(json.dumps({"update": {"key": KEY}, "cloud": cloud}))

    def publish(self, number, tree=ROOT):
        arguments = [
            str(number),
            "--config",
            str(self._config),
            "--out",
            str(self.bundles),
            "--tree",
            str(tree),
        ]
        with contextlib.redirect_stdout(io.StringIO()) as output:
            assert update_bundle.main(arguments) == 0
        assert KEY not in output.getvalue()

    async def runs(self):
        """(version, slot) of what the board runs."""
        status = await self.status()
        return status["version"], status["slot"]

    async def refuses(self, number):
        """Wait until it has looked at a bundle that was asked for, and has done with it."""
        looked = lambda: any(path.startswith(f"/firmware/{number}/") for path in self.asked)  # noqa: E731
        await self.until(f"bundle {number} is looked at", looked, 60)
        await self.until(f"bundle {number} is refused", lambda: "asked" not in self.record(), 60)
        await self.online()

    def record(self):
        """The record of slots, {} where there is none; boot.py, which rewrites it in place, may be at it: on littlefs
        that is one step."""
        if not (self.flash / "slot.json").exists():
            return {}
        while not (text := (self.flash / "slot.json").read_text()).endswith("}"):
            pass
        return json.loads(text)
