"""What a client has sent, or will, and waits for an answer to (MQTT 5.0 section 4).

Here are the packet ids, the order and number of publishes in flight, and which are sent again in a kept session.
"""

from mqtt5 import codes
from mqtt5.packet import MqttError


class InFlight:
    """A publish (`asked` 0) or a subscribe (to so many topics) of ours. Over when it has `codes` or an `error`; `over`
    belongs to the caller that waits for that."""

    def __init__(self, pid, data, asked):
        self.pid = pid
        self.asked = asked
        self.data = data
        self.codes = self.error = self.over = None
        self.sent = False


class InFlightTable:
    """All that wait, oldest first, in `all`."""

    def __init__(self):
        self.all = []
        self.last_pid = self.window = 0
        self.kept = False

    def new_pid(self):
        """An unused packet id, 1..65535."""
        used = [entry.pid for entry in self.all]
        while True:
            self.last_pid = self.last_pid % 65535 + 1
            if self.last_pid not in used:
                return self.last_pid

    def add(self, pid, data, asked=0):
        """A new InFlight. `data`: the packet of a publish, which `due` sends; a subscribe has none."""
        entry = InFlight(pid, data, asked)
        self.all.append(entry)
        return entry

    def due(self):
        """Publishes to be sent now, as bytes: in their order, as many as the server takes at once."""
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
                    entry.data[0] |= codes.DUP  # for the next time
                else:
                    entry.data = b""
        return data

    def answer(self, to_publish, pid, reason_codes, reason):
        """The InFlight that is over with these reason codes, None for an unknown packet id. MqttError: not its
        kind."""
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
        """The connection is gone: all are returned, and over with `error`. Those of a kept session may be resumed."""
        entries = self.all
        self.all = [entry for entry in entries if entry.data]
        for entry in entries:
            entry.error = error
            entry.sent = False
        return entries
