"""The only error that code between an application and a network peer raises.

A detail never quotes what was sent or received, so it may be logged.
"""


class NetError(Exception):
    """A peer could not be reached or verified, or did not answer.

    `kind`: "dns" "connect" "tls" "timeout" "closed", or "sntp" for a time server that answered uselessly.
    `detail`: a few words for a person.
    """

    def __init__(self, kind, detail):
        super().__init__("%s: %s" % (kind, detail))
        self.kind = kind
        self.detail = detail
