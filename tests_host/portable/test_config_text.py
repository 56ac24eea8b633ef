"""The text of a configuration: JSON is read, all else is refused, whatever the interpreter's own parser takes."""

import json

from firmware.core.config_text import NotJson, parse, place


def mistake(text):
    """(words, line and column), None when there is none."""
    data = text if isinstance(text, bytes) else text.encode()
    try:
        parse(data)
    except NotJson as error:
        return error.args[0], place(data, error.args[1])
    return None


def refused(text):
    return mistake(text) and mistake(text)[1]


def test_values_are_those_of_json():
    for text in (
        '{"a": [1, 2.5, -3e2, 1E+2, 0, -0, 0.5, null, true, false, "x"], "b": {}, "c": [], "d": {"e": [[], {}]}}',
        ' [ ] ', '""', "12518931", "-1.405", '"\\\\ \\" \\/ \\b\\f\\n\\r\\t\\u0041\\u00e4 \\u20ac"', "\r\n\t{\r\n}\r\n",
    ):  # fmt: skip
        assert parse(text.encode()) == (json.loads(text), []), text
    value, _ = parse('"grün \\ud83d\\ude00"'.encode())
    assert value.encode() == b"gr\xc3\xbcn \xf0\x9f\x98\x80"
    assert type(parse(b"5")[0]) is int and type(parse(b"5.0")[0]) is float


def test_invalid_json_is_refused_with_its_position():
    for text, spot in (
        ('{"a": 1\n "b": 2}', (2, 2)), ("[1 2]", (1, 4)), ('{"a" 1}', (1, 6)), ('{"a":1,}', (1, 8)), ("[1,]", (1, 4)),
        ("[,1]", (1, 2)), ("01", (1, 1)), ("-", (1, 1)), ("1.", (1, 1)), (".5", (1, 1)), ("+1", (1, 1)), ("1e", (1, 1)),
        ("nan", (1, 1)), ("True", (1, 1)), ("None", (1, 1)), ("", (1, 1)), ('{"a":', (1, 6)), ("[1,", (1, 4)),
        ('{"a":1', (1, 7)), ('"a', (1, 3)), ('"a\tb"', (1, 3)), ('"a\nb"', (1, 3)), ("'a'", (1, 1)), ("{a:1}", (1, 2)),
        ("[1] // one", (1, 5)), ('["ä" 1]', (1, 6)), ('"\\x"', (1, 2)), ('"\\u12"', (1, 4)), ("1 2", (1, 3)),
        ("{}}", (1, 3)),
        ("[" * 100, (1, 13)), ("9" * 50, (1, 1)), ("\u201ca\u201d", (1, 1)), ("[1]]", (1, 4)), ("[1}", (1, 3)),
    ):  # fmt: skip
        assert refused(text) == spot, text
    for text in (b'"caf\xe9"', b"\xff", b'"\\ud800"', b'"\\ud83d\\u0041"', b'"\\udc00"', b'{"a\0": 1}'):
        assert refused(text), text


def test_no_message_shows_a_value():
    for text in ('{"a": "secret-not-real" "b": 1}', '{"a": "secret-not-real\n"}', '{"a": "secret-not-real'):
        assert "secret" not in mistake(text)[0]


def test_a_comma_after_the_last_one_is_called_that():
    for text, last in (
        ("[1,]", True), ('[{"a":1,}]', True), ('{"a":1,2}', False), ('{"a":]}', False), ('[{"a":}]', False),
        ("[,1]", False), ("]", False),
    ):  # fmt: skip
        assert ("last" in mistake(text)[0]) == last, text


def test_a_byte_order_mark_is_accepted():
    assert parse(b'\xef\xbb\xbf{"a": 1}') == ({"a": 1}, [])
    assert refused(b'{"a": \xef\xbb\xbf1}')


def test_duplicate_keys_are_errors_at_their_path():
    text = '{"a": 1, "o": [{"g": 1,\n"g": 2}, {"g": 3}],\n"a": {"b": 1, "b": 2}}'
    _, problems = parse(text.encode())
    assert [problem[:2] for problem in problems] == [("error", "o[0].g"), ("error", "a"), ("error", "a.b")]
    assert [problem[3].split()[-1] for problem in problems] == ["2", "3", "3"]
    _, problems = parse(("{" + ",".join(['"a":0'] * 99) + "}").encode())
    assert len(problems) == 40
