"""The HTTPS half for Realino."""

from firmware.links.https import Https
from firmware.links.realino import Realino


def half(account):
    """Return the Https with its source. `account`: see Account."""
    http = Https(account)
    http.source = Realino(http)
    return http
