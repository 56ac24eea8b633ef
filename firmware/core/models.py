"""The types that the cloud dialects and the device's decisions exchange, and the text form of their values.

Every API generation is translated into these types. They keep values as the cloud sent them: `id` keeps its JSON type,
because requests send it back. `catalog` and `command` check them.
"""

import re
from collections import namedtuple

Command = namedtuple("Command", "id kind pin_port low high step error")
"""One actuator of the catalog. `low`, `high`, `step`: floats, or None if the API gives no range. `error`: why the row
is invalid, else None."""

Sensor = namedtuple("Sensor", "id kind pin_port error")
"""One sensor of the catalog. `error`: why the row is invalid, else None."""

Catalog = namedtuple("Catalog", "commands sensors")
"""Tuples of Command and Sensor rows."""

Desired = namedtuple("Desired", "command_id value desired_id sequence valid_s")
"""The desired state of one command. `value`: the raw JSON value. With HTTPS polling of iot/v1 the last three are None;
otherwise `valid_s` is the execution window in seconds from receipt."""

NOTHING_NEW = ()
"""The `value` for "no desired state is pending", from a cloud that keeps only pending ones."""

SUPERSEDED = ()
"""The `valid_s` of a desired state that is still pending in the cloud, although the cloud has sent a newer one."""

Report = namedtuple("Report", "message_id source id value at ticks desired_id status sequence")
"""One physical event to be sent to the cloud. `source`: "command" or "sensor". `value`: decimal text. `at`: the time of
the event in seconds since EPOCH, None while the clock is not set. `ticks`: the same on the millisecond counter."""

EPOCH = 1577836800
"""2020-01-01 in Unix seconds. Until 2054 a time counted from there is a MicroPython small integer, which takes no heap;
one in Unix seconds takes 32 bytes."""


def decimal(value):
    """Return a number as text with a dot, up to three decimals and no exponent: 21.5 -> "21.5", 1 -> "1.0"
    (docs/protocol.md, assumption 26)."""
    text = ("%.3f" % value).rstrip("0")
    if text.endswith("."):
        text += "0"
    return "0.0" if text == "-0.0" else text


def number(raw):
    """Return a JSON number or decimal text as a finite float, else None. `True`, "nan", "1e3" and " 5" are not
    accepted."""
    if isinstance(raw, str) and len(raw) <= 16 and re.match("-?[0-9]+([.][0-9]+)?$", raw):
        raw = float(raw)
    # Not isinstance, because on CPython a bool is an int.
    return float(raw) if type(raw) in (int, float) and -1e15 < raw < 1e15 else None


def iso(unix_s):
    """Return Unix seconds as ISO 8601 text, for the years 1970 to 9999: 1777025700 -> "2026-04-24T10:15:00Z". Method:
    eras of 400 years that begin in March, so that leap days come last."""
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
    """A text that cannot be shown by accident: formatting or printing it gives `***`. Only `reveal()` returns the text,
    so every use of a secret can be found by that name."""

    def __init__(self, text):
        self._text = text

    def __repr__(self):
        return "***"

    def reveal(self):
        """Return the text itself."""
        return self._text
