"""When a certificate ends."""

from firmware.core.certificate import end_day
from tests_host.support.raising import raised


def element(tag, content):
    """One element of DER; X.690 section 8.1.3 has both forms of its length."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    digits = size.to_bytes(2, "big")
    return bytes([tag, 0x82]) + digits + content


def certificate(begin, end, version=True, issuer=300):
    """What RFC 5280 section 4.1 has before the dates, and a little behind them. `begin`, `end`: (tag, text)."""
    head = element(0xA0, element(2, b"\2")) if version else b""
    head += element(2, bytes(16)) + element(0x30, b"\6\1\1") + element(0x30, bytes(issuer))
    dates = element(0x30, element(*begin) + element(*end))
    body = element(0x30, head + dates + element(0x30, b"subject") + element(0x30, b"key"))
    return element(0x30, body + element(0x30, b"") + element(3, bytes(64)))


UTC, GENERALIZED = 0x17, 0x18
BEGIN = (UTC, b"200101000000Z")


def test_the_day_is_that_of_the_later_date():
    for end, day in (
        ((UTC, b"700101000000Z"), 0),
        ((UTC, b"991231235959Z"), 10956),
        ((UTC, b"000229120000Z"), 11016),
        ((UTC, b"240229000000Z"), 19782),
        ((UTC, b"240301000000Z"), 19783),
        ((UTC, b"350604110438Z"), 23895),
        ((UTC, b"491231235959Z"), 29219),
        ((GENERALIZED, b"20500101000000Z"), 29220),
        ((GENERALIZED, b"99991231235959Z"), 2932896),
    ):
        assert end_day(certificate(BEGIN, end)) == day, end
        assert end_day(certificate(BEGIN, end, version=False, issuer=20)) == day, end
        assert end_day(memoryview(certificate(BEGIN, end))) == day, end


def test_bytes_that_are_not_a_certificate_are_an_error():
    whole = certificate(BEGIN, (UTC, b"350604110438Z"))
    for data in (b"", b"\x30", b"-----BEGIN CERTIFICATE-----", bytes(600), b"\xff" * 600, whole[:330]):
        raised(ValueError, end_day, data)
