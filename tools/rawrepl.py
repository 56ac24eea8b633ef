"""The raw REPL of a board on which the firmware may be running, over mpremote's transport.

Owns: opening a port, asking for the REPL until the program that was interrupted has ended, what goes wrong on the way.
"""

from __future__ import annotations

import struct

from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from tools import cli

BROKEN = (TransportError, OSError, struct.error)
"""What mpremote raises when the cable is pulled out; pyserial's own error is an OSError."""
_STOP_S = 20  # an orderly end takes the firmware a few seconds
_PATIENCE_S = 60


def opened(port: str) -> SerialTransport:
    """The port, open. Raises cli.Failed."""
    try:
        return SerialTransport(port)
    except BROKEN as error:
        raise cli.Failed(
            f"{port}: {error}", "Close whatever else watches the board; is the name right?"
        ) from None


def enter(transport: SerialTransport) -> None:
    """Interrupt what runs and start an interpreter in which nothing does. Raises one of BROKEN."""
    try:
        transport.enter_raw_repl(timeout_overall=_STOP_S)
    except TransportError:
        # What was meant for the REPL came while the program still ran, and read it.
        transport.enter_raw_repl(timeout_overall=_PATIENCE_S)


def restart(transport: SerialTransport) -> None:
    """Reset the board; there is no answer."""
    transport.exec_raw_no_follow("import machine\nmachine.reset()")


def last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
