"""The Realer cloud of whatever generation over HTTPS: a row of `LINKS`."""

from firmware.links.realer_auto import RealerAuto
from firmware.links.realer_https import RealerHttps


def connected(*parts):
    """The link; `parts` as for RealerHttps."""
    return RealerAuto(RealerHttps(*parts), *parts)
