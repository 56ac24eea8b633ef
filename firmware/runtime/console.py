"""The loop that answers at the console without stopping anything: `status` and Enter bring one line of JSON.

It reads what is typed and runs nothing: for that there is the REPL, to which Ctrl-C leads at any time.
"""

import select
import sys
from micropython import const

_LOOK_MS = const(200)
_KEYS = const(32)


class ConsoleLoop:
    """`device`: what is asked about; `sink(text)` takes the answer."""

    def __init__(self, clock, device, sink):
        self.clock = clock
        self.device = device
        self.sink = sink

    async def run(self, feed):
        # Bytes, because a text stream waits for the rest of a character, and noise on the line is half of one.
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
