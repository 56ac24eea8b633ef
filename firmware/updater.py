"""The loop that fetches another bundle when the cloud asks for one, and confirms one on trial. Only with `update` in
the configuration.

The bundle that is being fetched stands in the record of slots: after a power cut, or a safe state, it is fetched again.

A new copy has one start. It is confirmed once it has been online for `prove_s` seconds without a break. If that does
not happen within ten times as long, the loop resets the board, and `boot.py` takes the copy before it.
"""

from micropython import const

from firmware.core.errors import ConfigError, LinkError
from firmware.core.release import Release
from firmware.core.timing import Backoff, Timer
from firmware.runtime.store import SLOT_RECORD
from units.loader import Unit

_LOOK_MS = const(1000)
_MOST_TRIES = const(5)
_MOST_STARTS = const(6)


def release(settings, store):
    """What the designated command is bound to."""
    return Release(settings["pin_port"], store.load(SLOT_RECORD).get("number", 0))


class UpdateLoop:
    """`settings`: `update` of the config; `release`: what is asked for."""

    def __init__(self, device, settings, release):
        self.device = device
        self.settings = settings
        self.release = release
        record = device.supervisor.store.load(SLOT_RECORD)
        self.on_trial = record.get("online")
        # [number, how often it was begun] of the bundle that was asked for and is not there yet.
        self.asked = record.get("asked")

    async def run(self, feed):
        supervisor = self.device.supervisor
        clock = supervisor.clock
        confirm_ms = self.settings["prove_s"] * 1000
        steady = None
        end = Timer(clock.ms(), confirm_ms * 10)
        while True:
            feed()
            await clock.sleep_ms(_LOOK_MS)
            now = clock.ms()
            online = self.device.cloud_loop.online
            if not self.on_trial:
                if online:
                    await self.look(feed)
                continue
            steady = (steady or Timer(now, confirm_ms)) if online else None
            if steady and steady.passed(now) and supervisor.store.confirm_update(True):
                self.on_trial = False
                supervisor.log("info", "update: this copy is confirmed")
            elif end.passed(now):
                supervisor.log("error", "update: not online in time, back to the copy before")
                await self.restart()

    async def look(self, feed):
        release = self.release
        if self.asked and release.target is None:
            release.demand(float(self.asked[0]))
        if release.target not in (None, release.number):
            await self.obey(feed)
        elif self.asked:
            self.remember(None)

    def remember(self, asked):
        store = self.device.supervisor.store
        record = store.load(SLOT_RECORD)
        record["asked"] = self.asked = asked
        if not asked:
            del record["asked"]
        store.save(SLOT_RECORD, record)

    async def obey(self, feed):
        supervisor = self.device.supervisor
        release = self.release
        number = int(release.target)
        begun = self.asked[1] + 1 if self.asked and self.asked[0] == number else 1
        if begun > _MOST_STARTS:
            supervisor.log("error", "update: bundle %d was begun %d times, given up" % (number, begun - 1))
            release.why = "begun too often"
            release.demand(None)
            return self.remember(None)
        self.remember([number, begun])
        backoff = Backoff(10000, 300000)
        supervisor.log("info", "update: fetching bundle %d" % number)
        while release.target == number:
            link = self.device.link
            unit = Unit(_fetch, supervisor.clock.sleep_ms)
            try:
                if link.exclusive():
                    await self.device.cloud_loop.pause()
                await unit.load()(number, self.settings, link, supervisor.store, feed)
                supervisor.log("info", "update: bundle %d is complete, restarting" % number)
                unit.drop()  # giving the token back needs the memory
                return await self.restart()
            except (LinkError, MemoryError) as e:  # the latter, too, may go better later
                release.why = str(e) or "no memory"
                wait = 0 if backoff.failures >= _MOST_TRIES else backoff.next_ms(supervisor.rng())
            except ConfigError as e:
                release.why = str(e)
                wait = 0
            finally:
                unit.drop()
                self.device.cloud_loop.resume()
            supervisor.log("error", "update: %s; %s" % (release.why, "trying again" if wait else "given up"))
            if not wait:
                release.demand(None)
                self.remember(None)
            rest = Timer(supervisor.clock.ms(), wait)
            while not rest.passed(supervisor.clock.ms()):
                feed()
                await supervisor.clock.sleep_ms(_LOOK_MS)

    async def restart(self):
        await self.device.shutdown()
        self.device.supervisor.board.reset()


def _fetch():
    from firmware.update import fetch

    return fetch
