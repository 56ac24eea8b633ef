"""Safe mode after too many early crashes, and the reaction to a configuration that cannot be used.

The outputs are in their safe state. After early crashes, only buttons, limits and regulation run, if they can. Ctrl-C
leads to the REPL at any time.
"""

import asyncio
import os
from micropython import const

from firmware.core.status_led import level
from firmware.core.timing import Timer
from firmware.runtime.store import BOOT_RECORD, SLOT_RECORD

_SAFE_MODE_MS = const(600000)
_HANGS_MS = const(3600000)
_BLINK_MS = const(50)
_TRIAL_MS = const(5000)  # for Ctrl-C


async def run_safe_mode(board, log, store, record, local):
    """Run safe mode for ten minutes, in which Ctrl-C leads to the REPL, then reset for another normal start. `local()`:
    awaitable, runs what works without network and cloud. It may be the cause of the crashes, so it may fail or hang."""
    log.log("error", "safe mode: the last boots crashed early. Ctrl-C for the REPL; next try in 10 minutes")
    clock = log.clock
    end = Timer(clock.ms(), _SAFE_MODE_MS)
    try:
        # Resets the board if `local` hangs, or after an hour at the REPL.
        board.watchdog(_HANGS_MS)
        await clock.within(_SAFE_MODE_MS, local())
    except asyncio.TimeoutError:
        pass
    except Exception as e:
        log.log("error", "safe mode: no buttons: %r" % e)
    await clock.sleep_ms(end.left_ms(clock.ms()))
    record["early"] -= 2
    store.save(BOOT_RECORD, record)
    board.reset()


def forget_owner(store):
    """Factory reset: remove the networks and keys that the setup portal asks for, and the records for the cloud. Other
    settings, which the installer made, stay."""
    raw = store.load("config.json")
    if isinstance(raw.get("wifi"), dict):
        raw["wifi"]["networks"] = []
    for key in ("device_id", "client_id", "client_secret", "user", "credential"):
        raw.get("cloud", {}).pop(key, None)
    for name in os.listdir(store.folder or "."):
        if name[:6] == "events" or name[:5] == "state":
            os.remove(store.folder + name)
    store.save("config.json", raw)


async def show_config_error(board, log, store, left, asked=False):
    """Drive the outputs of the last valid configuration to their safe levels, open the setup portal if there is one,
    and blink for ever. `left`: the usable part of the configuration. `asked`: there is no error, but a button asked for
    the portal; then it ends with a reset. A bundle on trial is reset too, because the copy before it could use the
    configuration."""
    for gpio, _, safe in store.load(BOOT_RECORD).get("outputs", ()):
        board.output(gpio, True, bool(safe))
    clock = log.clock
    led = left.get("led")
    lamp = led and board.led(led["gpio"], led["active"] == "high")

    def blink(_):
        if lamp:
            lamp.set(level("config_error", clock.ms()))
        return True

    trial = store.load(SLOT_RECORD)
    if "tries" in trial and trial.get("online") and not asked:
        log.log("error", "update: this copy cannot use the configuration, back to the previous one")
        await clock.sleep_ms(_TRIAL_MS)
        return board.reset()
    portal = left.get("portal")
    if portal:
        from firmware.portal import run_portal

        why = "" if asked else "Its configuration is incomplete or wrong: %s." % left.get("why")
        if await run_portal(portal, log, board.random32, store, None, True, blink, why) or asked:
            board.reset()
    while blink(None):
        await clock.sleep_ms(_BLINK_MS)
