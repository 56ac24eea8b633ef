"""When a device that may do either is on MQTT, and when it polls instead."""

from firmware.core.transport_choice import TransportChoice

START = (1 << 30) - 1000  # one second before the counter wraps
WRAP = 1 << 30
HALF = 0x80000000
MISSES = 3


def at(ms):
    return (START + ms) % WRAP


def missed(choice, times):
    for _ in range(times):
        choice.misses += 1
    return choice


def test_begins_with_mqtt():
    for auto in (False, True):
        assert TransportChoice(auto, START).tries_mqtt(START)


def test_with_transport_mqtt_only_mqtt_is_tried():
    choice = missed(TransportChoice(False, START), 10)
    choice.give_up()
    assert choice.tries_mqtt(START)


def test_a_few_misses_are_tried_again_at_once():
    choice = TransportChoice(True, START)
    for _ in range(MISSES - 1):
        missed(choice, 1)
        assert choice.poll_instead(START, HALF, False) is None
        assert choice.tries_mqtt(START)


def test_more_are_followed_by_polling_until_the_probe():
    choice = missed(TransportChoice(True, START), MISSES)
    for now in (START, at(20000)):
        wait = choice.poll_instead(now, HALF, False)
        assert wait == 15000
        assert not choice.tries_mqtt((now + wait - 1) % WRAP)
        assert missed(choice, 1).tries_mqtt((now + wait) % WRAP)


def test_probes_are_soon_for_a_quarter_of_an_hour_and_become_rarer_up_to_half_an_hour():
    for luck in (0, 0xFFFFFFFF):
        choice = missed(TransportChoice(True, START), MISSES)
        waits = [choice.poll_instead(START, luck, False) for _ in range(38)]
        assert max(waits[:28]) <= 32000 and sum(waits[:28]) > 600000
        assert waits[28:] == sorted(waits[28:]) and 1350000 <= waits[-1] <= 1800000


def test_attempts_after_a_refusal_are_rare_from_the_beginning():
    choice = missed(TransportChoice(True, START), 1)
    waits = [choice.poll_instead(START, 0xFFFFFFFF, True) for _ in range(6)]
    assert waits == [64000, 128000, 256000, 512000, 1024000, 1800000]
    choice = TransportChoice(True, START)
    choice.refuse()
    assert choice.poll_instead(START, 0xFFFFFFFF, False) == 64000


def test_a_steady_session_is_a_fresh_start():
    choice = missed(TransportChoice(True, START), MISSES)
    for _ in range(5):
        choice.poll_instead(START, HALF, False)
    choice.steady()
    assert choice.tries_mqtt(START)
    assert choice.poll_instead(START, HALF, False) is None
    missed(choice, MISSES)
    assert choice.poll_instead(START, 0xFFFFFFFF, False) == 15000


def test_a_refusal_is_not_tried_again_at_once():
    choice = missed(TransportChoice(True, START), 1)
    assert choice.poll_instead(START, HALF, True) >= 30000


def test_giving_up_polls_at_once_but_not_for_good():
    choice = TransportChoice(True, START)
    choice.give_up()
    wait = choice.poll_instead(START, HALF, False)
    assert not choice.tries_mqtt(at(wait - 1)) and choice.tries_mqtt(at(wait))


def test_giving_up_forgets_no_misses():
    choice = missed(TransportChoice(True, START), MISSES + 4)
    choice.give_up()
    assert choice.misses == MISSES + 4


def test_an_excluded_transport_stays_excluded_and_is_new_once():
    choice = TransportChoice(True, START)
    assert choice.exclude() is True and choice.exclude() is False
    choice.steady()
    assert not choice.tries_mqtt(at(100000000))
    assert choice.poll_instead(START, HALF, True) is not None


def test_a_new_choice_continues_from_an_earlier_state():
    earlier = missed(TransportChoice(True, START), MISSES)
    for _ in range(3):
        wait = earlier.poll_instead(START, 0xFFFFFFFF, False)
    later = TransportChoice(True, at(1), earlier.state())
    assert not later.tries_mqtt(at(wait - 1)) and later.tries_mqtt(at(wait))
    assert later.poll_instead(at(wait), 0xFFFFFFFF, False) == 16000
    earlier.exclude()
    again = TransportChoice(True, at(2), earlier.state())
    assert again.excluded and again.exclude() is False
