"""The steps of an update: fetch the requested bundle, restart into it, confirm it. In memory only meanwhile.

A new copy is started once. It is confirmed after it has been online for `prove_s` seconds without a break. If that does
not happen within ten times as long, the board is reset, and `boot.py` selects the previous copy.
"""

from micropython import const

from firmware.core.errors import ConfigError, LinkError
from firmware.core.timing import Backoff, Timer
from firmware.runtime.store import SLOT_RECORD
from units.loader import Unit

_LOOK_MS = const(1000)
_MOST_TRIES = const(5)
_MOST_STARTS = const(6)


async def step(loop, feed):
    """Do the step that is due. `loop`: the UpdateLoop. `feed()`: see Supervisor."""
    release = loop.release
    if loop.on_trial:
        return await _end_trial(loop)
    if not loop.device.cloud_loop.online:
        loop.lost = 0
        return await _rescue(loop, feed)
    if loop.asked and release.target is None:
        release.demand(float(loop.asked[0]))
    if release.target not in (None, release.number):
        await _install(loop, feed)
    else:
        _remember(loop, None)


async def _end_trial(loop):
    """Confirm a copy that has been online long enough, or go back to the previous one."""
    if loop.steady and loop.steady.passed(loop.clock.ms()):
        if loop.store.confirm_update(True):
            loop.on_trial = False
            loop.release.reported = loop.release.number
            return loop.log("info", "update: this copy is confirmed")
        if not loop.trial.passed(loop.clock.ms()):
            return None
    loop.log("error", "update: not online in time, back to the previous copy")
    return await _restart(loop)


async def _install(loop, feed):
    release = loop.release
    number = int(release.target)
    begun = loop.asked[1] + 1 if loop.asked and loop.asked[0] == number else 1
    if begun > _MOST_STARTS:
        loop.log("error", "update: bundle %d begun %d times, given up" % (number, begun - 1))
        release.why = "begun too often"
        release.demand(None)
        return _remember(loop, None)
    _remember(loop, [number, begun])
    backoff = Backoff(10000, 300000)
    loop.log("info", "update: fetching bundle %d" % number)
    while release.target == number:
        try:
            await _fetch(loop, number, feed)
            loop.log("info", "update: bundle %d is complete, restarting" % number)
            return await _restart(loop)
        except (LinkError, MemoryError) as e:  # a later attempt may succeed
            release.why = str(e) or "no memory"
            wait = 0 if backoff.failures >= _MOST_TRIES else backoff.next_ms(loop.rng())
        except ConfigError as e:
            release.why = str(e)
            wait = 0
        finally:
            loop.device.cloud_loop.resume()
        loop.log("error", "update: %s; %s" % (release.why, "trying again" if wait else "given up"))
        if not wait:
            release.demand(None)
            _remember(loop, None)
        rest = Timer(loop.clock.ms(), wait)
        while not rest.passed(loop.clock.ms()):
            feed()
            await loop.clock.sleep_ms(_LOOK_MS)


async def _rescue(loop, feed):
    unit = Unit(_rescuing, loop.clock.sleep_ms)
    try:
        await unit.load()(loop, feed, _fetch, _restart)
    finally:
        unit.drop()


async def _fetch(loop, number, feed):
    """Fetch the bundle into the other slot. The link is closed meanwhile if there is no memory for two connections."""
    device = loop.device
    unit = Unit(_fetching, loop.clock.sleep_ms)
    try:
        if device.link.exclusive():
            await device.cloud_loop.pause()
        await unit.load()(number, loop.settings, device.link, loop.store, feed)
    finally:
        unit.drop()  # also before a restart: revoking the token needs the memory


def _remember(loop, asked):
    store = loop.store
    record = store.load(SLOT_RECORD)
    record["asked"] = loop.asked = asked
    if not asked:
        del record["asked"]
    store.save(SLOT_RECORD, record)


async def _restart(loop):
    await loop.device.shutdown()
    loop.reset()


def _rescuing():
    from firmware.update_rescue import rescue

    return rescue


def _fetching():
    from firmware.update import fetch

    return fetch
