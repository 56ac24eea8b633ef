"""One mosquitto process: its private folder, its configuration, its start and end, and its log.

Devices connect by TLS on loopback only; the backend has a Unix socket in the private folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

from tools.cloud.brokerlog import BrokerLog, News
from tools.common import Failed
from tools.env import mosquitto

_CONFIG = """\
{user}listener {port} 127.0.0.1
certfile {leaf}
keyfile {leaf}
listener 0 {backend}
per_listener_settings false
allow_anonymous false
plugin {plugin}
plugin_opt_config_file {accounts}
persistence false
max_queued_messages 10000
set_tcp_nodelay true
sys_interval 0
log_dest stderr
log_type all
log_timestamp false
"""
_START_S = 10


class BrokerError(Failed):
    """mosquitto did not start or refused a command; the text is its log."""


class MosquittoProcess:
    """`on_news` gets the lines of the log; `on_end` is called when the process ends unexpectedly."""

    def __init__(self, on_news: Callable[[News], None], on_end: Callable[[], None]) -> None:
        self._on_news, self._on_end = on_news, on_end
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._said: list[str] = []

    @property
    def home(self) -> Path:
        """The private folder, readable by this user only."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="broker-")
        return Path(self._folder.name)

    @property
    def backend(self) -> Path:
        """The socket for the cloud itself."""
        return self.home / "backend"

    async def start(self, port: int, leaf: Path, accounts: str) -> None:
        """Returns when it listens. Raises BrokerError, or Failed where there is none."""
        program, file, config = mosquitto.find(), self.home / "accounts.json", self.home / "mosquitto.conf"
        file.write_text(accounts)
        # Started by root it would become a user who may read neither its key nor its accounts.
        user = "user root\n" if os.geteuid() == 0 else ""
        paths = {"leaf": leaf, "backend": self.backend, "plugin": program.plugin, "accounts": file}
        config.write_text(_CONFIG.format(user=user, port=port, **paths))
        self._process = await asyncio.create_subprocess_exec(
            *program.argv, "-c", str(config), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        runs: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        assert self._process.stderr is not None
        self._said = []
        self._reader = asyncio.create_task(self._read(self._process.stderr, runs))
        await asyncio.wait([runs], timeout=_START_S)
        if not (runs.done() and runs.result()):
            await self.stop()
            raise BrokerError("mosquitto did not start: " + " | ".join(self._said[-3:]))

    async def stop(self) -> bool:
        """End it; False when it was not running."""
        process, self._process = self._process, None
        if process is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            process.send_signal(signal.SIGCONT)
        await process.wait()
        if self._reader:
            await self._reader
        return True

    def signal(self, number: int) -> None:
        if self._process:
            self._process.send_signal(number)

    def clean(self) -> None:
        if self._folder:
            self._folder.cleanup()
            self._folder = None

    async def _read(self, log: asyncio.StreamReader, runs: asyncio.Future[bool]) -> None:
        reader = BrokerLog()
        while line := (await log.readline()).decode(errors="replace").rstrip("\n"):
            if not runs.done():
                self._said.append(line)
                if line.endswith(" running"):
                    runs.set_result(True)
            for news in reader.read(line):
                self._on_news(news)
        if not runs.done():
            runs.set_result(False)
        elif self._process is not None:
            self._on_end()
