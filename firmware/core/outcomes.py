"""What to do with an answer of the Realer API, over HTTPS or MQTT: docs/protocol.md, Response codes, as a table.

Over HTTPS the application's `code` decides, then the status; an unknown code falls back to the class of the status.
Both generations of `error.type` names map to the same codes, so they are not looked at.
"""

from micropython import const

OK = const(1)
DROP = const(2)  # the item is wrong: log it, forget it
REAUTH = const(3)  # one fresh token, one retry of the same event
PAYMENT_REQUIRED = const(4)  # subscription ended: safe state, slow probe
FORBIDDEN = const(5)  # wrong device, scope or policy: the configuration has to be corrected
NOT_FOUND = const(6)  # the source is no longer in the catalog: drop, read the catalog again
CONFLICT = const(7)  # this message_id was used for something else: never again under it
TOO_LARGE = const(8)  # halve the batch
INVALID = const(9)  # refused by validation: drop, read the catalog again
RATE_LIMITED = const(10)  # lengthen the interval
RETRY = const(11)  # the server's or the network's trouble: back off, same message_id

_STATUSES = (200, 400, 401, 402, 403, 404, 409, 413, 422, 429, 503)
"""The HTTP status that asks for each of them, in their order."""


def classify(status, code):
    """The outcome for an HTTP `status` (100..599) and an application `code` (int, or None when the body has none)."""
    if code is not None and code > 2999:
        # 4022 asks for what 422 asks for; an unknown one counts for its class, and only where the status is a success.
        meant = code // 1000 * 100 + min(code % 1000, 99)
        if meant in _STATUSES or 200 <= status < 300:
            status = meant
    if status in _STATUSES:
        return _STATUSES.index(status) + OK
    if 200 <= status < 300:
        return OK
    # 408 and 425 are about time, not about the item.
    return DROP if 400 <= status < 500 and status not in (408, 425) else RETRY
