"""The loop that installs another bundle when the cloud requests one. Only with `update` in the configuration.

The slot record has the number of the bundle that is being fetched, so that this continues after a power cut or a safe
state. `update_steps` does the work and is in memory only meanwhile: for a requested bundle, during a trial, and if the
cloud's certificate has not been trusted for an hour, so that it cannot request anything.
"""

from micropython import const

from firmware.core.release import Release
from firmware.core.timing import Timer
from firmware.runtime.store import SLOT_RECORD
from units.loader import Unit

_LOOK_MS = const(1000)
_LOST = const(3600)  # checks in a row, one a second


def release(settings, store):
    """Return the Release, which is the target of the update command."""
    record = store.load(SLOT_RECORD)
    number = record.get("number", 0)
    return Release(settings["pin_port"], number, record.get("was", 0) if _on_trial(record) else number)


class UpdateLoop:
    """`device`: its link frees memory for a download. `settings`: `update` of the configuration. `release`: the Release
    with the requested number. `reset()`: resets the chip."""

    def __init__(self, device, settings, release, clock, rng, log, store, reset):
        self.device = device
        self.settings = settings
        self.release = release
        self.clock = clock
        self.rng = rng
        self.log = log
        self.store = store
        self.reset = reset
        record = store.load(SLOT_RECORD)
        self.on_trial = _on_trial(record)
        self.steady = None  # Timer of how long a copy on trial has been online without a break, to `prove_s`
        self.trial = Timer(clock.ms(), settings["prove_s"] * 10000)
        # [number, how often fetching was begun] of the bundle that was requested and is not installed yet.
        self.asked = record.get("asked")
        self.lost = 0  # checks in a row in which the cloud's certificate was not trusted

    async def run(self, feed):
        while True:
            feed()
            await self.clock.sleep_ms(_LOOK_MS)
            if self.due():
                await self.step(feed)

    def due(self):
        device, release = self.device, self.release
        online = device.cloud_loop.online
        if self.on_trial:
            now = self.clock.ms()
            self.steady = (self.steady or Timer(now, self.settings["prove_s"] * 1000)) if online else None
            return self.trial.passed(now) or (online and self.steady.passed(now))
        if online:
            self.lost = 0
            return self.asked or release.target not in (None, release.number)
        self.lost = device.network.net.distrusted and self.lost + 1
        return self.lost > _LOST

    async def step(self, feed):
        """Load `update_steps` and let it do the step that is due."""
        unit = Unit(_steps, self.clock.sleep_ms)
        try:
            await unit.load()(self, feed)
        finally:
            unit.drop()


def _on_trial(record):
    return "tries" in record and record.get("online")


def _steps():
    from firmware.update_steps import step

    return step
