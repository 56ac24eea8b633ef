"""A JSON object too large to be held: taken apart as it comes, however it is cut into pieces."""

import json

from firmware.cloud.large_body import LargeBody
from firmware.core.models import Catalog, Command


class Net:
    free = 1 << 20

    def heap_free(self):
        return self.free


class Account:
    net = Net()
    cfg = {"ports": ["6", "9", "14"]}
    catalog = Catalog([Command(name, "relay", "6", None, None, None, "") for name in ("cmd_1", 2)], [])


class Response:
    body = b""


def taken(data, step=7):
    large = LargeBody(Account)
    for at in range(0, len(data), step):
        large.feed(data[at : at + step])
        assert len(large.pending) <= 2048
    return large


def read(thing):
    data = thing if isinstance(thing, bytes) else json.dumps(thing).encode()
    found = [taken(data, step).body(Response()) for step in (1, 7, 1024, len(data) or 1)]
    assert all(body == found[0] for body in found)
    return found[0]


def states(numbers, command="cmd_1", **more):
    return [
        dict(
            desired_id="des_%s_%d" % (command, number),
            command_id=command,
            value="%d.0" % (number % 2),
            valid_for_seconds=300,
            expires_at="2026-04-24T10:15:00Z",
            sequence_number=number,
            **more,
        )
        for number in numbers
    ]


def numbers(body):
    return [item["sequence_number"] for item in body["desired_states"]]


def test_values_other_than_lists_are_kept():
    for thing in (
        {},
        {"code": 2000, "a": None, "b": True, "c": -1.5, "d": 'x, y] } \\ " [', "e": {"f": [1, {"g": [2]}]}},
        {"empty": [], "text": "\u00e4\u20ac"},
    ):
        assert read(thing) == thing
    assert read(b' \r\n{ "a" : 1 , "b" : [ ] , "c" : [ 1 , "]" , [ 2 ] , { } ] } \n') == {
        "a": 1,
        "b": [],
        "c": [1, "]", [2], {}],
    }


def test_an_incomplete_body_or_no_object_is_none():
    whole = b'{"code":2000,"commands":[{"id":1,"pin_port":"6"}],"a":{"b":[1]}}'
    assert read(whole)
    for size in range(1, len(whole)):
        assert read(whole[:size]) is None
    for data in (
        b"[]", b"[1]", b"null", b"1", b"<html><body>{}</body></html>", b"Bad gateway", whole + b"x", whole + whole,
        whole + b"]", b'{"a":[1}', b'{"a":[1]]', b"}", b"]{}", b'{"a":[tru]}', b"[" * 400 + b"]" * 400,
    ):  # fmt: skip
        assert read(data) is None, data


def test_the_first_bytes_of_a_body_that_is_no_object_are_kept():
    response = Response()
    assert taken(b"<html>" + b"x" * 999).body(response) is None
    assert response.body[:10] == b"<html>xxxx" and len(response.body) < 100


def test_no_body_at_all_is_an_empty_object():
    assert read(b"") == {}


def test_catalog_rows_of_configured_ports_are_kept():
    rows = [{"id": n, "value": "0.0", "kind": "relay", "pin_port": str(n)} for n in range(200)]
    large = taken(json.dumps({"code": 2000, "commands": rows, "sensors": rows[14:]}).encode())
    body = large.body(Response())
    assert [row["pin_port"] for row in body["commands"]] == ["6", "9", "14"]
    assert [row["pin_port"] for row in body["sensors"]] == ["14"] and body["commands"][0] == rows[6]
    assert large.left_out == 197 + 185
    rows = [{"id": n, "pin_port": "6"} for n in range(1000)] + [None, 1, [], {"id": 1}]
    assert len(read({"commands": rows})["commands"]) == 6


def test_the_newest_and_the_oldest_pending_states_are_kept():
    for order in (range(1, 501), range(500, 0, -1)):
        assert sorted(numbers(read({"desired_states": states(order)}))) == list(range(1, 21)) + [500]
    assert sorted(numbers(read({"desired_states": states(range(1, 9))}))) == list(range(1, 9))
    both = states(range(1, 300)) + states(range(1, 3), 2)
    found = read({"code": 2000, "desired_states": both, "catalog_revision": "r"})
    newest = {item["command_id"]: item["sequence_number"] for item in found["desired_states"]}
    assert newest == {"cmd_1": 299, 2: 2} and len(found["desired_states"]) == 22
    assert found["catalog_revision"] == "r"
    assert "expires_at" not in found["desired_states"][0]


def test_fewer_states_are_kept_when_memory_is_short():
    for free, kept in ((0, 2), (9000, 2), (15000, 10), (50000, 20)):
        Account.net.free = free
        assert len(read({"desired_states": states(range(1, 501))})["desired_states"]) == kept + 1
    Account.net.free = 1 << 20


def test_without_sequence_numbers_the_oldest_come_first_and_none_is_lost():
    listed = states(range(1, 101))
    for item in listed:
        del item["sequence_number"]
    worked_off = []
    while listed:
        ids = [item["desired_id"] for item in read({"desired_states": listed})["desired_states"]]
        worked_off += ids
        listed = [item for item in listed if item["desired_id"] not in ids]
    assert worked_off == ["des_cmd_1_%d" % number for number in range(1, 101)]


def test_mqtt_routes_of_configured_ports_are_kept():
    routes = [
        {"source_type": "command", name: "cmd_%d" % n} for n in range(200) for name in ("source_id", "x")
    ]
    found = read(
        {"mqtt": {"qos": 1}, "mqtt_routes": routes + [{"source_type": "command", "command_id": 2}, None]}
    )
    assert found["mqtt"] == {"qos": 1}
    ours = [routes[2], {"source_type": "command", "command_id": 2}]
    # A port of ours is in no row yet: some of the routes that are new may lead there.
    assert len(found["mqtt_routes"]) == 22 and all(route in found["mqtt_routes"] for route in ours)
    Account.cfg = {"ports": ["6"]}
    found = read({"mqtt_routes": routes + ours[1:] + [None]})
    Account.cfg = {"ports": ["6", "9", "14"]}
    assert found["mqtt_routes"] == ours


def test_states_of_other_commands_take_no_memory():
    foreign = [state for n in range(300) for state in states((1,), "cmd_%d" % (n + 10))]
    assert read({"desired_states": foreign + states((1,)) + [None, 7, {}]})["desired_states"] == [
        {key: value for key, value in states((1,))[0].items() if key != "expires_at"}
    ]


def test_elements_that_are_too_large_or_too_deep_are_left_out():
    rows = [{"pin_port": "6", "x": "y" * 5000}, {"pin_port": "9"}]
    assert read({"commands": rows, "a": "z" * 3000, "b": 1}) == {"commands": rows[1:], "b": 1}
    assert read(b'{"results":[' + b"1," * 1000 + b'2],"c":3}') == {"results": [1] * 40, "c": 3}
    deep = b'{"commands":[{"pin_port":"6","x":' + b"[" * 900 + b"]" * 900 + b'},{"pin_port":"9"}]}'
    assert read(deep)["commands"][-1] == {"pin_port": "9"}
