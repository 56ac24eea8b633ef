"""A client's publishes and subscribes that the server has not answered yet (MQTT 5.0 section 4).

This module assigns packet ids, keeps publishes in order and within the server's Receive Maximum, and decides which are
sent again in a persistent session.
"""

from mqtt5 import codes
from mqtt5.packet import MqttError


class InFlight:
    """A publish (`asked` is 0) or a subscribe (`asked` is its number of topics) of ours. It is over once `codes`, the
    server's reason codes as bytes, or `error` is set; `over` is the event that the client then sets. `pid`: packet id.
    `data`: the packet of a publish, as long as it may have to be sent."""

    def __init__(self, pid, data, asked):
        self.pid = pid
        self.asked = asked
        self.data = data
        self.codes = self.error = self.over = None
        self.sent = False


class InFlightTable:
    """All unanswered publishes and subscribes, oldest first, in `all`. `window`: the server's Receive Maximum, how many
    publishes may be in flight. `kept`: the session is persistent."""

    def __init__(self):
        self.all = []
        self.last_pid = self.window = 0
        self.kept = False

    def new_pid(self):
        """Return an unused packet id, 1 to 65535."""
        used = [entry.pid for entry in self.all]
        while True:
            self.last_pid = self.last_pid % 65535 + 1
            if self.last_pid not in used:
                return self.last_pid

    def add(self, pid, data, asked=0):
        """Add and return an InFlight. `data`: the packet of a publish, which `due` returns; empty for a subscribe."""
        entry = InFlight(pid, data, asked)
        self.all.append(entry)
        return entry

    def due(self):
        """Return the packets of the publishes to be sent now as bytes: in order, as many as `window` allows."""
        data = b""
        free = self.window
        for entry in self.all:
            if entry.asked:
                continue
            if not free:
                break
            free -= 1
            if not entry.sent:
                entry.sent = True
                data += entry.data
                if self.kept:
                    entry.data[0] |= codes.DUP  # in case it is sent again
                else:
                    entry.data = b""
        return data

    def answer(self, to_publish, pid, reason_codes, reason):
        """Return the InFlight that a PUBACK (`to_publish`) or SUBACK answers, None if its packet id is unknown.
        MqttError: a PUBACK for a subscribe or the reverse, or the wrong number of reason codes."""
        for entry in self.all:
            if entry.pid == pid:
                if len(reason_codes) != (entry.asked or 1) or to_publish == (entry.asked > 0):
                    raise MqttError(codes.PROTOCOL_ERROR)
                self.all.remove(entry)
                entry.codes = reason_codes
                for code in reason_codes:
                    if code >= codes.ERRORS:
                        entry.error = MqttError(code, reason)
                return entry

    def lost(self, error):
        """Set `error` for all entries and return them, because the connection is gone. Publishes of a persistent
        session are kept, to be sent again."""
        entries = self.all
        self.all = [entry for entry in entries if entry.data]
        for entry in entries:
            entry.error = error
            entry.sent = False
        return entries
