"""A contact, such as that of a door, a float switch or a limit switch: 1 while it is active, else 0."""

from micropython import const

from firmware.core.errors import DriverError

RULES = """

digital
gpio $inputs
active low|high
pull up|down|none
debounce_ms 5..500 =30
period_s 1..3600 =1

"""

_STEP_MS = const(5)
_LONGEST_MS = const(2000)


def driver(cfg, board, clock, store):
    return Digital(cfg, board, clock)


class Digital:
    def __init__(self, cfg, board, clock):
        self.contact = board.button(cfg["gpio"], cfg["active"] == "low", cfg["pull"])
        self.clock = clock
        self.debounce_ms = cfg["debounce_ms"]

    async def read(self):
        """Return a tuple with 1.0 or 0.0 once the level has been stable for `debounce_ms`. DriverError: it was not
        within two seconds."""
        before, held_ms = None, 0
        for _ in range(_LONGEST_MS // _STEP_MS):
            active = self.contact.active()
            held_ms = held_ms + _STEP_MS if active == before else 0
            if held_ms >= self.debounce_ms:
                return (float(active),)
            before = active
            await self.clock.sleep_ms(_STEP_MS)
        raise DriverError("its level keeps changing: a loose contact, or nothing connected")
