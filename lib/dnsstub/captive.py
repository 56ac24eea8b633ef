"""The answers of a name server that resolves every name to one address, so that phones find the page of an access
point.

There is no recursion, no cache, and no record type other than A (RFC 1035 section 4).
"""

_A_IN = b"\x00\x01\x00\x01"


def answer(query, ip):
    """Return the response to the datagram `query` as bytes: `ip` (4 bytes) with a TTL of 0 for a question of type A and
    class IN, no records for any other question. None if `query` is not a standard query with one question."""
    end = query.find(b"\0", 12) + 5
    # 0xF8 covers QR and OPCODE: both are 0 in a standard query.
    if len(query) > 512 or not 17 <= end <= len(query) or query[2] & 0xF8 or query[4:6] != b"\0\1":
        return None
    known = query[end - 4 : end] == _A_IN
    data = query[:2] + b"\x84\0\0\1" + (b"\0\1" if known else b"\0\0") + b"\0\0\0\0" + query[12:end]
    return data + b"\xc0\x0c" + _A_IN + b"\0\0\0\0\0\4" + ip if known else data
