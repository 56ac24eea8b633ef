"""Rounds over the known networks, rests in between, and what follows a loss."""

from firmware.core.wifi_connect_policy import WifiConnectPolicy

WRAP = 0x40000000
START = WRAP - 1000
ALL_BITS = 0xFFFFFFFF


def networks(count, bssid=None):
    return [("net%d" % i, None, bssid, None) for i in range(count)]


def policy_of(count, now=START):
    return WifiConnectPolicy(networks(count), now)


def scenario(policy, seconds, up=(), bits=ALL_BITS, since=0, air=()):
    """Step twice a second; [(second, action)] without the looks, which find `air`. `up`: pairs (from, to) of seconds
    with a connection."""
    found = []
    for half in range(since * 2, seconds * 2):
        second = half / 2
        connected = any([a <= second < b for a, b in up])
        now = (START + half * 500) % WRAP
        action = policy.step(connected, bits, now)
        if action == ("look", 0):
            policy.seen(air, now)
            action = policy.step(connected, bits, now)
        if action:
            found.append((second, action))
    return found


def test_every_network_gets_its_twenty_seconds_in_order():
    policy = policy_of(3)
    assert scenario(policy, 60) == [(0, ("join", 0)), (20, ("join", 1)), (40, ("join", 2))]


def test_it_stays_where_it_is_connected():
    policy = policy_of(2)
    assert scenario(policy, 3600, up=((5, 3600),)) == [(0, ("join", 0))]


def test_after_a_round_it_rests_and_every_third_rest_begins_with_a_restart_of_the_radio():
    policy = policy_of(1)
    found = scenario(policy, 400)
    # The longest rests: 5, 10, 20, 20 seconds.
    assert found[:15] == [
        (0, ("join", 0)), (20, ("leave", 0)), (25, ("join", 0)), (45, ("leave", 0)), (55, ("join", 0)),
        (75, ("restart", 0)), (95, ("join", 0)), (115, ("leave", 0)), (135, ("join", 0)), (155, ("leave", 0)),
        (175, ("join", 0)), (195, ("restart", 0)), (215, ("join", 0)), (235, ("leave", 0)),
        (255, ("join", 0)),
    ]  # fmt: skip


def test_the_rest_is_jittered():
    assert scenario(policy_of(1), 30, bits=0) == [(0, ("join", 0)), (20, ("leave", 0)), (24, ("join", 0))]


def test_it_goes_on_for_weeks():
    policy = policy_of(2)
    joins = 0
    for minute in range(14 * 24 * 60):
        action = policy.step(False, ALL_BITS, (START + minute * 60000) % WRAP)
        joins += action is not None and action[0] == "join"
    assert joins > 14 * 24 * 60 // 4


def test_a_dropout_of_three_seconds_is_left_to_the_radio():
    policy = policy_of(1)
    assert scenario(policy, 60, up=((2, 30), (32.5, 60))) == [(0, ("join", 0))]
    policy = policy_of(1)
    assert scenario(policy, 34, up=((2, 30),))[1:] == [(32.5, ("leave", 0)), (33, ("join", 0))]


def test_after_a_loss_the_network_that_worked_comes_first():
    policy = policy_of(3)
    found = scenario(policy, 200, up=((25, 100),))
    assert found[:2] == [(0, ("join", 0)), (20, ("join", 1))]
    assert found[2:6] == [(102.5, ("leave", 0)), (103, ("join", 1)), (123, ("join", 2)), (143, ("join", 0))]
    assert found[6:8] == [(163, ("leave", 0)), (168, ("join", 0))], "then in their order again"


def test_success_forgets_the_failures_before():
    policy = policy_of(1)
    scenario(policy, 200)
    found = scenario(policy, 370, up=((200, 300),), since=200)
    assert [action for _, action in found] == [
        ("leave", 0), ("join", 0), ("leave", 0), ("join", 0), ("leave", 0), ("join", 0),
    ]  # fmt: skip
    assert found[3][0] - found[2][0] == 5, "the rests begin short again"


def test_a_connection_that_was_there_from_the_start_is_left_with_the_first_network():
    policy = policy_of(2)
    found = scenario(policy, 60, up=((0, 10),))
    assert found[:2] == [(12.5, ("leave", 0)), (13, ("join", 0))]


def point(ssid, last, dbm):
    return ssid.encode(), bytes([0, 0, 0, 0, 0, last]), 6, dbm, 3, False


def test_the_strongest_access_point_of_a_name_is_joined():
    air = [point("net0", 1, -80), point("other", 2, -20), point("net0", 3, -50), point("net0", 4, -70)]
    policy = policy_of(1)
    assert scenario(policy, 1, air=air) == [(0, ("join", 0))]
    assert policy.bssid(0) == bytes([0, 0, 0, 0, 0, 3])


def test_an_access_point_that_refuses_is_followed_by_the_next_strongest():
    air = [point("net0", 1, -80), point("net0", 3, -50), point("net0", 4, -70)]
    policy, tried = policy_of(1), []
    for half in range(2 * 200):
        now = (START + half * 500) % WRAP
        action = policy.step(False, ALL_BITS, now)
        if action == ("look", 0):
            policy.seen(air, now)
        elif action == ("join", 0):
            tried.append(policy.bssid(0)[-1])
    assert tried[:4] == [3, 4, 1, 3] and set(tried) == {1, 3, 4}


def test_only_networks_that_were_seen_are_tried():
    policy = policy_of(3)
    assert scenario(policy, 30, air=[point("net2", 1, -80), point("net1", 2, -90)]) == [
        (0, ("join", 1)),
        (20, ("join", 2)),
    ]
    assert [action for _, action in scenario(policy_of(3), 10, air=[point("other", 1, -30)])] == [
        ("leave", 0),
        ("leave", 0),
    ]


def test_a_hidden_network_is_tried_after_those_that_were_seen():
    policy = policy_of(2)
    found = scenario(policy, 30, air=[point("", 1, -40), point("net1", 2, -60)])
    assert found == [(0, ("join", 1)), (20, ("join", 0))]
    assert policy.bssid(0) is None and policy.bssid(1)[-1] == 2


def test_without_a_scan_all_networks_are_tried():
    policy = policy_of(2)
    assert scenario(policy, 30) == [(0, ("join", 0)), (20, ("join", 1))]
    assert policy.bssid(0) is None


def test_a_scan_that_does_not_end_times_out():
    policy = policy_of(1)
    found = []
    for half in range(2 * 30):
        action = policy.step(False, ALL_BITS, (START + half * 500) % WRAP)
        if action:
            found.append((half / 2, action))
    assert found == [(0, ("look", 0)), (8, ("join", 0)), (28, ("leave", 0))]


def test_an_access_point_that_the_owner_names_is_the_only_one():
    policy = WifiConnectPolicy(networks(1, bytes([0, 0, 0, 0, 0, 10])), START)
    air = [point("net0", 3, -50), point("net0", 10, -90)]
    assert scenario(policy, 1, air=air) == [(0, ("join", 0))]
    assert policy.bssid(0)[-1] == 10
    policy = WifiConnectPolicy(networks(1, bytes([0, 0, 0, 0, 0, 10])), START)
    assert scenario(policy, 1, air=[point("net0", 3, -50)]) == [(0, ("leave", 0))]
    policy = WifiConnectPolicy(networks(1, bytes([0, 0, 0, 0, 0, 10])), START)
    assert scenario(policy, 1) == [(0, ("join", 0))] and policy.bssid(0)[-1] == 10
    policy = WifiConnectPolicy(networks(1, bytes([0, 0, 0, 0, 0, 10])), START)
    assert scenario(policy, 1, air=[point("", 10, -90)]) == [(0, ("join", 0))] and policy.bssid(0)[-1] == 10


def test_the_list_of_tried_access_points_is_bounded():
    policy = policy_of(3)
    for day in range(50):
        scenario(policy, 600, air=[point("net%d" % i, i, -50) for i in range(3)], since=0)
        assert len(policy.tried) <= 4, day
