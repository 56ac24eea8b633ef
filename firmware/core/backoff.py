"""How long to wait before trying again: exponential with full jitter.

Pure: the random bits come in with each call, so a test of jitter is arithmetic.
"""

from micropython import const

_MAX_SHIFT = const(16)


class Backoff:
    """Waits of `least_ms` up to a window that doubles from `base_ms` to `cap_ms` with every failure."""

    def __init__(self, base_ms, cap_ms, least_ms=1000):
        self._base = base_ms
        self._cap = cap_ms
        self._least = least_ms
        self.failures = 0

    def reset(self):
        self.failures = 0

    def next_ms(self, bits):
        """The next wait for 32 random `bits`. Full jitter keeps a fleet from returning in step after an outage."""
        window = min(self._cap, self._base << min(self.failures, _MAX_SHIFT))
        self.failures += 1
        return self._least + max(window - self._least, 0) * (bits >> 8) // 0xFFFFFF
