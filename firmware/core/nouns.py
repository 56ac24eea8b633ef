"""The rows that pass between the cloud's words and the device's decisions, and the texts their values become.

Every API generation is translated into these and nothing else. They hold values as the cloud spelled them (`id` keeps
its JSON type, because it goes back into request bodies) and refuse to judge them: that is for `catalog` and `command`.
"""

from collections import namedtuple

Command = namedtuple("Command", ("id", "kind", "pin_port", "low", "high", "step", "error"))
"""One actuator of the catalog. `low`, `high`, `step`: floats, or None where the API gives no range."""

Sensor = namedtuple("Sensor", ("id", "kind", "pin_port", "error"))
"""One input the cloud expects to be reported."""

Catalog = namedtuple("Catalog", ("commands", "sensors"))
"""Tuples of Command and Sensor rows."""

Desired = namedtuple("Desired", ("command_id", "value", "desired_id", "sequence", "valid_s"))
"""What the cloud wants of one command. `value` is the raw JSON value. Over HTTPS polling of iot/v1 the last three are
None; elsewhere `valid_s` is the execution window in seconds from the moment of receipt."""

Report = namedtuple(
    "Report", ("message_id", "source", "id", "value", "at", "ticks", "desired_id", "status", "sequence")
)
"""One physical event on its way to the cloud. `source`: "command" or "sensor". `value`: decimal text. `at`: unix seconds
when it happened, or None while the clock is not set, when `ticks` (millisecond counter) tells how long ago it was."""


def decimal(value):
    """A float as decimal text with a dot and no exponent: 21.5 -> "21.5", 1 -> "1.0" (Realer API, section 14 row 26)."""
    text = "%.3f" % value
    while text[-1] == "0" and text[-2] != ".":
        text = text[:-1]
    return "0.0" if text == "-0.0" else text


def number(raw):
    """A JSON number or decimal text as a finite float, else None. `True` is no number, nor are "nan", "1e3" or " 5"."""
    if raw is True or raw is False or raw is None:
        return None
    if isinstance(raw, str):
        body = raw[1:] if raw[:1] == "-" else raw
        if not body or len(body) > 16 or body.count(".") > 1 or body[0] == "." or body[-1] == ".":
            return None
        for char in body:
            if char not in "0123456789.":
                return None
        return float(raw)
    if not isinstance(raw, (int, float)):
        return None
    try:
        value = float(raw)
    except OverflowError:
        return None
    return value if -1e15 < value < 1e15 else None


def iso(unix_s):
    """1777025700 -> "2026-04-24T10:15:00Z". Valid for 1970..9999. Method: days from civil, eras of 400 years."""
    days, rest = divmod(unix_s, 86400)
    days += 719468
    era, doe = divmod(days, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    day = doy - (153 * mp + 2) // 5 + 1
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (1 if month <= 2 else 0)
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % (year, month, day, rest // 3600, rest // 60 % 60, rest % 60)


class Secret:
    """A text that cannot be shown by accident: whatever formats, prints or dumps it gets `***`. `reveal()` is the one way to
    the text, so every use of a secret can be found by its name."""

    def __init__(self, text):
        self._text = text

    def __repr__(self):
        return "***"

    def reveal(self):
        """The text itself, for the one call that needs it."""
        return self._text
