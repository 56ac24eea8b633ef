"""The loop that installs another bundle when the cloud asks for one. Only with `update` in the configuration.

The record of slots names the bundle that is being fetched: after a power cut, or a safe state, it is fetched again.
`update_steps` does the work, then and during a trial, and is in memory only while it does. It also does it where the
cloud can ask for nothing, because its certificate has not been trusted for an hour.
"""

from micropython import const

from firmware.core.release import Release
from firmware.runtime.store import SLOT_RECORD
from units.loader import Unit

_LOOK_MS = const(1000)
_LOST = const(3600)  # looks in a row


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
        self.lost = 0  # looks at which the cloud's certificate was not trusted

    async def run(self, feed):
        while True:
            feed()
            await self.clock.sleep_ms(_LOOK_MS)
            if self.due():
                await self.step(feed)

    def due(self):
        device, release = self.device, self.release
        if device.cloud_loop.online:
            self.lost = 0
            return self.on_trial or self.asked or release.target not in (None, release.number)
        self.lost = device.network.net.distrusted and self.lost + 1
        return self.on_trial or self.lost > _LOST

    async def step(self, feed):
        """Confirm the copy on trial, install the bundle that is asked for or needed, or forget one."""
        unit = Unit(_steps, self.clock.sleep_ms)
        try:
            await unit.load()(self, feed)
        finally:
            unit.drop()


def _steps():
    from firmware.update_steps import step

    return step
