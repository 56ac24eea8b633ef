"""Explains where and why the text of a configuration is no JSON, from what the device's parser says.

It shows nothing of the text but a bracket: anything else may be a secret.
"""

from __future__ import annotations

import re
import unicodedata

_SMART = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2033\uff02\u00b4`"
_REMEDIES = {
    "escape sequence": "a backslash in a text is written twice, \\\\",
    "without an end": 'is the closing quotation mark " missing, or was the file cut off?',
    "leading zero": "write 4 for 04, and 1000 for 1,000",
}
"""What the device says -> what to do."""
_ANYWHERE = (
    (f"[{_SMART}]", "these are typographic quotation marks; use straight double ones"),
    ("'", "texts need double quotation marks, not single ones"),
    ("/|#|--", "JSON has no comments"),
)
_INSTEAD = (
    (r"(?i)[-+]?(nan|inf)", "JSON has no such number"),
    (r"(?i)(none|nil|undefined)\b", "JSON has null, in lower case"),
    (r"(?i)(true|yes)\b", "JSON has true, in lower case"),
    (r"(?i)(false|no)\b", "JSON has false, in lower case"),
    (r"[^\W\d]", "keys and texts need double quotation marks, numbers have no unit"),
    ("[\u2010-\u2015\u2212]", "a minus sign is -"),
    (r"(?i)[-+]?0[xob]", "numbers are decimal, such as 16 for 0x10"),
    (r"[-+.\d]*;", "a comma stands between two items"),
    (r"[-+.]?\d", "a number has digits only, a decimal point and no unit"),
    ("=", "a colon stands between a key and its value"),
    (r"(?i)<(!|\?|html)", "this is a web page"),
    ("<", "keys and texts need double quotation marks"),
)
"""What stands where JSON has something else -> what belongs there."""
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{}]', re.DOTALL)


def syntax(data: bytes, at: int, words: str) -> str:
    """What is wrong at an offset of a file. `words`: what the device says."""
    text = data[at:].decode(errors="replace")
    if "within a text" in words:
        return _within_a_text(data, at, words)
    if text and unicodedata.category(text[0])[0] in "ZC":
        return f"an invisible character (U+{ord(text[0]):04X}), as in text copied from a web page; delete it"
    more = next((more for said, more in _REMEDIES.items() if said in words), "")
    more = more or _first(_ANYWHERE, text) or _of_brackets(data, at, words)
    if not more and data[at - 1 : at] == b'"' and "a value" in words:
        more = 'is a quotation mark missing or too many before it? Within a text it is written \\"'
    if not more and any(what in words for what in ("a value", "a key", "valid number")):
        more = _first(_INSTEAD, text)
    return f"{words}: {more}" if more else words


def _within_a_text(data: bytes, at: int, words: str) -> str:
    line = data[data.rfind(b"\n", 0, at) + 1 :].split(b"\n", 1)[0].decode(errors="replace")
    if any(mark in line for mark in _SMART):
        return f"{words}: typographic quotation marks do not end a text; use straight double ones"
    if data[at : at + 1] == b"\t":
        return "a tab within a text; write it as \\t"
    return 'a line ends within a text: is the closing quotation mark " missing?'


def _first(table: tuple[tuple[str, str], ...], text: str) -> str:
    return next((right for pattern, right in table if re.match(pattern, text)), "")


def _of_brackets(data: bytes, at: int, words: str) -> str:
    """What is wrong with the brackets and commas in front of an error, or nothing."""
    mark = data[at : at + 1]
    if words == "text after the end":
        second = mark in (b"{", b"[")
        return (
            "the file may hold one object only"
            if second
            else "is there one closing bracket too many before it?"
        )
    is_open: list[re.Match[bytes]] = []
    for token in _TOKENS.finditer(data[:at]):
        if token[0] in (b"{", b"["):
            is_open.append(token)
        elif token[0] in (b"}", b"]") and is_open:
            is_open.pop()
    if not is_open:
        return "" if data.strip() else "it is empty"
    bracket = is_open[-1][0]
    line = data.count(b"\n", 0, is_open[-1].start()) + 1
    here = f"the {bracket.decode()} of line {line} is still open"
    if "too early" in words:
        return f"{here}; was the file cut off?"
    closed = {b"}": b"{", b"]": b"["}.get(mark, bracket)
    if closed != bracket or ("a key" in words and mark in (b"{", b"[")):
        return here
    return "one comma too many" if mark == b"," and "a key" in words else ""
