"""The HTTPS half for iot/v1 of generation B1."""

from firmware.links.https import Https
from firmware.links.iot import Iot


def half(account):
    """Return the Https with its source. `account`: see Account."""
    http = Https(account)
    http.source = Iot(http)
    return http
