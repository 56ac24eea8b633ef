"""What to do with an answer of the Realer API: section 8.3 of its protocol page as a table.

The reaction bears the number of the HTTP status that asks for it in the documentation. `code` decides, then the status;
an unknown code falls back to the class of the status. Both generations of `error.type` names map to the same codes, so
they are not looked at.
"""

OK = 200
DROP = 400  # the item is wrong: log it, forget it
REAUTH = 401  # one fresh token, one retry of the same event
PAYMENT_REQUIRED = 402  # subscription ended: safe state, slow probe
FORBIDDEN = 403  # wrong device, scope or policy: the configuration has to be mended
NOT_FOUND = 404  # the source is no longer in the catalog: drop, read the catalog again
CONFLICT = 409  # this message_id was used for something else: never again under it
TOO_LARGE = 413  # too large: halve the batch
INVALID = 422  # refused by validation: drop, read the catalog again
RATE_LIMITED = 429  # rate limit: lengthen the interval
RETRY = 503  # the server's or the network's trouble: back off, same message_id

_REACTIONS = (
    DROP, REAUTH, PAYMENT_REQUIRED, FORBIDDEN, NOT_FOUND, CONFLICT, TOO_LARGE, INVALID, RATE_LIMITED, RETRY,
)  # fmt: skip


def classify(status, code):
    """The reaction to an HTTP `status` (100..599) and an application `code` (int, or None when the body has none)."""
    if code is not None and code > 2999:
        # 4022 asks for what 422 asks for; an unknown one counts for its class, and only where the status is a success.
        meant = code // 1000 * 100 + min(code % 1000, 99)
        if meant in _REACTIONS or 200 <= status < 300:
            status = meant
    if status in _REACTIONS:
        return status
    if 200 <= status < 300:
        return OK
    # 408 and 425 are about time, not about the item.
    return DROP if 400 <= status < 500 and status not in (408, 425) else RETRY
