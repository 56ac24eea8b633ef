"""The answers of a name server that knows only one address, so that phones find the page of an access point.

It has no recursion, no cache, and no other record than A (RFC 1035 section 4).
"""

_A_IN = b"\x00\x01\x00\x01"


def answer(query, ip):
    """The datagram that answers a query for any name with `ip` (four bytes) and a lifetime of zero; without an address
    when something else than an address is asked for. None: no question to answer."""
    end = query.find(b"\0", 12) + 5
    # One question, in an ordinary query: neither a response nor another operation.
    if len(query) > 512 or not 17 <= end <= len(query) or query[2] & 0xF8 or query[4:6] != b"\0\1":
        return None
    known = query[end - 4 : end] == _A_IN
    data = query[:2] + b"\x84\0\0\1" + (b"\0\1" if known else b"\0\0") + b"\0\0\0\0" + query[12:end]
    return data + b"\xc0\x0c" + _A_IN + b"\0\0\0\0\0\4" + ip if known else data
