"""Buttons that do more than toggle. Loaded only if one is configured.

An output can follow a rocker switch or a bell push. A press of 5 s requests the setup portal, two presses of 10 s in a
row a factory reset: the request is written into the boot record, and `firmware.start` carries it out after an orderly
restart.
"""

from micropython import const

from firmware.core.debounce import Debounce
from firmware.core.timing import Timer
from firmware.runtime.store import BOOT_RECORD

_LONG_MS = const(5000)
_VERY_LONG_MS = const(10000)
_AGAIN_MS = const(5000)  # from the end of the first very long press to the start of the second


class SpecialButton(Debounce):
    """`cfg`: a normalized item of `buttons`. `index`: that of its output. `store`: None in safe mode, where requests
    are ignored. It acts on the controller itself: with mode `toggle` when the button is released, because the length of
    the press decides."""

    def __init__(self, cfg, controller, index, store):
        super().__init__(cfg["debounce_ms"])
        self.cfg = cfg
        self.controller = controller
        self.index = index
        self.store = store
        self.since = None  # Timer since the present press began; None if that was before the start
        self.second = False  # the present press began soon after a very long one
        self.again = None  # Timer until the second very long press must have begun

    def pressed(self, active, now):
        """See Debounce. Always False, because the press is handled here."""
        before = self.stable
        # Both are read all the time, because a Timer has to be.
        if self.since:
            self.since.ms(now)
        if self.again and self.again.passed(now):
            self.again = None
        super().pressed(active, now)
        if before is None or self.stable == before:
            return False
        if self.cfg["mode"] != "toggle":
            self.controller.press(self.index, now, self.stable)
        elif self.stable:
            self.since = Timer(now)
            self.second, self.again = self.again is not None, None
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
        """Write the request into the boot record and restart."""
        if self.store:
            record = self.store.load(BOOT_RECORD)
            record["asked"] = what
            self.controller.restart = self.store.save(BOOT_RECORD, record)
            self.controller.log("warning", "requested by button: " + what)
