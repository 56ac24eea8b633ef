"""Which firmware this is. BUILD_UTC is also the floor below which no clock is believed."""

VERSION = "0.1.0"
BUILD_UTC = 1795219200  # 2026-11-21T00:00:00Z
