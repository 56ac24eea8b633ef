"""Classify the error of a connection as evidence for the escalation ladder. Pure."""

_ALLOC = (0x1180, 0x2880, 0x3400, 0x3F80, 0x4D80, 0x5180, 0x5780, 0x6180, 0x7F00)
"""mbedTLS: MBEDTLS_ERR_*_ALLOC_FAILED of PEM, X509, DHM, PK, ECP, MD, PKCS7, CIPHER and SSL. The low seven bits are the
code of a low-level module: 0x10 of big numbers, 0x6A of ASN.1 (mbedtls/error.h)."""


def kind_of(kind, detail, scarce):
    """Return "memory" (it was short), "dates" (of a certificate), "answered" (the network works) or "silence". `kind`,
    `detail`: those of the NetError. `scarce`: memory was scarce before, which fails a handshake in several ways."""
    text = str(detail)
    if lacks_memory(text) or (scarce and (kind == "tls" or text == "send")):
        return "memory"
    if kind == "tls" and "validity" in text:
        return "dates"
    if kind in ("tls", "sntp") or "REFUSED" in text or "RESET" in text:
        return "answered"
    return "silence"


def distrusts(kind, detail):
    """Return whether a server was refused because its certificate is not signed by one of the roots, or because of
    dates, according to mbedTLS's text."""
    return kind == "tls" and ("signed by the trusted" in str(detail) or "validity" in str(detail))


def lacks_memory(text):
    """Return whether the text of an error (its name, mbedTLS's text, or its number) means a lack of memory."""
    if "alloc" in text.lower() or text in ("ENOMEM", "ENOBUFS", "ENFILE"):
        return True
    number = text.lstrip("-")
    if not number.isdigit():
        return False
    code = int(number)
    if code < 256:
        return code in (12, 16, 23, 105, 106)
    return code & 0x7F80 in _ALLOC or code & 0x7F in (0x10, 0x6A)
