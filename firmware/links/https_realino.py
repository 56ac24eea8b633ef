"""HTTPS with Realino: what is loaded while such a cloud is talked to."""

from firmware.links.https import Https
from firmware.links.realino import Realino


def half(account):
    """See Https."""
    http = Https(account)
    http.source = Realino(http)
    return http
