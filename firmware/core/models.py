"""The types that pass between the cloud dialects and the device's decisions, and the text form of their values.

Every API generation is translated into these and nothing else. They hold values as the cloud wrote them (`id` keeps
its JSON type, because it goes back into request bodies). `catalog` and `command` check them.
"""

import re
from collections import namedtuple

Command = namedtuple("Command", "id kind pin_port low high step error")
"""One actuator of the catalog. `low`, `high`, `step`: floats, or None where the API gives no range."""

Sensor = namedtuple("Sensor", "id kind pin_port error")
"""One input the cloud expects to be reported."""

Catalog = namedtuple("Catalog", "commands sensors")
"""Tuples of Command and Sensor rows."""

Desired = namedtuple("Desired", "command_id value desired_id sequence valid_s")
"""What the cloud wants of one command. `value` is the raw JSON value. Over HTTPS polling of iot/v1 the last three are
None; elsewhere `valid_s` is the execution window in seconds from the moment of receipt."""

NOTHING_NEW = ()
"""The `value` by which a cloud that keeps only pending states reports that none is."""

SUPERSEDED = ()
"""The `valid_s` of a desired state that is still pending in the cloud, although it has sent a newer one."""

Report = namedtuple("Report", "message_id source id value at ticks desired_id status sequence")
"""One physical event on its way to the cloud. `source`: "command" or "sensor". `value`: decimal text. `at`: seconds
since EPOCH when it happened, or None while the clock is not set: then `ticks` (millisecond counter) shows how long
ago."""

EPOCH = 1577836800
"""2020-01-01 as unix seconds. Counted from there a time is one of MicroPython's small integers until 2054, which take
no heap; unix seconds take 32 bytes each."""


def decimal(value):
    """A float as text with a dot and no exponent: 21.5 -> "21.5", 1 -> "1.0" (docs/protocol.md, assumption 26)."""
    text = ("%.3f" % value).rstrip("0")
    if text.endswith("."):
        text += "0"
    return "0.0" if text == "-0.0" else text


def number(raw):
    """A JSON number or decimal text as a finite float, else None. `True` is no number, nor are "nan", "1e3" or " 5"."""
    if isinstance(raw, str) and len(raw) <= 16 and re.match("-?[0-9]+([.][0-9]+)?$", raw):
        raw = float(raw)
    # Not isinstance: there a bool is an int on CPython.
    return float(raw) if type(raw) in (int, float) and -1e15 < raw < 1e15 else None


def iso(unix_s):
    """1777025700 -> "2026-04-24T10:15:00Z". Valid for 1970..9999. Method: days from civil, eras of 400 years that begin
    in March, so that leap days come last."""
    days, rest = divmod(unix_s, 86400)
    era, days = divmod(days + 719468, 146097)
    year = (days - days // 1460 + days // 36524 - days // 146096) // 365
    days -= 365 * year + year // 4 - year // 100
    year += 400 * era
    month = (5 * days + 2) // 153
    days -= (153 * month + 2) // 5
    month += 3
    if month > 12:
        month -= 12
        year += 1
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % (
        year,
        month,
        days + 1,
        rest // 3600,
        rest // 60 % 60,
        rest % 60,
    )


class Secret:
    """A text that cannot be shown by accident: whatever formats, prints or dumps it gets `***`. `reveal()` is the one
    way to the text, so every use of a secret can be found by its name."""

    def __init__(self, text):
        self._text = text

    def __repr__(self):
        return "***"

    def reveal(self):
        """The text itself, for the one call that needs it."""
        return self._text
