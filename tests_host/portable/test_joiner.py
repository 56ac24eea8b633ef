"""Rounds over the known networks, rests in between, and what follows a loss."""

from firmware.core.joiner import Joiner

WRAP = 0x40000000
START = WRAP - 1000
ALL_BITS = 0xFFFFFFFF


def story(joiner, seconds, up=(), bits=ALL_BITS, since=0):
    """Look twice a second; [(second, action)]. `up`: pairs (from, to) of seconds with a connection."""
    found = []
    for half in range(since * 2, seconds * 2):
        second = half / 2
        connected = any([a <= second < b for a, b in up])
        action = joiner.step(connected, bits, (START + half * 500) % WRAP)
        if action:
            found.append((second, action))
    return found


def test_every_network_gets_its_twenty_seconds_in_order():
    joiner = Joiner(3, START)
    assert story(joiner, 60) == [(0, ("join", 0)), (20, ("join", 1)), (40, ("join", 2))]


def test_it_stays_where_it_is_connected():
    joiner = Joiner(2, START)
    assert story(joiner, 3600, up=((5, 3600),)) == [(0, ("join", 0))]


def test_after_a_round_it_rests_and_every_third_rest_begins_with_a_restart_of_the_radio():
    joiner = Joiner(1, START)
    found = story(joiner, 400)
    # The longest rests: 5, 10, 20, 40, 60, 60 seconds.
    assert found == [
        (0, ("join", 0)),
        (20, ("leave", 0)),
        (25, ("join", 0)),
        (45, ("leave", 0)),
        (55, ("join", 0)),
        (75, ("restart", 0)),
        (95, ("join", 0)),
        (115, ("leave", 0)),
        (155, ("join", 0)),
        (175, ("leave", 0)),
        (235, ("join", 0)),
        (255, ("restart", 0)),
        (315, ("join", 0)),
        (335, ("leave", 0)),
        (395, ("join", 0)),
    ]


def test_the_rest_is_jittered():
    assert story(Joiner(1, START), 30, bits=0) == [(0, ("join", 0)), (20, ("leave", 0)), (21, ("join", 0))]


def test_it_goes_on_for_weeks():
    joiner = Joiner(2, START)
    joins = 0
    for minute in range(14 * 24 * 60):
        action = joiner.step(False, ALL_BITS, (START + minute * 60000) % WRAP)
        joins += action is not None and action[0] == "join"
    assert joins > 14 * 24 * 60 // 4


def test_a_dropout_of_three_seconds_is_left_to_the_radio():
    joiner = Joiner(1, START)
    assert story(joiner, 60, up=((2, 30), (32.5, 60))) == [(0, ("join", 0))]
    joiner = Joiner(1, START)
    assert story(joiner, 34, up=((2, 30),))[1:] == [(32.5, ("leave", 0)), (33, ("join", 0))]


def test_after_a_loss_the_network_that_worked_comes_first():
    joiner = Joiner(3, START)
    found = story(joiner, 200, up=((25, 100),))
    assert found[:2] == [(0, ("join", 0)), (20, ("join", 1))]
    assert found[2:6] == [
        (102.5, ("leave", 0)),
        (103, ("join", 1)),
        (123, ("join", 2)),
        (143, ("leave", 0)),
    ]
    assert found[6] == (148, ("join", 0)), "then all of them, after the shortest rest"


def test_success_forgets_the_failures_before():
    joiner = Joiner(1, START)
    story(joiner, 200)
    found = story(joiner, 370, up=((200, 300),), since=200)
    assert [action for _, action in found] == [
        ("leave", 0),
        ("join", 0),
        ("leave", 0),
        ("join", 0),
        ("leave", 0),
        ("join", 0),
    ]
    assert found[3][0] - found[2][0] == 5, "the rests begin short again"


def test_a_connection_that_was_there_from_the_start_is_left_with_the_first_network():
    joiner = Joiner(2, START)
    found = story(joiner, 60, up=((0, 10),))
    assert found[:2] == [(12.5, ("leave", 0)), (13, ("join", 0))]
