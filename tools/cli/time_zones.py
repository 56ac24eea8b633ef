"""Time zones by the names that people know, as the POSIX rules that a device reads, from what this computer has."""

from __future__ import annotations

import contextlib
import zoneinfo
from pathlib import Path


def rule(name: str) -> str:
    """The rule of a zone such as Europe/Berlin, or of a city such as Berlin; `name` itself where it is none."""
    wanted = name.strip().lower().replace(" ", "_")
    for zone in sorted(zoneinfo.available_timezones()):
        if zone.lower() == wanted or ("/" in zone and zone.lower().rpartition("/")[2] == wanted):
            for folder in zoneinfo.TZPATH:
                if found := _footer(Path(folder, zone)):
                    return found
    return name


def here() -> str:
    """The rule of this computer, "" where it does not say."""
    return _footer(Path("/etc/localtime"))


def _footer(file: Path) -> str:
    """What ends a TZif file (RFC 8536, section 3.3), "" where there is no such file."""
    with contextlib.suppress(OSError):
        data = file.read_bytes()
        if data.startswith(b"TZif") and data.endswith(b"\n"):
            return data[:-1].rpartition(b"\n")[2].decode(errors="replace")
    return ""
