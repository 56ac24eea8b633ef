"""The newest generation of iot/v1 over HTTPS: a row of `LINKS`."""

from firmware.links.bootstrap import Runtime
from firmware.links.realer_https import RealerHttps


def connected(*parts):
    """The link; `parts` as for RealerHttps."""
    return Runtime(RealerHttps(*parts), True).link
