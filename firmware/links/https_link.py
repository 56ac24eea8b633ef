"""The Realer cloud of whatever generation over HTTPS polling: a link (docs/ARCHITECTURE.md, "Link") of one half."""

from firmware.links.account import Account
from firmware.links.polling import Polling


def connected(cfg, net, clock, rng, log):
    """A row of LINKS."""
    return Polling(Account(cfg, net, clock, rng, log))
