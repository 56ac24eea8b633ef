"""The error families of the firmware and the reaction each one asks for.

A new error here must need a new reaction.
"""


class ConfigError(Exception):
    """The configuration cannot be used: stay safe and log what to correct. `left`: what is
    left of it for saying so, see core.config."""

    left = {}


class DriverError(Exception):
    """One piece of hardware misbehaves: that reading or output is a fault, the rest goes on."""


class LinkError(Exception):
    """The way to the cloud failed: close, back off, open again.

    `retry_after_s`: least seconds to wait as asked by the server, 0 without one.
    """

    def __init__(self, text, retry_after_s=0):
        super().__init__(text)
        self.retry_after_s = retry_after_s


class AuthError(LinkError):
    """The cloud refuses this device: safe state, then a long backoff."""
