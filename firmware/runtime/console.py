"""The loop of the console: after `status` and Enter it prints the status as one line of JSON, while the device runs.

Nothing that is typed is executed. Ctrl-C leads to the REPL at any time.
"""

import select
import sys
from micropython import const

_LOOK_MS = const(200)
_KEYS = const(32)


class ConsoleLoop:
    """`device`: the Device. `sink(text)`: prints the answer."""

    def __init__(self, clock, device, sink):
        self.clock = clock
        self.device = device
        self.sink = sink

    async def run(self, feed):
        # Bytes, because a text stream would block after noise on the line that looks like part of a character.
        keys = sys.stdin.buffer
        poller = select.poll()
        poller.register(sys.stdin, select.POLLIN)
        word = b""
        while True:
            feed()
            for _ in range(_KEYS):
                if poller.poll(0):
                    word = (word + keys.read(1))[-7:]
                    if word == b"status\r":
                        word = b""
                        self.sink(self.device.status())
            await self.clock.sleep_ms(_LOOK_MS)
