"""An HTTP/1.1 request as bytes (RFC 9112 sections 3 and 6).

Owns what may stand in a request head. Refuses everything that could split or smuggle a request, HEAD and CONNECT
(their responses are framed differently), and request bodies of unknown length.
"""

_OURS = ("host", "content-length", "transfer-encoding")


def _check(part, text, low=0x21):
    """Printable ASCII only. The error names the part, never the value: it may be a secret."""
    if not isinstance(text, str) or not text:
        raise ValueError("http: bad " + part)
    for c in text:
        if not low <= ord(c) <= 0x7E:
            raise ValueError("http: bad " + part)


def encode(method, target, host, headers=(), body=None):
    """The whole request. `headers`: (name, value) pairs; `body`: bytes-like or None, sent with its Content-Length.

    `host` is the Host header's value, with the port where it is not the default one. ValueError names the part that
    holds something other than printable ASCII, or a header that is this function's own business.
    """
    _check("method", method)
    _check("target", target)
    _check("host", host)
    if method in ("HEAD", "CONNECT"):
        raise ValueError("http: bad method")
    lines = ["%s %s HTTP/1.1" % (method, target), "Host: " + host]
    for name, value in headers:
        _check("header name", name)
        if ":" in name or name.lower() in _OURS:
            raise ValueError("http: bad header name")
        _check("header value", value, 0x20)
        lines.append("%s: %s" % (name, value))
    if body is not None:
        lines.append("Content-Length: %d" % len(body))
    head = "\r\n".join(lines) + "\r\n\r\n"
    return head.encode() + (body or b"")
