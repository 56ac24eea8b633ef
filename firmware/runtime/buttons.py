"""Buttons that do more than toggle: loaded only where one is configured.

A rocker switch or a bell push has its output follow it. A long press asks for the setup portal, two very long ones in
a row for a factory reset: what was asked for is written into the boot record, and `firmware.start` does it after an
orderly restart.
"""

from micropython import const

from firmware.core.debounce import Debounce
from firmware.core.timing import Timer
from firmware.runtime.store import BOOT_RECORD

_LONG_MS = const(5000)
_VERY_LONG_MS = const(10000)
_AGAIN_MS = const(5000)  # from the end of the first very long press to the beginning of the second one


class SpecialButton(Debounce):
    """`cfg`: a normalized item of `buttons`; `index`: of its output; `store`: None in safe mode, where nothing can be
    asked for. It acts by itself, when it is released where a long press means something."""

    def __init__(self, cfg, controller, index, store):
        super().__init__(cfg["debounce_ms"])
        self.cfg = cfg
        self.controller = controller
        self.index = index
        self.store = store
        self.since = None  # of the press that lasts; one that lasted already at the start is none
        self.second = False  # it began soon after a very long one
        self.again = None  # until when the second very long press may begin

    def pressed(self, active, now):
        before = self.stable
        super().pressed(active, now)
        if before is None or self.stable == before:
            return False
        if self.cfg["mode"] != "toggle":
            self.controller.press(self.index, now, self.stable)
        elif self.stable:
            self.since = Timer(now)
            self.second = self.again is not None and not self.again.passed(now)
            self.again = None
        elif self.since:
            self.released(self.since.ms(now), now)
            self.since = None
        return False

    def released(self, held_ms, now):
        if held_ms < _LONG_MS:
            self.controller.press(self.index, now)
        elif held_ms >= _VERY_LONG_MS and self.cfg["factory_reset"]:
            if self.second:
                self.ask("factory_reset")
            else:
                self.again = Timer(now, _AGAIN_MS)
                self.controller.log("warning", "hold the button again for a factory reset")
        elif self.cfg["opens_portal"]:
            self.ask("portal")

    def ask(self, what):
        """Do it after the next start, which comes now."""
        if self.store:
            record = self.store.load(BOOT_RECORD)
            record["asked"] = what
            self.controller.restart = self.store.save(BOOT_RECORD, record)
            self.controller.log("warning", "a person asked for: " + what)
