"""What to do with an answer of the Realer API: section 8.3 of its protocol page as a table.

`code` decides, then the HTTP status; an unknown code falls back to the class of the status. Both generations of
`error.type` names map to the same codes, so they are not looked at.
"""

OK = "ok"
DROP = "drop"  # the item is wrong: log it, forget it
REAUTH = "reauth"  # one fresh token, one retry of the same event
UNPAID = "unpaid"  # subscription ended: safe state, slow probe
FORBIDDEN = "forbidden"  # wrong device, scope or policy: the configuration has to be mended
GONE = "gone"  # the source is no longer in the catalog: drop, read the catalog again
CONFLICT = "conflict"  # this message_id was used for something else: never again under it
SHRINK = "shrink"  # too large: halve the batch
INVALID = "invalid"  # refused by validation: drop, read the catalog again
SLOW = "slow"  # rate limit: lengthen the interval
RETRY = "retry"  # the server's or the network's trouble: back off, same message_id

_CODES = {
    2000: OK,
    4000: DROP,
    4001: REAUTH,
    4002: UNPAID,
    4003: FORBIDDEN,
    4004: GONE,
    4009: CONFLICT,
    4013: SHRINK,
    4015: DROP,
    4022: INVALID,
    4029: SLOW,
    5003: RETRY,
}

_STATUSES = {
    401: REAUTH,
    402: UNPAID,
    403: FORBIDDEN,
    404: GONE,
    408: RETRY,
    409: CONFLICT,
    413: SHRINK,
    422: INVALID,
    425: RETRY,
    429: SLOW,
}


def verdict(status, code):
    """The reaction to an HTTP `status` (100..599) and an application `code` (int, or None when the body has none)."""
    if code in _CODES and not (code == 2000 and status >= 300):
        return _CODES[code]
    if status in _STATUSES:
        return _STATUSES[status]
    if 200 <= status < 300:
        # A code we do not know (or none) on a success: codes may be added, so the status class speaks.
        return OK if code is None or code < 3000 else DROP if code < 5000 else RETRY
    if 400 <= status < 500:
        return DROP
    return RETRY
