"""The expiry date of a certificate, which mbedTLS does not expose in MicroPython. Pure."""


def end_day(der):
    """Return the day of notAfter of a DER certificate, in days since 1970-01-01 (RFC 5280 section 4.1). ValueError if
    `der` is not a certificate."""
    try:
        at, _ = _inside(der, _inside(der, 0)[0])
        # Skip the version, which version 1 certificates lack, serial number, algorithm and issuer.
        for _ in range(4 if der[at] == 0xA0 else 3):
            at = _inside(der, at)[1]
        at = _inside(der, at)[0]
        at = _inside(der, at)[1]  # skip notBefore
        start, end = _inside(der, at)
        text = bytes(der[start:end]).decode()
        if der[at] == 0x17:  # UTCTime, with a year of two digits
            text = ("19" if text[0] > "4" else "20") + text
        return _days(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except (IndexError, ValueError):
        raise ValueError("no certificate in DER form")


def _inside(der, at):
    """Return (start, end) of the content of the element at offset `at` (X.690 section 8.1)."""
    size = der[at + 1]
    at += 2
    if size > 0x80:
        more = size & 0x7F
        if more > 2:
            raise ValueError  # a certificate is shorter, and more digits would need a big integer
        size = int.from_bytes(der[at : at + more], "big")
        at += more
    return at, at + size


def _days(year, month, day):
    """Return the days from 1970-01-01 to a date. Years are counted from March, so that a leap day is the last one."""
    year -= month < 3
    month = (month + 9) % 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (month * 306 + 5) // 10 + day - 719469
