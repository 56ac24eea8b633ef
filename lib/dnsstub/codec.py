"""DNS questions for one name's IPv4 addresses, and their answers (RFC 1035 section 4).

Owns what counts as an answer to our question: the echoed id and question, addresses of that name or of the names its
CNAMEs lead to. Refuses truncated messages, answers to other questions, and compression that does not lead backwards.
"""

from micropython import const

from netio.errors import NetError

_QUESTION = b"\x00\x01\x00\x01"  # type A, class IN
_A = const(1)
_CNAME = const(5)
_MAX_NAME = const(255)
_RCODES = ("", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")


def query(ident, name):
    """The question for `name` (text) with the 16-bit `ident`, recursion desired. NetError "dns": never a name."""
    labels = [label.encode() for label in name.split(".")]
    if any(not 0 < len(label) < 64 for label in labels) or len(name) > _MAX_NAME - 2:
        raise NetError("dns", "bad name")
    head = bytes((ident >> 8, ident & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0))
    return head + b"".join(bytes((len(label),)) + label for label in labels) + b"\0" + _QUESTION


def parse(data, ident, name):
    """[(address text, lifetime in s)] from the answer to `query(ident, name)`, never empty. NetError "dns"."""
    try:
        return _parse(data, ident, name.lower().encode())
    except IndexError:
        raise NetError("dns", "short answer")


def _parse(data, ident, name):
    if _word(data, 0) != ident or not data[2] & 0x80 or data[2] & 0x78:
        raise NetError("dns", "not our answer")
    if data[2] & 2:
        raise NetError("dns", "truncated")
    rcode = data[3] & 15
    if rcode:
        raise NetError("dns", _RCODES[rcode] if rcode < len(_RCODES) else "rcode %d" % rcode)
    asked, at = _name(data, 12)
    if _word(data, 4) != 1 or asked != name or data[at : at + 4] != _QUESTION:
        raise NetError("dns", "not our question")
    found = _addresses(data, at + 4, name)
    if not found:
        raise NetError("dns", "no address")
    return found


def _addresses(data, at, wanted):
    """Walk the answers. A CNAME comes before what it leads to, as resolvers send it (RFC 1034 section 4.3.2)."""
    found = []
    for _ in range(_word(data, 6)):
        owner, at = _name(data, at)
        kind, size = _word(data, at), _word(data, at + 8)
        ttl_s = _word(data, at + 4) << 16 | _word(data, at + 6)
        at += 10
        if owner == wanted and _word(data, at - 8) == 1:
            if kind == _CNAME:
                wanted = _name(data, at)[0]
            elif kind == _A and size == 4:
                address = "%d.%d.%d.%d" % (data[at], data[at + 1], data[at + 2], data[at + 3])
                found.append((address, ttl_s))
        at += size
    return found


def _word(data, at):
    return data[at] << 8 | data[at + 1]


def _name(data, at):
    """(lower-case dotted name, offset behind it). Every pointer must lead further back, so this ends."""
    name = b""
    end = 0
    low = at
    while data[at]:
        size = data[at]
        if size >= 0xC0:
            end = end or at + 2
            at = (size & 0x3F) << 8 | data[at + 1]
            if at >= low:
                raise NetError("dns", "bad pointer")
            low = at
            continue
        if size > 63 or len(name) + size > _MAX_NAME:
            raise NetError("dns", "bad label")
        name += (b"." if name else b"") + data[at + 1 : at + 1 + size]
        at += size + 1
    return name.lower(), end or at + 1
