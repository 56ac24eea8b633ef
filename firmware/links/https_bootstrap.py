"""The HTTPS half for the newest generation of iot/v1, or the one before it."""

from firmware.links.bootstrap import Bootstrap
from firmware.links.https import Https
from firmware.links.iot import Iot


def half(account):
    """Return the Https with its source. `account`: see Account."""
    http = Https(account)
    http.source = Bootstrap(http, Iot(http), account.cfg["api"] == "bootstrap")
    return http
