"""The only exception of `netio`, `dnsstub` and `sntp` for a network or its peers."""


class NetError(Exception):
    """A peer could not be reached or verified, or gave no usable answer.

    `kind`: "dns", "connect", "tls", "timeout", "closed", or "sntp" if a time server's answer is not usable.
    `detail`: a few words for the log; contains no credentials.
    """

    def __init__(self, kind, detail):
        super().__init__("%s: %s" % (kind, detail))
        self.kind = kind
        self.detail = detail
