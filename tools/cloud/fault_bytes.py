"""Turns a response and a fault into the exact steps on the wire.

It serializes every response of the simulated cloud, valid or faulty. A step is a tuple:
("send", bytes), ("wait", seconds), ("repeat", bytes) = send again and again until the peer is gone, ("hang",) = stay
silent until the peer is gone, ("close",). Steps after which none follows leave the connection open for the next
request. `faults.py` decides when a fault applies.
"""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import Any

from tools.cloud.broken_json import BROKEN
from tools.cloud.fault_rule import Fault
from tools.cloud.messages import OAUTH_ERRORS, REASONS, REGISTRY, Response, to_json

Step = tuple[Any, ...]

_HTML = b"<html><head><title>%d</title></head><body><h1>%d</h1><hr>gateway</body></html>\n"
_ODD_SIZES = (1, 7, 3, 16, 2, 11)


def plan_response(response: Response, fault: Fault | None = None) -> list[Step]:
    """Steps that deliver a response. Without a fault: one ("send", bytes)."""
    if fault is None:
        # A length of 304 would be that of the body which it stands for (RFC 9110, section 8.6).
        framing = {} if response.status == 304 else {"Content-Length": str(len(response.body))}
        return [("send", _head(response, framing) + response.body)]
    if fault.drop:
        return _late(fault, [("close",)])
    if fault.hang:
        return _late(fault, [("hang",)])
    response = _spoil(response, fault)
    if fault.endless:
        return _late(fault, _endless(response, fault.endless))
    data = _interim(fault.extra_1xx) + _frame(response, fault)
    closes = fault.close or fault.http10
    if fault.cut is not None:
        data, closes = data[: fault.cut], True
    steps = _paced(data, fault.slow)
    return _late(fault, [*steps, ("close",)] if closes else steps)


def substitute(fault: Fault, path: str, request_id: str, spoilt: Response | None) -> Response:
    """The response that a `status` or `redirect` puts in place of the cloud's own, in the words of that path."""
    if fault.redirect:
        return Response(
            fault.status or 307, {"Location": fault.redirect, "Content-Type": "text/plain"}, b"moved\n"
        )
    if not fault.status:
        return spoilt or Response(200, {"Content-Type": "application/json"}, b"{}")
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    body = (_oauth_error if path.startswith("/oauth/") else _iot_error)(fault, request_id)
    if body and path.startswith("/control_devices/"):
        body = {"code": body["code"], "error": fault.error or body["error"]["message"], "details": {}}
    if body is None:
        html = _HTML % (fault.status, fault.status)
        return Response(fault.status, headers | {"Content-Type": "text/html"}, html)
    return Response(
        fault.status, headers | {"Content-Type": "application/json; charset=utf-8"}, to_json(body)
    )


def compressed(response: Response) -> Response:
    """The same in gzip (RFC 9110, section 8.4.1.3)."""
    return replace(
        response,
        headers=response.headers | {"Content-Encoding": "gzip"},
        body=gzip.compress(response.body, mtime=0),
    )


def _iot_error(fault: Fault, request_id: str) -> dict[str, Any] | None:
    code, kind, message = REGISTRY.get(fault.status, (0, "unexpected", "unexpected"))
    if fault.code:
        named = [(k, m) for c, k, m in REGISTRY.values() if c == fault.code]
        code, (kind, message) = fault.code, named[0] if named else (kind, message)
    if not code:
        return None
    error = {"type": fault.error or kind, "message": message, "details": {}}
    return {"code": code, "error": error, "request_id": request_id}


def _oauth_error(fault: Fault, request_id: str) -> dict[str, Any] | None:
    error, text = OAUTH_ERRORS.get(fault.status, ("", "unexpected"))
    if not error and not fault.error:
        return None
    return {"error": fault.error or error, "error_description": text, "request_id": request_id}


def _spoil(response: Response, fault: Fault) -> Response:
    headers, body = dict(response.headers), response.body
    if fault.retry_after:
        headers["Retry-After"] = fault.retry_after
    if fault.content_type:
        headers["Content-Type"] = fault.content_type
    if fault.empty:
        body = b""
    elif fault.badjson:
        body = BROKEN[fault.badjson](body)
    elif fault.oversized > len(body):
        separator = b"," if len(body) > 2 else b""
        body = body[:-1] + separator + b'"padding":"' + b"x" * (fault.oversized - len(body)) + b'"}'
    lines = -(-fault.huge_headers // 200)
    headers |= {f"X-Filler-{n:06d}": "f" * 184 for n in range(lines)}
    return replace(response, headers=headers, body=body)


def _head(response: Response, framing: dict[str, str]) -> bytes:
    """Status line and header lines up to the empty line (RFC 9112, sections 4 and 5)."""
    lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in (response.headers | framing).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _frame(response: Response, fault: Fault) -> bytes:
    framing = {"Connection": "close"} if fault.close else {}
    if fault.http10:
        return _head(response, framing).replace(b"HTTP/1.1", b"HTTP/1.0", 1) + response.body
    if fault.twice:
        framing |= {"content-length": str(len(response.body))}
    if not fault.chunked:
        return _head(response, framing | {"Content-Length": str(len(response.body))}) + response.body
    head = _head(response, framing | {"Transfer-Encoding": "chunked", "Trailer": "X-Checked"})
    return head + b"".join(_chunks(response.body, fault.chunked)) + b"0;last\r\nX-Checked: yes\r\n\r\n"


def _chunks(body: bytes, largest: int) -> list[bytes]:
    """Legal chunks of odd sizes, upper- and lower-case hex, leading zeros, some with extensions (RFC 9112, 7.1)."""
    chunks: list[bytes] = []
    start = 0
    while start < len(body):
        n = len(chunks)
        part = body[start : start + min(largest, _ODD_SIZES[n % len(_ODD_SIZES)])]
        size = (b"%x" if n % 2 else b"%04X") % len(part)
        chunks.append(size + (b';note="a,b"' if n % 3 == 1 else b"") + b"\r\n" + part + b"\r\n")
        start += len(part)
    return chunks


def _interim(count: int) -> bytes:
    """Informational responses, which a client skips (RFC 9110, section 15.2)."""
    kinds = (Response(100), Response(103, {"Link": "</x>; rel=preload"}))
    return b"".join(_head(kinds[n % 2], {}) for n in range(count))


def _endless(response: Response, kind: str) -> list[Step]:
    if kind == "headers":
        head = f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Unknown')}\r\n".encode()
        return [("send", head), ("repeat", b"X-More: " + b"m" * 54 + b"\r\n")]
    framing = {"Connection": "close"} if kind == "plain" else {"Transfer-Encoding": "chunked"}
    data = b" " * 64 if kind == "plain" else b"40\r\n" + b" " * 64 + b"\r\n"
    return [("send", _head(response, framing)), ("repeat", data)]


def _paced(data: bytes, bytes_per_s: float) -> list[Step]:
    if not bytes_per_s or not data:
        return [("send", data)] if data else []
    size = max(1, round(bytes_per_s / 10))
    steps: list[Step] = []
    for start in range(0, len(data), size):
        steps += [("send", data[start : start + size]), ("wait", size / bytes_per_s)]
    return steps[:-1]


def _late(fault: Fault, steps: list[Step]) -> list[Step]:
    return [("wait", fault.delay), *steps] if fault.delay else steps
