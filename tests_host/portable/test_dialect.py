"""What the two interpreters do differently, as far as the device code relies on knowing it.

Each test pins a row of docs/two-interpreters.md, for each interpreter by name. What both do alike, every other portable
test relies on. When a new MicroPython makes a test fail, the house rule beside it may be dropped.
"""

import asyncio
import binascii
import collections
import json
import re
import sys

MICROPYTHON = sys.implementation.name == "micropython"
VERSION = sys.implementation.version[:2]
"""Of the interpreter, where what it does has changed between the supported ones."""


def outcome(call, *args):
    """What a call returns, or the class of what it raises."""
    try:
        return call(*args)
    except Exception as error:  # noqa: BLE001 - which one it is is the question
        return type(error)


def compiles(text):
    try:
        compile(text, "text", "exec")
    except SyntaxError:
        return False
    return True


# Errors


def test_a_timeout_is_no_os_error_on_micropython():
    # Hence always `except (OSError, asyncio.TimeoutError)`.
    assert issubclass(asyncio.TimeoutError, OSError) is not MICROPYTHON


def test_the_number_of_an_os_error_is_its_first_argument():
    assert OSError(104).args[0] == 104
    assert OSError(104).errno == (104 if MICROPYTHON else None)


def test_the_special_os_errors_are_absent():
    # Hence `OSError` and a number, never FileNotFoundError or ConnectionResetError.
    for name in ("TimeoutError", "ConnectionError", "FileNotFoundError", "PermissionError"):
        assert outcome(eval, name) is NameError if MICROPYTHON else issubclass(eval(name), OSError)
    assert issubclass(outcome(open, "no/such/file"), OSError)


def test_a_class_has_one_built_in_error_as_its_base():
    text = "class Both(ValueError, OSError): pass"
    assert outcome(exec, text, {}) is (TypeError if MICROPYTHON else None)


# Numbers and truth


def test_true_is_an_int_only_on_cpython():
    # Hence `x is True or x is False` before any isinstance(x, int).
    assert isinstance(True, int) is not MICROPYTHON
    assert True == 1


def test_rounding_differs_but_formatting_agrees():
    assert round(2.675, 2) == (2.68 if MICROPYTHON else 2.67)
    assert "%.2f" % 2.675 == "2.67"
    # A half is rounded up there, to even here: no test vector may stand on one.
    assert "%.1f" % 2.25 == ("2.3" if MICROPYTHON else "2.2")
    assert (round(2.5), round(-0.5), int(-7.9)) == (2, 0, -7)


def test_numbers_in_texts():
    assert (int(" 12 "), float("1_0"), float("1e400")) == (12, 10.0, float("inf"))
    # Foreign digits count on CPython only.
    assert outcome(int, "१") == (ValueError if MICROPYTHON else 1)
    assert "१".isdigit() is not MICROPYTHON


# Containers


def test_a_dict_keeps_no_order_on_micropython():
    # Hence order that matters lives in tuples and lists.
    names = ["one", "two", "three", "four", "five"]
    keys = list(dict.fromkeys(names))
    assert sorted(keys) == sorted(names)
    assert (keys == names) is not MICROPYTHON


def test_slots_do_nothing_on_micropython():
    class Slotted:
        __slots__ = ("a",)

    thing = Slotted()
    assert outcome(setattr, thing, "b", 1) is (None if MICROPYTHON else AttributeError)


def test_a_bytearray_is_cut_by_assignment():
    def delete(buf):
        del buf[:2]

    buf = bytearray(b"abcd")
    assert outcome(delete, buf) is (TypeError if MICROPYTHON else None)
    buf = bytearray(b"abcd")
    buf[:2] = b""
    assert buf == b"cd"


def test_a_memoryview_is_a_window():
    buf = bytearray(4)
    view = memoryview(buf)
    view[1:3] = b"ab"
    assert buf == b"\0ab\0"
    assert bytes(view[1:3]) + b"c" == b"abc"
    copy = bytearray()
    copy.extend(view[:2])
    copy += view[2:]
    assert copy == buf
    assert hasattr(view, "release") is not MICROPYTHON


def test_a_bytearray_with_a_view_keeps_its_length():
    # CPython refuses to resize it. MicroPython does it, and the view then shows freed memory: never do it.
    def grow(buf):
        view = memoryview(buf)
        buf.extend(b"z")
        return len(view)

    if not MICROPYTHON:
        assert outcome(grow, bytearray(4)) is BufferError


def test_a_namedtuple_is_a_tuple_with_names():
    row = collections.namedtuple("Row", ("a", "b"))(1, b=2)
    assert (row.a, row[1], row == (1, 2)) == (1, 2, True)
    for helper in ("_asdict", "_replace"):
        assert hasattr(row, helper) is not MICROPYTHON


def test_sequences_are_joined_by_plus():
    # `[*a, b]` and `{**a}` do not even compile.
    for text in ("[*a, b]", "{**a}", "def f(a, /): pass", "match 1:\n case _: pass"):
        assert compiles(text) is not MICROPYTHON
    assert [1] + [2] == [1, 2]


# Texts and bytes


def test_decoding_knows_utf8_only():
    # Bytes from outside are decoded as UTF-8 with UnicodeError at hand: other names are taken for UTF-8 as well.
    assert issubclass(outcome(b"\xff".decode), UnicodeError)
    old = MICROPYTHON and VERSION < (1, 29)  # which takes these names, and does not heed them
    assert outcome(b"\xff".decode, "utf-8", "replace") == (UnicodeError if old else "\ufffd")
    latin = b"\xc3\xa4" if old else LookupError if MICROPYTHON else b"\xe4"
    assert outcome("ä".encode, "latin-1") == latin


def test_case_and_length_of_texts():
    assert ("AbC".lower(), len("é"), "éa"[1]) == ("abc", 1, "a")
    assert "É".lower() == ("É" if MICROPYTHON else "é")


def test_absent_text_methods():
    for name in ("removeprefix", "isascii", "zfill", "rjust"):
        assert hasattr("", name) is not MICROPYTHON
    assert "a=b=c".partition("=") == ("a", "=", "b=c")
    text = "a  b c"
    assert text.split(None, 1) == ["a", "b c"]


def test_a_broken_hex_or_base64_text_is_a_value_error():
    assert issubclass(outcome(binascii.unhexlify, "0"), ValueError)
    assert binascii.b2a_base64(b"ab", newline=False) == b"YWI="


# Libraries


def test_json_lets_broken_texts_through_on_micropython():
    # Hence every parsed value is checked for shape, and a body's length is checked before it is parsed.
    loose = (("[1 2]", [1, 2]), ('{"a":1,}', {"a": 1}), ("01", 1))
    for text, value in loose:
        got = outcome(json.loads, text)
        assert got == value if MICROPYTHON else issubclass(got, ValueError)
    for text, value in (('{"a":', {}), ("[1,", [1])):
        got = outcome(json.loads, text)
        assert got == value if MICROPYTHON and VERSION < (1, 26) else issubclass(got, ValueError)


def test_absent_in_micropython_before_1_25():
    old = MICROPYTHON and VERSION < (1, 25)
    for call in ("ab".startswith, "ab".endswith):
        assert outcome(call, ("a", "b")) == (TypeError if old else True)
    assert outcome(next, iter(()), 5) == (TypeError if old else 5)


def test_json_takes_utf_16_only_on_cpython():
    # Not worth a copy of every answer as text: no cloud sends it, and then the device refuses it.
    got = outcome(json.loads, b"\xff\xfe{\x00}\x00")
    assert issubclass(got, ValueError) if MICROPYTHON else got == {}


def test_json_does_not_join_surrogates_on_micropython():
    # Hence a text from outside is shown, never counted on to be encodable.
    assert len(json.loads('"\\ud83d\\ude00"')) == (2 if MICROPYTHON else 1)


def test_json_dumps_non_finite_numbers():
    # Hence a reading is a finite number or None.
    assert json.dumps(float("nan")).lower() == "nan"
    assert outcome(json.dumps, b"a") == ('"a"' if MICROPYTHON else TypeError)


def test_patterns_have_no_repeat_counts_on_micropython():
    # It compiles and then never matches.
    assert (re.match("a{2}", "aa") is None) is MICROPYTHON
    assert re.match("[^:]+:(a|b)?$", "x:a").group(1) == "a"


def test_async_generators_are_not_for_us():
    # It compiles to a plain generator, which `async for` then cannot use.
    space = {}
    exec("async def numbers():\n    yield 1", space)
    assert hasattr(space["numbers"](), "__anext__") is not MICROPYTHON


def test_absent_parts_of_asyncio():
    for name in ("timeout", "TaskGroup", "Queue", "shield", "to_thread", "Semaphore"):
        assert hasattr(asyncio, name) is not MICROPYTHON
    for name in ("run", "create_task", "wait_for", "gather", "sleep", "Lock", "Event"):
        assert hasattr(asyncio, name)


def test_absent_libraries():
    for name in (
        "typing", "enum", "dataclasses", "functools", "contextlib", "logging", "abc", "itertools", "urllib",
    ):  # fmt: skip
        assert outcome(__import__, name) is ImportError if MICROPYTHON else __import__(name)


def test_chained_causes_are_dropped_on_micropython():
    # Naming one with `from` prints a warning there as well: the cause belongs in the text.
    assert hasattr(ValueError("text"), "__cause__") is not MICROPYTHON
