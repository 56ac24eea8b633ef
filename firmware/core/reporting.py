"""When a value is worth reporting: on change beyond a deadband, and as a heartbeat when nothing changes."""

from firmware.core.ticks import Stopwatch


class Reporting:
    """Remembers what was last told of one source. `deadband` in the source's unit, 0 = every change."""

    def __init__(self, deadband, heartbeat_s):
        self._deadband = deadband
        self._heartbeat_ms = heartbeat_s * 1000
        self._told = None
        self._since = None

    def due(self, value, now, idle):
        """Whether `value` (None: nothing known, never due) shall be reported now. `idle`: nothing else waits to be
        sent; a heartbeat tells only that the way is open, so it never queues up in an outage."""
        if value is None:
            return False
        if self._told is None or idle and self._since.ms(now) >= self._heartbeat_ms:
            return True
        change = abs(value - self._told)
        return change >= self._deadband if self._deadband else change > 0

    def told(self, value, now):
        self._told = value
        self._since = Stopwatch(now)

    def forget(self):
        """The next value is reported whatever it is."""
        self._told = None
