"""Parse the text of the configuration strictly by RFC 8259.

MicroPython's own parser also accepts `[1 2]`, `{"a":1,}` and `01`, and common parsers accept duplicate keys. The check
on the host and the device must give the same result, so both use this parser. It is imported once at startup and then
unloaded. Messages quote only keys, because values may be secret.
"""

import json
from micropython import const

BOM = b"\xef\xbb\xbf"
"""The byte order mark, which some editors put at the start of a UTF-8 file."""
_DEEPEST = const(12)  # nested lists and objects; a configuration has five
_LONGEST = const(40)  # characters of a number
_VALUE = const(1)  # flags: which tokens are expected next
_KEY = const(2)
_END = const(4)
_COLON = const(8)
_COMMA = const(16)
_ESCAPED = b'"\\/bfnrt'
_MEANT = b'"\\/\b\f\n\r\t'
_LAST = "a comma after the last item"


class NotJson(ValueError):
    """The text is not valid JSON. Arguments: a description and the byte offset."""


def place(data, at):
    """Return (line, column), both from 1, of the byte at offset `at`."""
    line = data[data.rfind(b"\n", 0, at) + 1 : at]
    return data[:at].count(b"\n") + 1, len([byte for byte in line if byte & 0xC0 != 0x80]) + 1


def parse(data):
    """Parse UTF-8 bytes; return `(value, problems)`. `problems`: duplicate keys, in the form of `config`. NotJson."""
    problems = []
    root = []
    stack = [(root, "")]  # the open lists and objects, each with its path
    expected = _VALUE
    key = None
    for token, value, at in _tokens(data):
        box, path = stack[-1]
        end = 93 if isinstance(box, list) else 125
        if token == end and (expected == _COMMA or expected & _END) and len(stack) > 1:
            stack.pop()
            expected = _COMMA
        elif expected == _COMMA:
            if len(stack) == 1:
                raise NotJson("text after the end", at)
            if token != 44:
                raise NotJson("a comma is missing here", at)
            expected = _VALUE if end == 93 else _KEY
        elif expected == _COLON:
            if token != 58:
                raise NotJson("a colon is missing here", at)
            expected = _VALUE
        elif expected & _KEY:
            if token != 34:
                raise NotJson(_LAST if token == 125 else "a key in double quotes is missing here", at)
            key, expected = value, _COLON
            if key in box:
                _twice(problems, (path and path + ".") + key, place(data, at)[0])
        else:
            expected = _put(stack, key, token, value, at)
    if len(stack) > 1 or not root:
        raise NotJson("the file ends too early", len(data))
    return root[0], problems


def _twice(problems, path, line):
    if len(problems) < 40:
        allowed = "once, not again in line %d" % line
        problems.append(("error", json.dumps(path)[1:-1][:60], "the key twice", allowed))


def _put(stack, key, token, value, at):
    """Add a value to the innermost open list or object, and open it if it is one itself. Return the flags of the tokens
    that are expected next."""
    box, path = stack[-1]
    if token in (93, 125, 44, 58):
        listed = token == 93 and isinstance(box, list) and len(stack) > 1
        raise NotJson(_LAST if listed else "a value is missing here", at)
    if isinstance(box, list):
        path = "%s[%d]" % (path, len(box)) if len(stack) > 1 else ""
        box.append(value)
    else:
        path = (path and path + ".") + key
        box[key] = value
    if token not in (91, 123):
        return _COMMA
    if len(stack) > _DEEPEST:
        raise NotJson("brackets nested too deeply", at)
    stack.append((value, path))
    return (_VALUE if token == 91 else _KEY) | _END


def _tokens(data):
    """Yield `(token, value, offset)`. `token`: the byte of a punctuation mark, that of the quotation mark for a string,
    0 for a number, true, false or null."""
    at = len(BOM) if data[: len(BOM)] == BOM else 0
    while at < len(data):
        byte = data[at]
        start = at
        if byte in (32, 9, 13, 10):
            at += 1
        elif byte in (44, 58, 91, 93, 123, 125):
            at += 1
            yield byte, [] if byte == 91 else {}, start
        elif byte == 34:
            value, at = _text(data, at + 1)
            yield byte, value, start
        else:
            while at < len(data) and data[at] not in (32, 9, 13, 10, 44, 58, 91, 93, 123, 125, 34):
                at += 1
            yield 0, _word(data[start:at], start), start


def _word(word, at):
    """Return the value of a number, true, false or null."""
    if word in (b"true", b"false", b"null"):
        return json.loads(word)
    if len(word) > _LONGEST or word.strip(b"+-.eE0123456789"):
        raise NotJson("a value is missing here", at)
    digits = word.lower()
    whole, exponent, power = digits.lstrip(b"-").partition(b"e")
    before, point, behind = whole.partition(b".")
    if power[:1] in (b"+", b"-"):
        power = power[1:]
    if before[:1] == b"0" and before != b"0":
        raise NotJson("a number with a leading zero", at)
    if digits[1:2] == b"-" or not (
        before.isdigit() and (behind.isdigit() or not point) and (power.isdigit() or not exponent)
    ):
        raise NotJson("not a valid number", at)
    return float(digits.decode()) if point or exponent else int(digits)


def _text(data, at):
    """Return (string, offset after it). `at`: the offset after its opening quotation mark."""
    out = b""
    while True:
        start = at
        while data[at : at + 1] not in (b'"', b"\\", b"") and data[at] > 31:
            at += 1
        out += data[start:at]
        mark = data[at : at + 1]
        at += 1
        if mark == b'"':
            break
        if mark != b"\\":
            raise NotJson(
                "a tab or a line end within a text" if mark.strip(b"\0") else "a text without an end", at - 1
            )
        code = _ESCAPED.find(data[at : at + 1] or b" ")
        at += 1
        if code >= 0:
            out += _MEANT[code : code + 1]
        elif data[at - 1 : at] == b"u":
            character, at = _escaped(data, at)
            out += character.encode()
        else:
            raise NotJson("an unknown escape sequence", at - 2)
    try:
        return out.decode(), at
    except UnicodeError:
        raise NotJson("a text that is not UTF-8", start)


def _escaped(data, at):
    """Return (character, offset after it) of the hexadecimal digits after `\\u`, including those of a surrogate
    pair."""
    digits = data[at : at + 4]
    if len(digits) < 4 or digits.lower().strip(b"0123456789abcdef"):
        raise NotJson("four hexadecimal digits are missing here", at)
    code = int(digits, 16)
    at += 4
    if 0xD800 <= code < 0xDC00 and data[at : at + 2] == b"\\u":
        low = data[at + 2 : at + 6]
        if len(low) == 4 and not low.lower().strip(b"0123456789abcdef") and 0xDC00 <= int(low, 16) < 0xE000:
            return chr(0x10000 + ((code - 0xD800) << 10) + int(low, 16) - 0xDC00), at + 6
    if 0xD800 <= code < 0xE000:
        raise NotJson("half a surrogate pair", at)
    return chr(code), at
