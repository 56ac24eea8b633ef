"""Parse a JSON object that is too large for memory while it is received, keeping only the elements that are needed.

In memory only while such a body is received. It keeps the catalog rows of this device's ports, the newest pending
desired state of each command and the oldest of the others, and the first elements of any other list. A state that is
left out is received again, because it is pending until it is answered or its window has closed. Pure.
"""

import json
from micropython import const

from firmware.cloud.fields import get, get_scalar

_LONGEST = const(2048)  # bytes of one element; a longer one is left out
_MOST = const(20)  # older desired states: the size of a batch of answers
_STATE_BYTES, _SPARE = const(600), const(9000)  # bytes of heap for one state and its answer; for all else
_ELEMENTS = const(40)  # elements of any other list
_SOURCE = "source_id", "command_id", "sensor_id"
_STATE = "desired_id", "command_id", "value", "sequence_number", "valid_for_seconds"


class LargeBody:
    """`account`: an Account, whose catalog and ports decide what is kept. Call `feed` with the bytes as they are
    received, then `body`. `left_out`: number of catalog rows that belong to none of the ports."""

    def __init__(self, account):
        self.most = max(min((account.net.heap_free() - _SPARE) // _STATE_BYTES, _MOST), 2)
        self.ports = account.cfg["ports"]
        catalog = account.catalog
        self.commands = [str(row.id) for row in catalog.commands] if catalog else ()
        rows = list(catalog.commands) + list(catalog.sensors) if catalog else ()
        self.sources = [str(row.id) for row in rows if row.pin_port in self.ports]
        self.start = b""
        self.left_out = self.unknown = 0
        self.whole = self.broken = False
        self.found = {}
        self.newest = {}  # pending desired state by command
        self.depth = 0  # of nested brackets
        self.base = 0  # the depth at which a comma ends an element: 1 in the object, 2 in one of its lists
        self.key = None  # that of the present list
        self.pending = bytearray()  # the bytes of the present element and its key
        self.quoted = self.escaped = self.lost = False

    def feed(self, data):
        """Parse the next bytes, split anywhere. Malformed JSON is not raised here: `body` then returns None."""
        if self.broken:
            return
        if len(self.start) < 64:
            self.start += data[:64]
        try:
            self._scan(data)
        except ValueError:
            self.broken = True

    def body(self, response):
        """Return the JSON object as a dict, with the kept elements; {} for an empty body. If it is malformed,
        incomplete or not an object, return None and set `response.body` to its first bytes, for the log."""
        if not self.start:
            return {}
        if self.broken or not self.whole or self.pending.strip():
            response.body = self.start
            return None
        newest = self.newest
        if newest:
            self.found["desired_states"] += newest.values()
        return self.found

    def _scan(self, data):
        at = start = 0
        size = len(data)
        while at < size:
            if self.quoted:
                at = self._quoted(data, at)
                continue
            c = data[at]
            at += 1
            if c == 34:  # "
                self.quoted = True
            elif c == 123 or c == 91:  # { [
                self.depth += 1
                if self.depth == 1 or (c == 91 and self.depth == 2 and self.base == 1):
                    self._collect(data[start : at - 1])
                    start = at
                    self._begin(c)
            elif c == 125 or c == 93:  # } ]
                self.depth -= 1
                if self.depth < self.base:
                    self._collect(data[start : at - 1])
                    start = at
                    self._end(c)
            elif c == 44 and self.depth == self.base:  # ,
                self._collect(data[start : at - 1])
                start = at
                self._element()
        self._collect(data[start:])

    def _quoted(self, data, at):
        """Scan a string; return the offset at which to continue, within it or after it."""
        if self.escaped:
            self.escaped = False
            return at + 1
        end = data.find(b'"', at)
        back = data.find(b"\\", at)
        if back >= 0 and (end < 0 or back < end):
            self.escaped = True
            return back + 1
        self.quoted = end < 0
        return len(data) if self.quoted else end + 1

    def _collect(self, data):
        if not self.lost:
            self.pending += data
        if len(self.pending) > _LONGEST:
            self.pending = bytearray()
            self.lost = True

    def _begin(self, c):
        """Handle the start of the object or of one of its lists."""
        if self.depth == 1:
            if c != 123 or self.pending.strip() or self.whole:
                raise ValueError
        else:
            self.key = json.loads(bytes(self.pending.rpartition(b":")[0]))
            self.found.setdefault(self.key, [])
            self.pending = bytearray()
        self.base = self.depth

    def _end(self, c):
        """Handle the end of the object or of one of its lists."""
        if c != (93 if self.base == 2 else 125):
            raise ValueError
        self._element()
        self.base -= 1
        self.whole = not self.base

    def _element(self):
        text, self.pending = bytes(self.pending.strip()), bytearray()
        lost, self.lost = self.lost, False
        if lost or not text:
            return
        try:
            if self.base == 2:
                self._keep(self.found[self.key], json.loads(text))
            else:
                self.found.update(json.loads(b"{" + text + b"}"))
        except RuntimeError:
            pass  # nested too deeply for the stack

    def _keep(self, rows, item):
        key = self.key
        if key == "desired_states":
            if str(get_scalar(item, "command_id")) in self.commands:
                self._keep_state(rows, {name: get_scalar(item, name) for name in _STATE})
        elif key in ("commands", "sensors"):
            if str(get(item, "pin_port")) not in self.ports:
                self.left_out += 1
            elif len(rows) < 2 * len(self.ports):
                rows.append(item)
        elif len(rows) < _ELEMENTS and (key != "mqtt_routes" or self._is_ours(item)):
            rows.append(item)

    def _is_ours(self, route):
        """Return whether an MQTT route may belong to a port of this device. While the catalog lacks some of the ports,
        a route of an unknown source may belong to one of these."""
        names = [str(get_scalar(route, name)) for name in _SOURCE]
        if not self.sources or any([name in self.sources for name in names]):
            return True
        self.unknown += 1
        return len(self.sources) < len(self.ports) and self.unknown <= self.most

    def _keep_state(self, rows, state):
        """Keep a pending state. Without sequence numbers the order of the list counts; if there is no more room, later
        states are dropped, and received with the next listing."""
        command = str(state["command_id"])
        other = self.newest.get(command)
        if other:
            known = min(_number(state), _number(other)) >= 0
            if not known and len(rows) >= self.most:
                return
            if known and _number(state) < _number(other):
                state, other = other, state
            rows.append(other)
            if len(rows) > self.most:
                rows.remove(max(rows, key=_number))
        self.newest[command] = state


def _number(state):
    number = state["sequence_number"]
    return number if type(number) is int else -1
