"""The host's side of `firmware/outputs/pwm.py`; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

MEANING = "the cloud says 0 to 100 %: a dimmer, not a relay"
ABOUT = {
    "ramp_s": "How many seconds should it take from 0 to 100 %? 0: none.",
    "frequency": "At which frequency, in Hz? 1000 for LEDs; a motor driver's data sheet says it.",
}
