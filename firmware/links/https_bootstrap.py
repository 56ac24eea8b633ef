"""HTTPS with the newest generation of iot/v1, or the one before it: what is loaded while such a cloud is talked to."""

from firmware.links.bootstrap import Bootstrap
from firmware.links.https import Https
from firmware.links.iot import Iot


def half(account):
    """See Https."""
    http = Https(account)
    http.source = Bootstrap(http, Iot(http), account.cfg["api"] == "bootstrap")
    return http
