"""What the device does instead of its work: after too many early deaths, and with a configuration it cannot use.

The outputs are in their safe state and nothing is switched. Ctrl-C leads to the REPL at any time; the watchdog is not
armed.
"""

from micropython import const

from firmware.core.panel import level
from firmware.runtime.flash import BOOT_RECORD

_SIT_OUT_MS = const(600000)
_BLINK_MS = const(50)


async def sit_out(board, log, store, record):
    """Safe mode: ten minutes for a person at the REPL, then one more try, because nobody may be near."""
    log.say("error", "safe mode: the last boots died early. Ctrl-C for the REPL; next try in 10 minutes")
    await log.clock.sleep_ms(_SIT_OUT_MS)
    record["early"] -= 2
    store.save(BOOT_RECORD, record)
    board.reset()


async def show_config_error(board, log, store, left):
    """Drive what the last good configuration knew to its safe level, and blink until a person comes, perhaps to the
    setup portal. `left`: what is left of the configuration for that."""
    for gpio, _, safe in store.load(BOOT_RECORD).get("outputs", ()):
        board.output(gpio, True, bool(safe))
    clock = log.clock
    led = left.get("led")
    lamp = led and board.led(led["gpio"], led["active"] == "high")

    def blink(_):
        if lamp:
            lamp.set(level("config_error", clock.ms()))
        return True

    portal = left.get("portal")
    if portal:
        from firmware.portal import visit

        if await visit(portal, log, board.random32, store, None, True, blink):
            board.reset()
    while blink(None):
        await clock.sleep_ms(_BLINK_MS)
