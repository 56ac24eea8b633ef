"""Local time by a POSIX TZ rule, such as CET-1CEST,M3.5.0,M10.5.0/3 (POSIX.1-2017, section 8.3). Pure.

Of the forms of its two dates only `Mm.w.d` is supported: day d (0 is Sunday) of week w (5 is the last) of month m,
which all present time zones use.
"""


def parse(text):
    """Parse a rule; return (standard offset, summer offset, start of summer time, its end). Offsets are seconds to add
    to UTC. Without summer time both are the same, and start and end are None. ValueError."""
    west, at = _time(text, _name(text, 0))
    if at == len(text):
        return -west, -west, None, None
    at = _name(text, at)
    summer = west - 3600
    if text[at : at + 1] not in (",", ""):
        summer, at = _time(text, at)
    parts = text[at:].split(",")
    if len(parts) != 3 or parts[0]:
        raise ValueError
    return -west, -summer, _day(parts[1]), _day(parts[2])


def _name(text, at):
    """Return the end of the name that begins at offset `at`."""
    start = at
    if text[at : at + 1] == "<":
        return text.index(">", at) + 1
    while text[at : at + 1].isalpha():
        at += 1
    if at - start < 3:
        raise ValueError
    return at


def _time(text, at):
    """Return (seconds, end) of the time [+-]hh[:mm[:ss]] at offset `at`."""
    sign = -1 if text[at : at + 1] == "-" else 1
    if text[at : at + 1] in ("+", "-"):
        at += 1
    end = at
    while text[end : end + 1].isdigit() or text[end : end + 1] == ":":
        end += 1
    parts = [int(part) for part in text[at:end].split(":")]
    if len(parts) > 3 or parts[0] > 167 or max(parts[1:] + [0]) > 59:
        raise ValueError
    seconds = 0
    for part in (parts + [0, 0])[:3]:
        seconds = seconds * 60 + part
    return sign * seconds, end


def _day(text):
    """Return (month, week, weekday, second of the day) of a date such as M10.5.0/3."""
    day, slash, time = text.partition("/")
    seconds, end = _time(time, 0) if slash else (7200, 0)
    month, week, weekday = [int(part) for part in day[1:].split(".")]
    if day[:1] != "M" or end != len(time) or not (0 < month < 13 and 0 < week < 6 and 0 <= weekday < 7):
        raise ValueError
    return month, week, weekday, seconds


def offset(zone, unix_s):
    """Return the seconds to add to `unix_s` for the local time in a parsed `zone`."""
    winter, summer, begin, end = zone
    if begin is None:
        return winter
    year = _year((unix_s + winter) // 86400)
    begin = _moment(year, *begin) - winter
    end = _moment(year, *end) - summer
    # In the southern hemisphere summer time spans the turn of the year.
    inside = begin <= unix_s < end if begin < end else not end <= unix_s < begin
    return summer if inside else winter


def _moment(year, month, week, weekday, seconds):
    """Return the local time, in seconds since 1970, of a rule's date in `year`."""
    first = _days(year, month)
    days = first + (weekday - first - 4) % 7 + 7 * (week - 1)
    while days >= _days(year + month // 12, month % 12 + 1):
        days -= 7
    return days * 86400 + seconds


def _days(year, month):
    """Return the days from 1970-01-01 to the first of a month. Years begin in March, so that the leap day is the
    last."""
    year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 - 719468


def _year(days):
    year = 1970 + days // 366
    while _days(year + 1, 1) <= days:
        year += 1
    return year
