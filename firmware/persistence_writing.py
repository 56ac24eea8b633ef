"""Write to flash what must survive a power cut. In memory only while something is written.

There is a journal of the outbox's events with `keep`, until the cloud has answered them; and one small record with what
each output holds, the last answered desired state of each command, and the last trusted time.
"""

import binascii
import json
from micropython import const

from journal.files import Journal, TwoSlots

from firmware.core.timing import Timer, diff
from firmware.runtime.persistence import DRIFT_S

_WAITED_MS = const(10000)
_STEADY_MS = const(21600000)
_LONGEST = const(110)


def opened(persistence):
    """Return (Journal, TwoSlots) with the sizes and generations that `persistence` has stored."""
    return Journal(persistence.folder + "events", persistence.size), TwoSlots(
        persistence.folder + "state", persistence.generation
    )


def write(persistence, files, due):
    """Write what is urgent, and if `due` also what can wait. Return False if the flash refuses. `files`: from
    `opened`."""
    journal, slots = files
    now = persistence.clock.ms()
    outbox = persistence.outbox
    kept = outbox.kept
    fresh = [
        r
        for r in outbox.reports
        if kept.get(r.message_id, r.at) != r.at
        and (r.source == "command" or (due and diff(now, r.ticks) >= _WAITED_MS))
    ]
    holds = persistence.holding()
    good = True
    if fresh and not journal.full():
        good = _append(outbox, journal, fresh)
        fresh = [] if good else fresh
    if due or holds != persistence.holds:
        # The record must have the answers before they are removed from the journal.
        saved = _write_record(persistence, slots, holds)
        due = due and saved
        good = good and saved
    if due or fresh:
        good = _write_events(outbox, journal, fresh, due) and good
    persistence.size, persistence.generation = journal.size, slots.generation
    return good


def _write_record(persistence, slots, holds):
    record = {"utc": _sure_utc(persistence) or persistence.utc}
    for command, held in zip(persistence.controller.commands, holds):
        record[command.output.pin_port] = [held, _answer(command.answered, persistence.outbox)]
    persistence.utc = record["utc"]
    # A file of up to 128 bytes takes no block of its own in littlefs.
    record = json.dumps(record, separators=(",", ":")).encode()
    written = binascii.crc32(record)
    if written != persistence.written:
        if not slots.save(record):
            return False
        persistence.written = written
    persistence.holds = holds
    return True


def _answer(report, outbox):
    """Return what is written of the last answer of a command, None if there is none."""
    if not report:
        return None
    key, desired_id = report.id, report.desired_id
    # The cloud chose these texts, so they must not fill the record. The sequence number alone identifies the state.
    if len(str(key)) + len(str(desired_id)) >= _LONGEST:
        return [key, None, report.sequence] if len(str(key)) < _LONGEST else None
    if not report.message_id:
        return [key, desired_id, report.sequence]
    # True: the journal does not have the event yet.
    unwritten = outbox.kept.get(report.message_id) is False
    rest = [report.status, unwritten] if unwritten or report.status != "applied" else []
    report = outbox.complete(report)
    return [key, desired_id, report.sequence, report.message_id, report.value, report.at] + rest


def _sure_utc(persistence):
    """Return the time in Unix seconds if it can be trusted, else None: the clock has run for six hours without a jump,
    and the device is authorized. A wrong time from a time server must not be stored, as it would be believed from then
    on."""
    clock = persistence.clock
    utc = clock.utc()
    now = clock.ms()
    if utc is None or abs(clock.offset - persistence.offset) > DRIFT_S:
        persistence.offset = clock.offset or 0
        persistence.steady = Timer(now, _STEADY_MS)
    elif persistence.lease.held and persistence.steady.passed(now):
        persistence.steady = Timer(now, _STEADY_MS)
        return utc
    return None


def _write_events(outbox, journal, fresh, due):
    """If `due`, append the keys of events that were answered. If nothing has to be kept or the journal is full, rewrite
    it instead, with the `fresh` reports, which did not fit."""
    kept = outbox.kept
    live = [r for r in outbox.reports if r.message_id in kept]
    ids = [r.message_id for r in live]
    gone = [key for key in kept if due and key not in ids]
    if not fresh and not gone:
        return True
    if not live or journal.full():
        good = journal.rewrite(_texts(outbox, live))
        if good:
            _note(kept, live)
    else:
        good = journal.append(_texts(outbox, gone))
    if good:
        for key in gone:
            del kept[key]
        if not kept:
            outbox.kept = {}  # a dict does not shrink: replace it once it is empty
    return good


def _append(outbox, journal, fresh):
    if not journal.append(_texts(outbox, fresh)):
        return False
    _note(outbox.kept, fresh)
    return True


def _note(kept, reports):
    for report in reports:
        kept[report.message_id] = report.at


def _texts(outbox, items):
    for item in items:
        item = list(outbox.complete(item)) if isinstance(item, tuple) else outbox.identity(item)
        yield json.dumps(item).encode()
