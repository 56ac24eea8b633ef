"""The loop of the schedules. Loaded only if an output has one."""

from micropython import const

from firmware.core.schedule import Schedules
from firmware.core.zone import parse

_STEP_MS = const(5000)


class ScheduleLoop:
    """`zone`: a valid POSIX TZ rule. `plans`: pairs of an output and its normalized `schedule`."""

    def __init__(self, clock, log, safety, zone, plans):
        self.clock = clock
        self.safety = safety
        self.schedules = Schedules(parse(zone), plans, log)

    async def run(self, feed):
        while True:
            feed()
            self.schedules.apply(self.clock.utc(), self.safety.faults)
            await self.clock.sleep_ms(_STEP_MS)
