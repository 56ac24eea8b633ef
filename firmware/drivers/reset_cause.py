"""Why the chip started: read at the start and for the status, and unloaded afterwards."""

import machine


def reset_cause():
    """power_on, hard, watchdog, deep_sleep, soft or unknown. A brownout counts as power_on on the ESP32."""
    # In the order of the ESP32 port, which counts from 1.
    causes = ("power_on", "hard", "watchdog", "deep_sleep", "soft", "unknown")
    return causes[min(machine.reset_cause(), 6) - 1]
