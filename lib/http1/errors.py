"""The one error of HTTP/1.1 as spoken by a peer. Refuses to quote the peer's bytes."""


class HttpError(Exception):
    """The peer's bytes are not a response that can be trusted; the connection must not be used again.

    `reason`: a few words, the same for every way the bytes were cut into pieces.
    """

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason
