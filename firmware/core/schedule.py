"""Schedules: values of outputs by weekday and local time, in place of their safe state. Pure."""

from firmware.core.zone import offset

_DAYS = {"daily": (0, 7), "weekdays": (0, 5), "weekend": (5, 7)}
_WEEK = "mo tu we th fr sa su"
_WEEK_MIN = 10080


def due(entries, zone, unix_s):
    """Return the value of the entry that began last in local time; of two that begin together, the later in the list.
    `entries`: a normalized `schedule`; `zone`: a parsed zone."""
    minute = (unix_s + offset(zone, unix_s) + 259200) // 60 % _WEEK_MIN  # 1970 began on a Thursday
    least = value = None
    for entry in entries:
        day = entry["days"]
        first, end = _DAYS.get(day) or (_WEEK.index(day) // 3, _WEEK.index(day) // 3 + 1)
        since = minute - entry["hour"] * 60 - entry["minute"]
        for n in range(first, end):
            passed = (since - n * 1440) % _WEEK_MIN
            if least is None or passed <= least:
                least, value = passed, entry["value"]
    return value


class Schedules:
    """`plans`: pairs of an output and its normalized `schedule`. The scheduled value becomes the output's fallback,
    which applies while there is no demand; while the clock is not set or a loop is failing, the fallback is the
    configured safe state. `log(level, text)`."""

    def __init__(self, zone, plans, log):
        self.zone = zone
        self.plans = [(output, entries, output.fallback) for output, entries in plans]
        self.log = log
        self.seen = (0, None)

    def apply(self, unix_s, faults):
        """Set the fallback of each output, at most once a minute. `unix_s`: None while the clock is not set. `faults`:
        names of failed loops."""
        before, self.seen = self.seen, (unix_s and unix_s // 60, not faults)
        if self.seen == before:
            return
        minute, sound = self.seen
        if minute is None and before[0] is not None:
            self.log("warning", "schedule: waiting for the clock; safe state until then")
        for output, entries, safe in self.plans:
            output.fallback = due(entries, self.zone, unix_s) if minute and sound else safe
