"""Local time by a POSIX rule, against what Python knows of the same zones."""

import datetime
import zoneinfo

import pytest

from firmware.core.zone import offset, parse

pytestmark = pytest.mark.gate

ZONES = {
    "Europe/Berlin": "CET-1CEST,M3.5.0,M10.5.0/3",
    "Europe/London": "GMT0BST,M3.5.0/1,M10.5.0",
    "America/New_York": "EST5EDT,M3.2.0,M11.1.0",
    "America/St_Johns": "NST3:30NDT,M3.2.0,M11.1.0",
    "Australia/Sydney": "AEST-10AEDT,M10.1.0,M4.1.0/3",
    "Australia/Lord_Howe": "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "Pacific/Auckland": "NZST-12NZDT,M9.5.0,M4.1.0/3",
    "America/Nuuk": "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
    "America/Santiago": "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
    "Asia/Kolkata": "IST-5:30",
    "UTC": "UTC0",
}


@pytest.mark.parametrize("name", ZONES)
def test_it_agrees_with_zoneinfo_around_every_change(name):
    zone, known = parse(ZONES[name]), zoneinfo.ZoneInfo(name)
    moment = int(datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC).timestamp())
    before, changes = None, 0
    for unix_s in range(moment, moment + 8 * 366 * 86400, 1800):
        there = datetime.datetime.fromtimestamp(unix_s, known).utcoffset().total_seconds()
        assert offset(zone, unix_s) == there, datetime.datetime.fromtimestamp(unix_s, datetime.UTC)
        if before is not None and there != before:
            changes += 1
            assert offset(zone, unix_s - 1) == before
        before = there
    assert changes in (0, 15, 16)
