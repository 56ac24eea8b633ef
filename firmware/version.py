"""The version of this firmware. BUILD_UTC (Unix seconds) is also the earliest time that is accepted from a clock."""

VERSION = "0.1.0"
BUILD_UTC = 1795219200  # 2026-11-21T00:00:00Z
