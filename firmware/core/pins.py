"""What each GPIO of a classic ESP32 (WROOM, WROVER) may be used for.

Owns the facts of the chip and the module around it; knows nothing of the configuration. Sources: ESP32 datasheet,
"Pin Definitions" and "Strapping Pins"; ESP32-WROOM-32 datasheet (flash on GPIO 6-11); ESP-IDF programming guide, ADC
(ADC2 is shared with Wi-Fi). A WROVER also needs GPIO 16 and 17 for its PSRAM; software cannot see which module it is on
before trying, so that is left to the wiring guide.
"""

_ABSENT = (20, 24, 28, 29, 30, 31)

_STRAPPING = (0, 2, 5, 12, 15)


def flaw(gpio, role, pull=None):
    """What speaks against using `gpio` (any integer) as `role`: None, or (level, what to use instead or mind).

    `role`: "output", "led", "sensor" or "button"; `pull`: "up", "down", "none" or None. level: "error" or "warning".
    """
    if not 0 <= gpio <= 39 or gpio in _ABSENT:
        return "error", "a GPIO the chip has: 0-19, 21-23, 25-27, 32-39"
    if 6 <= gpio <= 11:
        return "error", "another GPIO: 6-11 drive the flash chip"
    if role == "sensor":
        if gpio < 32:
            return "error", "an ADC1 pin, 32-39 (ADC2 is dead while Wi-Fi is on)"
        return None
    if gpio == 1 or gpio == 3:
        return "error", "another GPIO: 1 and 3 are the serial console"
    if gpio >= 34:
        return _input_only(role, pull)
    if gpio in _STRAPPING and (gpio, role) != (2, "led"):
        return "warning", "better another GPIO: its level at reset decides how the chip starts"
    return None


def _input_only(role, pull):
    if role != "button":
        return "error", "an output pin: 34-39 are inputs only"
    if pull == "up" or pull == "down":
        return "error", 'pull "none" and a resistor of your own: 34-39 have no internal pull'
    return None
