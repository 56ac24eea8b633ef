"""The rows that pass between the cloud's words and the device's decisions.

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
