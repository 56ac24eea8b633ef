"""The chip's pins: every GPIO in every role, as the configuration's check sees it."""

from firmware.core.config import validate

FREE = (4, 13, 14, 16, 17, 18, 19, 21, 22, 23, 25, 26, 27, 32, 33)
STRAPPING = (0, 2, 5, 12, 15)
FLASH = (6, 7, 8, 9, 10, 11)
CONSOLE = (1, 3)
ABSENT = (-1, 20, 24, 28, 29, 30, 31, 40, 1 << 40)
INPUT_ONLY = (34, 35, 36, 37, 38, 39)


def level(gpio, role, pull="up"):
    """What the check says of the pin of a single `role`: None, "warning" or "error"."""
    item = {"gpio": gpio, "pin_port": "1"}
    if role == "led":
        raw, path = {"led": {"gpio": gpio}}, "led.gpio"
    elif role == "button":
        # A button without an output to toggle is an error, but not one of its pin.
        raw, path = {"buttons": [{"gpio": gpio, "toggles": "1", "pull": pull}]}, "buttons[0].gpio"
    elif role == "sensor":
        raw, path = {"sensors": [dict(item, kind="thermistor")]}, "sensors[0].gpio"
    else:
        raw, path = {"outputs": [item]}, "outputs[0].gpio"
    found = [problem[0] for problem in validate(raw)[1] if problem[1] == path]
    assert len(found) < 2
    return found[0] if found else None


def test_every_gpio_is_in_one_table_of_this_test():
    every = FREE + STRAPPING + FLASH + INPUT_ONLY + CONSOLE
    assert sorted(every) == [n for n in range(40) if n not in ABSENT]


def test_outputs():
    for gpio in FREE:
        assert level(gpio, "output") is None
    for gpio in STRAPPING:
        assert level(gpio, "output") == "warning"
    for gpio in FLASH + ABSENT + INPUT_ONLY + CONSOLE:
        assert level(gpio, "output") == "error"


def test_the_led_may_be_where_boards_have_it():
    assert level(2, "led") is None
    assert level(12, "led") == "warning"
    for gpio in FLASH + ABSENT + INPUT_ONLY + CONSOLE:
        assert level(gpio, "led") == "error"


def test_analog_sensors_need_adc1():
    for gpio in range(-1, 41):
        good = gpio in (32, 33) or gpio in INPUT_ONLY
        assert level(gpio, "sensor") == (None if good else "error")


def test_buttons_on_input_only_pins_need_their_own_resistor():
    for gpio in INPUT_ONLY:
        assert level(gpio, "button", "none") is None
        assert level(gpio, "button", "up") == "error"
        assert level(gpio, "button", "down") == "error"
    for gpio in FLASH + ABSENT + CONSOLE:
        assert level(gpio, "button", "none") == "error"
    assert level(27, "button", "up") is None
    assert level(0, "button", "up") == "warning"
