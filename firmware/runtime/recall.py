"""The start of the keeper: what was written down before it goes back to where it came from. Dropped afterwards.

Refuses to trust it: what was written by another version of this firmware, or has lost its sense since, is passed over,
because whatever lies on the flash must not keep the device from starting.
"""

import json

from firmware.core.nouns import EPOCH, NOTHING_NEW, Desired, Report

_BAD = (ValueError, TypeError, LookupError, AttributeError)


def recall(keeper, payloads, record):
    """Take over `payloads` of the journal and the `record` of the slots (None: there is none). From now on the outbox
    is kept written."""
    outbox = keeper.outbox
    for payload in payloads:
        try:
            item = json.loads(payload)
            if isinstance(item, list):
                item[5] = outbox.now  # how long ago it was nobody knows any more
                if item[4] is not None and item[4] >= EPOCH:
                    item[4] -= EPOCH  # an earlier version wrote unix seconds
                outbox.restore(Report(*item))
            else:
                outbox.settle(item)
                outbox.kept.pop(item, None)
        except _BAD:
            pass
    outbox.keep = keeper.write
    if outbox.reports:
        keeper.say("info", "%d events from before the start" % len(outbox))
    try:
        keeper.record = json.loads(record or b"{}")
        for command in keeper.controller.commands:
            held, last = keeper.record.get(command.output.cfg["pin_port"], (None, None))
            command.output.hold(held)
            if last:
                command.last = Desired(last[0], NOTHING_NEW, last[1], last[2], None)
    except _BAD:
        keeper.record = {}
