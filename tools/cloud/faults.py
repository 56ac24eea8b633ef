"""Misbehaviour on demand: which request meets which fault, and the bytes that come of it.

Owns the rules (`Faults`), their text form and the one way from a request to the steps of its answer (`answer`), shared
by the HTTPS server and by simulations without sockets. The bytes themselves are made in `fault_bytes.py`. Refuses
sockets and waiting: a step says what to do, its driver does it.

Text form: `ENDPOINT KEY[=VALUE] ...`, for example `feed-data status=503 times=3` or `commands chunked slow=40`.
ENDPOINT is token, revoke, commands, sensors, feed-data, batches, bootstrap, desired-states, mqtt, mqtt-credentials,
any, or a glob over paths (`/iot/*/sensors*`); Realino's login, commands and feeds go by token, commands and feed-data.
Keys may be combined; each field of `Fault` is a key, and its comment says what it does.
The endpoints ack, desired and connect have other keys: see `mqtt_faults.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tools.cloud import fault_bytes, fault_text
from tools.cloud.fault_bytes import Step, plan_response
from tools.cloud.messages import Request, endpoint_of
from tools.cloud.model import Model
from tools.cloud.mqtt_faults import KINDS, MqttFault

__all__ = ["ENDPOINTS", "Fault", "Faults", "Step", "plan_response"]

ENDPOINTS = (
    "token",
    "revoke",
    "commands",
    "sensors",
    "feed-data",
    "batches",
    "bootstrap",
    "desired-states",
    "mqtt",
    "mqtt-credentials",
    "any",
)


@dataclass
class Fault:
    """One rule. A field that keeps its default does nothing.

    A key without a value takes the value given here after "bare".
    """

    endpoint: str = "any"
    # what is answered instead
    status: int = (
        0  # this status of the registry; one the registry does not know comes as a proxy's HTML page
    )
    code: int = 0  # with status: another numeric code than the registry's
    error: str = ""  # with status: another error.type (iot/v1) or error (OAuth)
    retry_after: str = ""  # Retry-After header, seconds or an HTTP date
    redirect: str = ""  # Location of a 307 (or of `status`)
    # what is done to the body
    badjson: str = ""  # half (bare), text, utf8, list, null, nan, deep
    empty: bool = False  # a body of no bytes
    oversized: int = 0  # legal JSON, padded to at least so many bytes; bare: 65536
    content_type: str = ""  # the same body under another media type
    # how it is framed
    chunked: int = 0  # chunked with extensions and a trailer, chunks up to N bytes of odd sizes; bare: 17
    close: bool = False  # "Connection: close", then the connection is closed
    http10: bool = False  # as HTTP/1.0 without a length, which ends with the connection
    twice: bool = False  # Content-Length stands there twice
    gzip: str = ""  # compressed: "unasked" (bare) unless the request wants "identity", or "always"
    huge_headers: int = 0  # at least so many bytes of header lines; bare: 16384
    extra_1xx: int = 0  # so many informational responses first; bare: 1
    endless: str = ""  # body (bare, chunked), plain (until close), headers: never ends
    # when and how far
    delay: float = 0.0  # seconds before the first byte
    slow: float = 0.0  # bytes per second
    cut: int | None = (
        None  # close after N bytes of the response; negative: that many bytes before its end; bare: -1
    )
    drop: bool = False  # close without an answer
    hang: bool = False  # no answer, the connection stays open
    # which requests
    times: int | None = None  # so many requests, then the rule is gone; default: until cleared
    skip: int = 0  # let so many requests pass first
    unseen: bool | None = None  # the request never reaches the cloud; default: only with status or redirect

    @property
    def reaches_model(self) -> bool:
        """Whether the request takes effect, so that only its answer is spoilt (a stored reading, a lost 201)."""
        return not (bool(self.status or self.redirect) if self.unseen is None else self.unseen)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read the text form. Raises ValueError with a sentence for the person who typed it."""
        endpoint, *words = text.split() or [""]
        if endpoint not in ENDPOINTS and "/" not in endpoint:
            raise ValueError(
                f"unknown endpoint {endpoint!r}; one of {', '.join(ENDPOINTS + KINDS)} or a glob over paths"
            )
        fault = cls(endpoint)
        fault_text.read(fault, words, _BARE, _CHOICES)
        if not fault.status and (fault.code or fault.error):
            raise ValueError("code and error need a status, such as status=403 code=4002")
        if fault == cls(endpoint, times=fault.times, skip=fault.skip, unseen=fault.unseen):
            raise ValueError("this fault does nothing; say for example status=503, cut=40 or hang")
        return fault

    def __str__(self) -> str:
        return fault_text.write(self)


_BARE = {"badjson": "half", "oversized": 65536, "chunked": 17, "huge_headers": 16384, "extra_1xx": 1, "endless": "body",
         "cut": -1, "gzip": "unasked"}  # fmt: skip
_CHOICES = {
    "badjson": tuple(fault_bytes.BROKEN),
    "endless": ("body", "plain", "headers"),
    "gzip": ("unasked", "always"),
}


class Faults:
    """Ordered rules; the first that fits a request or a message and has not been used up is applied, alone."""

    def __init__(self) -> None:
        self.rules: list[Fault | MqttFault] = []

    def add(self, fault: Fault | MqttFault | str) -> Any:
        """Append a rule; returns it, so that a test can look at what is left of it. Raises ValueError."""
        if isinstance(fault, str):
            kind = MqttFault if fault.split(" ")[0] in KINDS else Fault
            fault = kind.parse(fault)
        self.rules.append(fault)
        return fault

    def remove(self, fault: Fault | MqttFault) -> None:
        self.rules = [rule for rule in self.rules if rule is not fault]

    def clear(self) -> None:
        self.rules = []

    def take(self, path: str) -> Fault | None:
        """The fault for a request to this path, counted as used."""
        path = path.split("?", maxsplit=1)[0]
        name = endpoint_of(path)
        for rule in self.rules:
            if not isinstance(rule, Fault):
                continue
            fits = rule.endpoint in (name, "any") or fnmatchcase(path, rule.endpoint)
            if fits and self._due(rule):
                return rule
        return None

    def take_message(self, kind: str) -> MqttFault | None:
        """The fault for an MQTT message of one of mqtt_faults.KINDS, counted as used."""
        for rule in self.rules:
            if isinstance(rule, MqttFault) and rule.endpoint == kind and self._due(rule):
                return rule
        return None

    def _due(self, rule: Fault | MqttFault) -> bool:
        if rule.skip > 0:
            rule.skip -= 1
            return False
        if rule.times is not None:
            rule.times -= 1
            if rule.times <= 0:
                self.remove(rule)
        return True


def answer(model: Model, faults: Faults, request: Request, now: float) -> list[Step]:
    """The steps that answer one request: the only road from a request to bytes, whoever drives it."""
    fault = faults.take(request.path)
    if fault is None:
        return plan_response(model.handle(request, now))
    model.event(now, "fault", None, endpoint=endpoint_of(request.path), fault=str(fault))
    spoilt = model.handle(request, now) if fault.reaches_model else None
    if fault.status or fault.redirect or spoilt is None:
        spoilt = fault_bytes.substitute(fault, request.path, model.new_request_id(), spoilt)
    wanted = request.headers.get("accept-encoding", "")
    if fault.gzip == "always" or (fault.gzip and "identity" not in wanted):
        spoilt = fault_bytes.compressed(spoilt)
    return plan_response(spoilt, fault)
