"""One HTTP/1.1 connection of the simulated cloud without a socket: the device's bytes in, steps out.

h11 frames the requests, so a parser that is not ours checks the device's HTTP. Simulations of the whole device in
virtual time use it, and perform the steps of `fault_bytes.py`.
"""

from __future__ import annotations

import h11

from tools.cloud.fault_bytes import Step
from tools.cloud.faults import Faults, answer
from tools.cloud.messages import Request
from tools.cloud.model import Model


class Wire:
    """Feed it whatever arrives. One instance per connection; after a ("close",) step it is finished."""

    def __init__(self, model: Model, faults: Faults) -> None:
        self._model, self._faults = model, faults
        self._parser = h11.Connection(h11.SERVER)
        self._head: h11.Request | None = None
        self._body = b""
        self.requests = 0

    def feed(self, data: bytes, now: float) -> list[Step]:
        """Steps for every request that is complete now; [] while one is still incomplete. b"" = the peer is gone."""
        steps: list[Step] = []
        self._parser.receive_data(bytes(data))
        try:
            while (request := self._next()) is not None:
                self.requests += 1
                steps += answer(self._model, self._faults, request, now)
                if request.headers.get("connection", "").lower() == "close" and steps[-1] != ("close",):
                    steps.append(("close",))
        except h11.RemoteProtocolError as error:
            if not data:  # the peer went away in the middle of a request: bad luck, not bad manners
                return [("close",)]
            self._model.violation(now, Request("-", "-"), f"broken HTTP: {error}")
            steps += [("send", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), ("close",)]
        return steps

    def _next(self) -> Request | None:
        while True:
            event = self._parser.next_event()
            if isinstance(event, h11.Request):
                self._head, self._body = event, b""
            elif isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.EndOfMessage) and self._head is not None:
                head, self._head = self._head, None
                rest, _ = self._parser.trailing_data
                # Answers bypass h11 (they may be broken on purpose), so each request gets a fresh parser.
                self._parser = h11.Connection(h11.SERVER)
                if rest:  # b"" would mean the end of the stream
                    self._parser.receive_data(rest)
                headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
                return Request(head.method.decode(), head.target.decode("latin-1"), headers, self._body)
            else:
                return None
