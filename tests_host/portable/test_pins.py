"""The chip's pins: every GPIO in every role."""

from firmware.core import pins

FREE = (4, 13, 14, 16, 17, 18, 19, 21, 22, 23, 25, 26, 27, 32, 33)
STRAPPING = (0, 2, 5, 12, 15)
FLASH = (6, 7, 8, 9, 10, 11)
ABSENT = (-1, 20, 24, 28, 29, 30, 31, 40, 1 << 40)
INPUT_ONLY = (34, 35, 36, 37, 38, 39)


def level(gpio, role, pull=None):
    found = pins.flaw(gpio, role, pull)
    return found and found[0]


def test_every_gpio_is_in_one_table_of_this_test():
    every = FREE + STRAPPING + FLASH + INPUT_ONLY + (1, 3)
    assert sorted(every) == [n for n in range(40) if n not in ABSENT]


def test_outputs():
    for gpio in FREE:
        assert level(gpio, "output") is None
    for gpio in STRAPPING:
        assert level(gpio, "output") == "warning"
    for gpio in FLASH + ABSENT + INPUT_ONLY + (1, 3):
        assert level(gpio, "output") == "error"


def test_the_led_may_be_where_boards_have_it():
    assert level(2, "led") is None
    assert level(12, "led") == "warning"
    assert level(34, "led") == "error"


def test_analog_sensors_need_adc1():
    for gpio in range(-1, 41):
        good = gpio in (32, 33) or gpio in INPUT_ONLY
        assert level(gpio, "sensor") == (None if good else "error")


def test_buttons_on_input_only_pins_need_their_own_resistor():
    for gpio in INPUT_ONLY:
        assert level(gpio, "button", "none") is None
        assert level(gpio, "button", "up") == "error"
        assert level(gpio, "button", "down") == "error"
    assert level(27, "button", "up") is None
    assert level(0, "button", "up") == "warning"
