"""What the device does instead of its work: after too many early deaths, and with a configuration it cannot use.

The outputs are in their safe state and nothing is switched. Ctrl-C leads to the REPL at any time; the watchdog is not armed.
"""

from firmware.core.blink import level
from firmware.runtime.health import BOOT_RECORD
from micropython import const

_SIT_OUT_MS = const(600000)
_STEP_MS = const(50)


async def sit_out(board, clock, store, record, say):
    """Safe mode: ten minutes for a person, then one more try, because nobody may be near."""
    say("error", "safe mode: the last boots died early. Ctrl-C for the REPL; a new try follows in 10 minutes")
    await clock.sleep_ms(_SIT_OUT_MS)
    record["early"] -= 2
    try:
        store.save(BOOT_RECORD, record)
    except OSError:
        pass  # then the next boot is in safe mode too, and tries again
    board.reset()


async def show_config_error(board, clock, record, led):
    """Drive what the last good configuration knew to its safe level and blink until a person comes."""
    for gpio, _, safe in record.get("outputs", ()):
        board.output(gpio, True, bool(safe))
    lamp = led and board.led(led["gpio"], led["active"] == "high")
    while True:
        if lamp:
            lamp.set(level("config_error", clock.ms()))
        await clock.sleep_ms(_STEP_MS)
