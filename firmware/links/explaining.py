"""Explains why a connection failed, and records that as evidence. In memory only for that."""

from micropython import const

from firmware.core.failures import distrusts, kind_of

_HANDSHAKE = const(42000)


def explain(net, error):
    """Return the NetError `error` as text for the log, and record in `net` what it is evidence of.

    A TLS handshake that lacks memory can fail in several ways, one of which blames the certificate.
    """
    # An address that accepts connections may be broken too. Failures to dial are counted by the Dialer.
    net.turn += error.kind in ("tls", "closed") or error.detail in ("send", "head")
    free = net.free
    scarce = free is not None and free < _HANDSHAKE
    found = kind_of(error.kind, error.detail, scarce)
    net.distrusted = found != "memory" and distrusts(error.kind, error.detail)
    if found == "memory":
        net.memory_failures += 1
        net.new_memory_failure = 2
        net.names.clear()
    elif found == "dates":
        net.dates_failed = True
    elif found == "answered":
        net.answered()
    else:
        net.unanswered += 1
    if found == "memory" or (scarce and error.kind != "dns"):
        facts = "few" if free is None else free, _HANDSHAKE, error
        return "memory outside the Python heap: %s bytes were free, TLS takes up to %d; %s" % facts
    return str(error)
