"""One rule of misbehaviour over HTTP, and its text form; see `faults.py`.

It has the keys of a rule and their values. What a rule does to the bytes is in `fault_bytes.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.cloud import fault_text
from tools.cloud.broken_json import BROKEN
from tools.cloud.mqtt_faults import KINDS

ENDPOINTS = (
    "token", "revoke", "commands", "sensors", "feed-data", "batches", "bootstrap", "desired-states", "mqtt",
    "mqtt-credentials", "any",
)  # fmt: skip


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
_CHOICES = {"badjson": tuple(BROKEN), "endless": ("body", "plain", "headers"), "gzip": ("unasked", "always")}
