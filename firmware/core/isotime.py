"""Unix seconds as ISO 8601 text in UTC, by arithmetic: `time.gmtime` counts from 1970 on one port and from 2000 on another."""


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
