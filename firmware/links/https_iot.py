"""HTTPS with iot/v1 as of generation B1: what is loaded while such a cloud is talked to."""

from firmware.links.https import Https
from firmware.links.iot import Iot


def half(account):
    """See Https."""
    http = Https(account)
    http.source = Iot(http)
    return http
