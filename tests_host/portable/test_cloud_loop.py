"""The loop of the link after an attempt that failed: closed, counted, and tried again when it is time."""

from firmware.core.errors import AuthError, LinkError
from firmware.core.timing import Timer
from firmware.runtime.cloud_loop import CloudLoop
from tests_host.support.scripted import FakeClock


class Over(Exception):
    pass


class Link:
    """Every attempt to open it ends in `error`. It is its own network and the memory of that, too."""

    waits = 2000, 60000, 2000
    probing = False
    turns = memory_failures = new_memory_failure = 0

    def __init__(self, error, bits=0, up=False):
        self.error = error
        self.up = up
        self.clock = FakeClock()
        self.net = self
        self.opened = []
        self.closed = 0
        self.loop = CloudLoop(self.clock, lambda: bits, lambda *line: None, self, None, self, 60000, None)

    def watch(self, feed):
        pass

    def ready(self):
        return True

    async def open(self):
        assert self.loop.serving and self.closed == len(self.opened)
        self.opened.append(self.clock.waited_ms // 1000)
        self.loop.online, self.loop.since = self.up, Timer(self.clock.ms(), 60000)
        raise self.error

    def close(self):
        self.closed += 1

    def feed(self):
        if self.clock.waited_ms > 200000:
            raise Over

    async def attempts(self):
        try:
            await self.loop.run(self.feed)
        except Over:
            return self.opened


async def test_the_link_is_closed_while_the_next_attempt_is_waited_for():
    for error, seconds, lacks_memory in (
        (LinkError("no"), [0, 2, 5, 11, 23, 47], 0),
        (LinkError("later", 100), [0, 100, 200], 0),
        (AuthError("refused"), [0, 45, 135], 0),
        (MemoryError(), [0, 2, 5, 11, 23, 47], 1),
    ):
        link = Link(error)
        opened = await link.attempts()
        assert opened[: len(seconds)] == seconds, error
        assert (link.memory_failures, link.new_memory_failure) == (len(opened) * lacks_memory, lacks_memory)
        assert link.closed == len(opened) and not link.loop.online
        await link.loop.pause()  # at once, for nothing is open


async def test_a_connection_that_was_up_is_opened_again_at_a_random_time_unless_memory_ended_it():
    for up, lacks_memory, later_s in ((False, 0, 0), (True, 0, 9), (True, 1, 0)):
        usual = (await Link(LinkError("no"), 9000).attempts())[1]
        link = Link(LinkError("no"), 9000, up)
        link.new_memory_failure = lacks_memory
        assert (await link.attempts())[1] == usual + later_s
