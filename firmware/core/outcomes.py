"""The reaction to a response of the Realer API, over HTTPS or MQTT (docs/protocol.md, Response codes).

The application's `code` decides, else the HTTP status; an unknown code counts as its class. `error.type` is not used,
because the names of both generations map to the same codes.
"""

from micropython import const

OK = const(1)
DROP = const(2)  # the item is invalid: log and drop it
REAUTH = const(3)  # get a new token, retry the same event once
PAYMENT_REQUIRED = const(4)  # the subscription has ended: safe state, slow probe
FORBIDDEN = const(5)  # wrong device, scope or policy: the configuration has to be corrected
NOT_FOUND = const(6)  # the source is no longer in the catalog: drop the report, read the catalog again
CONFLICT = const(7)  # the message_id was used for another event: do not send it again
TOO_LARGE = const(8)  # halve the batch
INVALID = const(9)  # the validation failed: drop the report, read the catalog again
RATE_LIMITED = const(10)  # lengthen the interval
RETRY = const(11)  # a failure of the server or the network: back off, same message_id

_STATUSES = (200, 400, 401, 402, 403, 404, 409, 413, 422, 429, 503)
"""The HTTP status of each outcome, in the order above."""


def classify(status, code):
    """Return the outcome of an HTTP `status` (100 to 599) and an application `code` (int, None if the body has
    none)."""
    if code is not None and code > 2999:
        # 4022 means the same as 422. An unknown code is used only if the status is a success, and counts as its class.
        meant = code // 1000 * 100 + min(code % 1000, 99)
        if meant in _STATUSES or 200 <= status < 300:
            status = meant
    if status in _STATUSES:
        return _STATUSES.index(status) + OK
    if 200 <= status < 300:
        return OK
    # These concern the time or the way of the request, not its content (RFC 9110, section 15.5; RFC 7725 and 8470).
    return DROP if 400 <= status < 500 and status not in (407, 408, 421, 425, 426, 451) else RETRY
