"""The pins of each chip: every GPIO in every role, as the configuration's check sees it."""

from firmware.boards import esp32c3, esp32c6, esp32s2, esp32s3
from firmware.core import config
from tests_host.support.checking import validate

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


OTHERS = (
    # Profile, outputs without a word about them, with a warning, what is refused, ADC1, refused of ADC.
    (
        esp32s2.PROFILE,
        tuple(range(1, 19)) + (21, 33, 42),
        (0, 45),
        (19, 20, 22, 25, 26, 27, 32, 43, 44, 46, 47, 48, -1),
        (1, 10),
        (0, 11, 20, 33),
    ),
    (
        esp32s3.PROFILE,
        (1, 2, 4, 18, 21, 38, 42, 47, 48),
        (0, 3, 45, 46),
        (19, 20, 22, 25, 26, 32, 33, 37, 43, 44, 49),
        (1, 10),
        (0, 11, 20, 38),
    ),
    (
        esp32c3.PROFILE,
        (0, 1, 3, 4, 5, 6, 7, 10),
        (2, 8, 9),
        (11, 12, 17, 18, 19, 20, 21, 22, 34),
        (0, 4),
        (5, 6, 34),
    ),
    (
        esp32c6.PROFILE,
        (0, 3, 6, 7, 10, 11, 18, 23),
        (4, 5, 8, 9, 15),
        (12, 13, 14, 16, 17, 24, 30, 31),
        (0, 6),
        (7, 32),
    ),
)


def levels(profile, raw, path):
    return [problem[0] for problem in config.validate(raw, profile)[1] if problem[1] == path]


def test_outputs_of_the_other_chips():
    for profile, free, warned, refused, _, _ in OTHERS:
        for gpios, expected in ((free, []), (warned, ["warning"]), (refused, ["error"])):
            for gpio in gpios:
                raw = {"outputs": [{"gpio": gpio, "pin_port": "1"}]}
                assert levels(profile, raw, "outputs[0].gpio") == expected, (profile, gpio)


def test_analog_inputs_of_the_other_chips_are_those_of_adc1():
    for profile, _, _, _, good, refused in OTHERS:
        for gpios, expected in ((good, []), (refused, ["error"])):
            for gpio in gpios:
                raw = {"sensors": [{"gpio": gpio, "pin_port": "1", "kind": "thermistor"}]}
                found = [level for level in levels(profile, raw, "sensors[0].gpio") if level == "error"]
                assert found == expected, (profile, gpio)


def test_a_pin_that_only_reads_is_for_a_button_with_a_resistor_of_its_own():
    for pull, expected in (("up", ["error"]), ("none", [])):
        raw = {"buttons": [{"gpio": 46, "toggles": "1", "pull": pull}]}
        found = levels(esp32s2.PROFILE, raw, "buttons[0].gpio")
        assert [level for level in found if level == "error"] == expected


def test_a_status_led_may_be_where_a_kit_has_its_own():
    assert levels(esp32c3.PROFILE, {"led": {"gpio": 8}}, "led.gpio") == []
    assert levels(esp32c3.PROFILE, {"led": {"gpio": 9}}, "led.gpio") == ["warning"]
    assert levels(esp32s2.PROFILE, {"led": {"gpio": 15}}, "led.gpio") == []


def test_a_message_names_the_chip_and_the_pins_that_would_do():
    raw = {"outputs": [{"gpio": 22, "pin_port": "1"}], "sensors": [{"gpio": 34, "kind": "thermistor"}]}
    found = {problem[1]: problem[3] for problem in config.validate(raw, esp32c3.PROFILE)[1]}
    assert found["outputs[0].gpio"] == "0..10 (ESP32-C3 outputs)"
    assert found["sensors[0].gpio"] == "0..4 (ESP32-C3 analog)"


def test_board_is_the_chip_or_a_kit_with_it():
    for board, expected in (
        ("esp32c3", []),
        ("esp32-c3-supermini", []),
        ("esp32", ["error"]),
        (3, ["error"]),
    ):
        assert levels(esp32c3.PROFILE, {"board": board}, "board") == expected
    assert "board" not in config.validate({}, esp32c3.PROFILE)[0]


def test_the_limit_of_a_reading_follows_the_chip_and_a_lower_supply():
    item = {"gpio": 1, "pin_port": "1", "kind": "thermistor"}
    base = {
        "cloud": {"api": "thinger", "user": "u", "device_id": "d", "credential": "secret", "ca_files": ["a"]}
    }
    for profile, supply, expected in (
        (esp32c3.PROFILE, 3300, 2500000),
        (esp32c3.PROFILE, 2000, 1940000),
        (esp32s3.PROFILE, 3300, 3050000),
    ):
        raw = dict(base, sensors=[dict(item, supply_mv=supply)])
        found = config.validate(raw, profile)[0]["sensors"][0]["high_uv"]
        assert abs(found - expected) < 2
