"""The names that bundled code gets (docs/decisions/0019), and the choice among them.

Every MicroPython from 1.24 on has `TOPS`, `ATTRIBUTES` and `ARGUMENTS` in its ROM, in the stock image of an ESP32 and
in the packages for a PC alike (a test asks both). So these names cost no heap. A missing one would cost eight bytes and
its letters.

The choice is stable. It depends on the names and on which of them must differ, not on how often or in which order they
occur. Each name ranks the candidates in an order of its own; where two that must differ prefer the same candidate, a
fixed rank decides. So a new name displaces a few others at most, a private name of a unit (`_name` at its top)
displaces none of another unit, and a deploy sends only the units that changed.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import string
from collections.abc import Iterable, Iterator
from typing import NamedTuple

Key = tuple[str, str]
"""What is renamed: the unit and a name at its top, or "" and an attribute."""

ARGUMENTS = (
    "append", "find", "join", "strip", "insert", "extend", "lower", "upper",
    "rfind", "rsplit", "rindex", "lstrip", "rstrip", "isupper", "islower", "isdigit",
)  # fmt: skip
"""For arguments, in their order, and for functions in functions."""
_NUMBERED = (
    "bytecode", "clear", "count", "end", "endswith", "from_bytes", "index", "isalpha", "isspace", "items", "keys",
    "little", "popitem", "readinto", "readline", "remove", "replace", "reverse", "sep", "setdefault", "sort", "split",
    "start", "startswith", "stop", "to_bytes", "update", "values",
)  # fmt: skip
_WRITTEN_OUT = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "copysign", "cos", "cosh", "degrees", "erf",
    "erfc", "exp", "expm1", "fabs", "floor", "fmod", "frexp", "gamma", "isinf", "isnan", "ldexp", "lgamma", "log2",
    "log10", "modf", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
    "appendleft", "center", "difference", "discard", "fromkeys", "intersection", "isdisjoint", "issubset", "issuperset",
    "partition", "phase", "polar", "popleft", "rect", "rpartition", "splitlines", "uniform", "union",
    "ARRAY", "FLOAT32", "FLOAT64", "INT", "INT8", "INT16", "INT32", "INT64", "LONG", "LONGLONG", "NATIVE", "PTR",
    "SHORT", "UINT", "UINT8", "UINT16", "UINT32", "UINT64", "ULONG", "VOID", "bytearray_at", "bytes_at", "sizeof",
)  # fmt: skip
_BUILTINS = (
    "abs", "all", "any", "bool", "bytes", "callable", "chr", "copy", "dict", "dir", "divmod", "eval", "exec", "get",
    "getattr", "globals", "hasattr", "hash", "id", "int", "isinstance", "issubclass", "iter", "key", "len", "list",
    "locals", "main", "map", "next", "object", "ord", "pop", "pow", "print", "range", "repr", "round", "self", "set",
    "setattr", "sorted", "step", "str", "sum", "tuple", "type", "zip",
)  # fmt: skip
_RARE = (
    "bin", "bytearray", "classmethod", "complex", "delattr", "enumerate", "filter", "frozenset", "hex", "memoryview",
    "oct", "property", "reversed", "slice", "staticmethod", "super",
)  # fmt: skip
TOPS = _NUMBERED, _WRITTEN_OUT
"""For what a unit binds at its top: none is a builtin or a module. Those first for which a `.mpy` has a number, then,
as few as possible, those that it has to write out: a small choice makes for small tables and code."""
ATTRIBUTES = (*_NUMBERED, *ARGUMENTS, *_BUILTINS), (*_WRITTEN_OUT, *_RARE)
"""For attributes, likewise. None is what MicroPython itself asks an object for: `args`, `close`, `errno`, `read`,
`send`, `throw`, `value`, `write`."""
COMMON = frozenset({
    "BOOT_RECORD", "Catalog", "Command", "Desired", "SLOT_RECORD", "Secret", "Sensor", "Timer", "Unit", "_head",
    "_input", "_read", "abandon", "account", "asked", "asked_scopes", "attempt", "batch", "call", "cfg", "check",
    "client", "clock", "confirm", "controller", "dial", "dialer", "drop", "exchange", "explain", "failures", "finished",
    "forget", "generation", "grant", "hidden", "holding", "http", "iso", "kept", "lease", "left_ms", "limiter",
    "memo", "most", "ms", "names", "net", "net_error", "next_ms", "number", "on_mqtt", "output", "owed", "pacing",
    "passed", "polled", "read_into", "renewal", "retry_after_s", "reveal", "rng", "rows", "save", "seen",
    "since", "started", "store", "stream", "submit", "supervisor", "turn", "unit", "until", "view", "wait_ms", "why",
    "within",
})  # fmt: skip
"""What many units use (a test says so when one is missing): these choose first, so that nothing new displaces them."""


class Group(NamedTuple):
    """What has to be told apart: `keys`, from each other and from what keeps its name, `kept`."""

    keys: set[Key]
    kept: set[str]


def chosen(groups: Iterable[Group]) -> dict[Key, str]:
    """For every key a name that nothing it has to be told apart from has."""
    taken = []
    places: dict[Key, list[set[str]]] = {}
    for group in groups:
        taken.append(set(group.kept))
        for key in group.keys:
            places.setdefault(key, []).append(taken[-1])
    new = {}
    for key in sorted(places, key=_rank):
        new[key] = next(name for name in _liked(key) if all(name not in each for each in places[key]))
        for each in places[key]:
            each.add(new[key])
    return new


def _rank(key: Key) -> tuple[bool, bool, bytes, Key]:
    """Who chooses first: what many units use, then what several may, what is private to a unit or a class at last."""
    _, name = key
    return name not in COMMON, name.startswith("_"), _digest(name, ""), key


def _liked(key: Key) -> Iterator[str]:
    """The names for a key, the best first; then short ones, which cost heap, without end."""
    unit, name = key
    yield from _order(name, TOPS if unit else ATTRIBUTES)
    for length in itertools.count(1):
        yield from map("".join, itertools.product(string.ascii_uppercase, repeat=length))


@functools.cache
def _order(name: str, parts: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    return tuple(each for part in parts for each in sorted(part, key=lambda each: _digest(name, each)))


def _digest(name: str, other: str) -> bytes:
    return hashlib.blake2s(f"{name} {other}".encode(), digest_size=8).digest()
