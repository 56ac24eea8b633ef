"""Validates messages by the JSON Schemas in `schemas/`, which have the names of the documentation.

A message of the device that fails is a violation, which the model reports. A message of our own that fails is a bug of
the simulated cloud and raises. Only the structure is validated: whether an id exists, the model decides.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

SCHEMAS = Path(__file__).parent / "schemas"


def load(name: str) -> dict[str, Any]:
    """A schema by its documented name without the ending, such as "http-feed-data-item"."""
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(_inlined(load(name), name))


def _inlined(schema: Any, name: str) -> Any:
    """The schema with what its $refs name in their place: to look them up takes half of a validation's time."""
    if isinstance(schema, list):
        return [_inlined(part, name) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" not in schema:
        return {key: _inlined(part, name) for key, part in schema.items() if key not in ("$id", "$schema")}
    file, _, pointer = schema["$ref"].partition("#")
    name = file.removesuffix(".schema.json") or name
    found: Any = load(name)
    for key in pointer.split("/")[1:]:
        found = found[int(key) if isinstance(found, list) else key]
    return _inlined(found, name)


def problems(name: str, value: Any) -> dict[str, list[str]]:
    """What is wrong with a message: field -> sentences, {} when it keeps the contract."""
    found: dict[str, list[str]] = {}
    for error in sorted(validator(name).iter_errors(value), key=lambda e: list(map(str, e.absolute_path))):
        for field, sentence in _explain(error):
            sentences = found.setdefault(field, [])
            if sentence not in sentences:
                sentences.append(sentence)
    return found


def _explain(error: ValidationError) -> list[tuple[str, str]]:
    """Sentences that name fields and rules but never repeat a value: a value may be a secret."""
    field = ".".join(map(str, error.absolute_path)) or "base"
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return [(name, "can't be blank") for name in missing]
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        return [(name, "is not a field of this message") for name in error.instance if name not in known]
    if error.validator in ("oneOf", "anyOf", "not", "if"):
        return [(field, str(error.schema.get("description", "matches none of the allowed forms")))]
    return [(field, f"breaks the rule {error.validator}: {json.dumps(error.validator_value)[:80]}")]


@lru_cache(maxsize=256)
def _good(name: str, body: bytes) -> bool:
    return not problems(name, json.loads(body))


def assert_own(name: str, body: bytes) -> None:
    """Raise AssertionError when a message of the cloud itself breaks its own contract."""
    if not _good(name, body):
        raise AssertionError(f"the simulated cloud broke {name}: {problems(name, json.loads(body))}")
