"""Why the chip started. Loaded at the start and for the status, and unloaded afterwards."""

import machine


def reset_cause():
    """Return power_on, hard, watchdog, deep_sleep, soft or unknown. On the ESP32 a brownout counts as power_on."""
    # In the order of the ESP32 port's numbers, which begin with 1.
    causes = ("power_on", "hard", "watchdog", "deep_sleep", "soft", "unknown")
    return causes[min(machine.reset_cause(), 6) - 1]
