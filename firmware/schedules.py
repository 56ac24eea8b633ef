"""The loop of the schedules: loaded only where an output has one."""

from micropython import const

from firmware.core.schedule import Schedules
from firmware.core.zone import parse

_STEP_MS = const(5000)


class ScheduleLoop:
    """`zone`: POSIX TZ text that the check has accepted; `plans`: (output, its normalized `schedule`) each."""

    def __init__(self, clock, log, safety, zone, plans):
        self.clock = clock
        self.safety = safety
        self.schedules = Schedules(parse(zone), plans, log)

    async def run(self, feed):
        while True:
            feed()
            self.schedules.apply(self.clock.utc(), self.safety.faults)
            await self.clock.sleep_ms(_STEP_MS)
