"""The text form of a fault: `KEY[=VALUE] ...` into the fields of a dataclass and back, by the type of the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

_READ: dict[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": {"yes": True, "1": True, "no": False, "0": False}.__getitem__,
}


def read(fault: Any, words: list[str], bare: dict[str, Any], choices: Mapping[str, Sequence[str]]) -> None:
    """Set the fields of `fault`, whose first one is its endpoint.

    `bare`: value of a key that is given without one; `choices`: allowed values. Raises ValueError with a sentence for
    the person who typed it.
    """
    for word in words:
        key, equals, text = word.partition("=")
        value = _value(_kinds(fault), key, text if equals else None, bare)
        if key in choices and value not in choices[key]:
            raise ValueError(f"{key} is one of {', '.join(choices[key])}")
        setattr(fault, key, value)


def write(fault: Any) -> str:
    words = [fault.endpoint]
    for name, default in ((item.name, item.default) for item in fields(fault)[1:] if item.init):
        value = getattr(fault, name)
        if value != default:
            words.append(name if value is True else f"{name}={'no' if value is False else value}")
    return " ".join(words)


def _kinds(fault: Any) -> dict[str, str]:
    return {item.name: str(item.type).split(" ")[0] for item in fields(fault)[1:] if item.init}


def _value(kinds: dict[str, str], key: str, text: str | None, bare: dict[str, Any]) -> Any:
    if key not in kinds:
        raise ValueError(f"unknown fault {key!r}; one of {', '.join(kinds)}")
    if text is None:
        if kinds[key] != "bool" and key not in bare:
            raise ValueError(f"{key} needs a value: {key}=...")
        return bare.get(key, True)
    try:
        return _READ[kinds[key]](text)
    except (KeyError, ValueError):
        raise ValueError(f"{text!r} is no value for {key}") from None
