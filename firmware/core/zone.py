"""Local time by a POSIX TZ rule, such as CET-1CEST,M3.5.0,M10.5.0/3 (POSIX.1-2017, section 8.3). Pure.

The two days of a rule are `Mm.w.d`: day d (0 is Sunday) of week w (5 is the last) of month m, which is what every zone
of today uses.
"""


def parse(text):
    """(seconds of winter, seconds of summer, begin of summer, its end), seconds to be added to UTC; without summer time
    the first two are the same. ValueError."""
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
    """Where the name ends that begins at `at`."""
    start = at
    if text[at : at + 1] == "<":
        return text.index(">", at) + 1
    while text[at : at + 1].isalpha():
        at += 1
    if at - start < 3:
        raise ValueError
    return at


def _time(text, at):
    """([+-]hh[:mm[:ss]] as seconds, where it ends)."""
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
    """(month, week, weekday, second of that day)."""
    day, slash, time = text.partition("/")
    seconds, end = _time(time, 0) if slash else (7200, 0)
    month, week, weekday = [int(part) for part in day[1:].split(".")]
    if day[:1] != "M" or end != len(time) or not (0 < month < 13 and 0 < week < 6 and 0 <= weekday < 7):
        raise ValueError
    return month, week, weekday, seconds


def offset(zone, unix_s):
    """Seconds to add to `unix_s` for the local time of a parsed `zone`."""
    winter, summer, begin, end = zone
    if begin is None:
        return winter
    year = _year((unix_s + winter) // 86400)
    begin = _moment(year, *begin) - winter
    end = _moment(year, *end) - summer
    # South of the equator summer lasts over the turn of the year.
    inside = begin <= unix_s < end if begin < end else not end <= unix_s < begin
    return summer if inside else winter


def _moment(year, month, week, weekday, seconds):
    """Local seconds since 1970 of a day such as the last Sunday of March."""
    first = _days(year, month)
    days = first + (weekday - first - 4) % 7 + 7 * (week - 1)
    while days >= _days(year + month // 12, month % 12 + 1):
        days -= 7
    return days * 86400 + seconds


def _days(year, month):
    """Days from 1970 to the first of that month; a year that begins in March has its leap day at the end."""
    year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 - 719468


def _year(days):
    year = 1970 + days // 366
    while _days(year + 1, 1) <= days:
        year += 1
    return year
