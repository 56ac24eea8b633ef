"""Reads from mosquitto's log (2.0 and later) what it reports nowhere else about sessions and refusals."""

from __future__ import annotations

import re
from typing import NamedTuple

_OPENED = re.compile(r"New client connected from \S+ as (\S+) \(.*u'([^']*)'")
_DIALED = re.compile(r"New connection from \S+ on port [1-9]\d*\.")
_CLOSED = re.compile(
    r"Client (\S+) (?:\[\S+\] )?(disconnected.*|closed its connection.*|has exceeded timeout.*"
    r"|been disconnected by administrative action.*|already connected.*)"
)
_BROKEN = re.compile(r"Socket error on client (\S+),")
_DENIED = re.compile(r"Denied PUBLISH from (\S+) \(.*?'(.*)', \.\.\.")
_ASKED = re.compile(r"Received SUBSCRIBE from (\S+)")
_TOPIC = re.compile(r"\t(.+) \(QoS \d\)")
_ANSWERED = re.compile(r"Sending SUBACK to ")


class News(NamedTuple):
    """`what`: dialed, opened, closed, refused (CONNECT), denied (a PUBLISH or SUBSCRIBE), subscribed.

    `facts`: opened (user name); closed (reason); denied (verb, topic); subscribed (topic).
    """

    what: str
    client_id: str = ""
    facts: tuple[str, ...] = ()


class BrokerLog:
    """Reads line by line; a SUBSCRIBE takes several."""

    def __init__(self) -> None:
        self._asked: list[str] = []
        self._who = ""

    def read(self, line: str) -> list[News]:
        if _DIALED.match(line):
            return [News("dialed")]
        if match := _OPENED.match(line):
            return [News("opened", match[1], (match[2],))]
        if line == "Client <unknown> disconnected, not authorised.":
            return [News("refused")]
        if match := _CLOSED.match(line):
            return [News("closed", match[1], (match[2].rstrip("."),))]
        if match := _BROKEN.match(line):
            return [News("closed", match[1], ("connection lost",))]
        if match := _DENIED.match(line):
            return [News("denied", match[1], ("PUBLISH", match[2]))]
        return self._subscribe(line)

    def _subscribe(self, line: str) -> list[News]:
        """The topics asked for, each followed by a line of its own when it was granted, then SUBACK."""
        if match := _ASKED.match(line):
            self._who, self._asked = match[1], []
        elif self._who and (match := _TOPIC.fullmatch(line)):
            self._asked.append(match[1])
        elif self._who and line.startswith(self._who + " ") and line.split(" ", 2)[2:] == self._asked[-1:]:
            return [News("subscribed", self._who, (self._asked.pop(),))]
        elif self._who and _ANSWERED.match(line):
            who, asked, self._who, self._asked = self._who, self._asked, "", []
            return [News("denied", who, ("SUBSCRIBE", topic)) for topic in asked]
        return []
