"""The exceptions of the firmware, one for each kind of reaction (docs/ARCHITECTURE.md, Errors)."""


class ConfigError(Exception):
    """The configuration cannot be used: stay safe and log what to correct. `left`: its usable part (`led`, `portal`),
    see core.config."""

    left = {}


class DriverError(Exception):
    """A piece of hardware fails: that reading or output is a fault, everything else continues."""


class LinkError(Exception):
    """The connection to the cloud failed: close it, back off, open it again.

    `retry_after_s`: the shortest wait that the server asked for in seconds, 0 if none.
    """

    def __init__(self, text, retry_after_s=0):
        super().__init__(text)
        self.retry_after_s = retry_after_s


class AuthError(LinkError):
    """The cloud refused this device: safe state, then a long back-off."""
