"""Restore events and state from the flash at startup. Unloaded afterwards.

Invalid records, and those that this version cannot read, are skipped: nothing on the flash may prevent the start.
"""

import binascii
import json

from firmware.core.models import EPOCH, NOTHING_NEW, Desired, Report

_BAD = (ValueError, TypeError, LookupError, AttributeError)


def restore(persistence, payloads, record):
    """Restore the `payloads` of the journal and the `record` of the slots (None: there is none). From then on, `keep`
    of the outbox writes to flash."""
    outbox = persistence.outbox
    seen = set()
    for payload in payloads:
        try:
            item = json.loads(payload)
            if isinstance(item, list):
                item[5] = outbox.now  # how long ago the event was is unknown
                if item[4] is not None and item[4] >= EPOCH:
                    item[4] -= EPOCH  # an earlier version wrote Unix seconds
                seen.add(item[0])
                outbox.restore(Report(*item))
            else:
                outbox.acknowledge(item)
                outbox.kept.pop(item, None)
        except _BAD:
            pass
    outbox.keep = persistence.write
    if outbox.reports:
        persistence.log("info", "%d events from before the start" % len(outbox))
    try:
        persistence.written = binascii.crc32(record or b"")
        record = json.loads(record or b"{}")
        persistence.utc = max(record.get("utc", 0), 0)
        for command in persistence.controller.commands:
            held, last = record.get(command.output.pin_port, (None, None))
            command.output.hold(held)
            if last:
                _answered(command, last, outbox, seen)
    except _BAD:
        pass


def _answered(command, last, outbox, seen):
    """Restore the acknowledgement of the last desired state. An earlier version wrote only its identity."""
    key, desired_id, sequence = last[:3]
    message_id, value, at = last[3:6] or ("", "", None)
    status, unwritten = last[6:] or ("applied", False)
    command.last = Desired(key, NOTHING_NEW, desired_id, sequence, None)
    command.answered = Report(message_id, "command", key, value, at, outbox.now, desired_id, status, sequence)
    if unwritten and message_id not in seen:
        outbox.restore(command.answered)
        outbox.kept[message_id] = False
