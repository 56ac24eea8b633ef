"""The loop that installs another bundle when the cloud asks for one. Only with `update` in the configuration.

The record of slots names the bundle that is being fetched: after a power cut, or a safe state, it is fetched again.
`update_steps` does the work, then and during a trial, and is in memory only while it does.
"""

from micropython import const

from firmware.core.release import Release
from firmware.runtime.store import SLOT_RECORD
from units.loader import Unit

_LOOK_MS = const(1000)


def release(settings, store):
    """What the designated command is bound to."""
    return Release(settings["pin_port"], store.load(SLOT_RECORD).get("number", 0))


class UpdateLoop:
    """`device`: its link makes room for a download; `settings`: `update` of the config; `release`: what is asked for;
    `reset()`: starts the other copy."""

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
        self.on_trial = record.get("online")
        # [number, how often it was begun] of the bundle that was asked for and is not there yet.
        self.asked = record.get("asked")

    async def run(self, feed):
        clock = self.clock
        release = self.release
        while True:
            feed()
            await clock.sleep_ms(_LOOK_MS)
            if self.on_trial:
                await self.step(feed)
            elif self.device.cloud_loop.online:
                if self.asked and release.target is None:
                    release.demand(float(self.asked[0]))
                if self.asked or release.target not in (None, release.number):
                    await self.step(feed)

    async def step(self, feed):
        """Confirm the copy on trial, install the bundle that is asked for, or forget one that no longer is."""
        unit = Unit(_steps, self.clock.sleep_ms)
        try:
            await unit.load()(self, feed)
        finally:
            unit.drop()


def _steps():
    from firmware.update_steps import step

    return step
