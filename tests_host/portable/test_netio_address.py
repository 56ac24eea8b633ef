"""Addresses and ports as people write them."""

from netio.sockets import is_ip, split
from tests_host.support.raising import raised


def test_addresses():
    for text in ("0.0.0.0", "127.0.0.1", "255.255.255.255", "192.0.2.01"):
        assert is_ip(text)
    for text in ("", "...", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.-4", "1.2.3.4 ", "a.b.c.d", "::1"):
        assert not is_ip(text)


def test_ports():
    assert split("pool.ntp.org", 123) == ("pool.ntp.org", 123)
    assert split("127.0.0.1:1053", 53) == ("127.0.0.1", 1053)
    for text in ("host:", "host:x", "::1"):
        raised(ValueError, split, text, 1)
