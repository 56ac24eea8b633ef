"""What a person sees in one cycle of a blink code."""

from firmware.core.status_led import level

WRAP = 0x40000000
CYCLE_MS = 4096
STATES = ("config_error", "no_network", "no_time", "no_cloud", "unauthorized", "safe", "online")


def flashes(state, start=0):
    """How often the LED goes on in one cycle that begins dark or never is."""
    lit = [level(state, start + ms) for ms in range(0, CYCLE_MS, 16)]
    return sum(1 for i, on in enumerate(lit) if on and not lit[i - 1])


def test_the_number_of_flashes_shows_the_state():
    assert flashes("no_network") == 1
    assert flashes("no_time") == 2
    assert flashes("no_cloud") == 3
    assert flashes("unauthorized") == 4
    assert flashes("config_error") == 8
    assert flashes("safe") == 1


def test_online_is_steady_and_safe_is_mostly_on():
    assert all(level("online", ms) for ms in range(0, CYCLE_MS, 16))
    assert sum(level("safe", ms) for ms in range(CYCLE_MS)) == 3072
    assert sum(level("no_network", ms) for ms in range(CYCLE_MS)) == 256


def test_codes_of_counted_flashes_end_in_a_pause_of_two_seconds():
    for state in ("no_network", "no_time", "no_cloud", "unauthorized"):
        assert not [ms for ms in range(2048, CYCLE_MS, 16) if level(state, ms)]


def test_the_wrap_of_the_counter_is_not_seen():
    for state in STATES:
        before = [level(state, WRAP - CYCLE_MS + ms) for ms in range(0, CYCLE_MS, 64)]
        assert before == [level(state, ms) for ms in range(0, CYCLE_MS, 64)]


def test_an_unknown_state_is_a_mistake():
    try:
        level("lunch", 0)
    except KeyError:
        return
    raise AssertionError("an unknown state blinks")
