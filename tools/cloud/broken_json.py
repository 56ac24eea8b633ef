"""Ways to spoil a JSON body. Its length header stays true, so that only the JSON is wrong."""

from __future__ import annotations

from collections.abc import Callable

BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda body: body[: max(1, len(body) // 2)],
    "text": lambda body: b"Bad gateway",
    "utf8": lambda body: body[:-1] + b',"\xff\xfe":"\xc3\x28"}',
    "list": lambda body: b"[]",
    "null": lambda body: b"null",
    "nan": lambda body: b'{"code":NaN}',
    "deep": lambda body: b"[" * 400 + b"]" * 400,
}
