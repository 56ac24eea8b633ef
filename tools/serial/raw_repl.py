"""The raw REPL of a board on which the firmware may be running, over mpremote's transport.

It opens the port, asks for the REPL until the interrupted program has ended, and reports what goes wrong. A board whose
firmware was stopped is started again, however the work ends.
"""

from __future__ import annotations

import contextlib
import io
import signal
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from tools import common
from tools.serial import ports
from tools.serial.board_log import BAUD

BROKEN = (TransportError, OSError, struct.error)
"""What mpremote raises when the cable is pulled out; pyserial's own error is an OSError."""
_STOP_S = 20  # an orderly end takes the firmware a few seconds
_PATIENCE_S = 60
_MUTE = """\
Has it MicroPython (realer flash)? Is it the right port, and does the cable carry data (some only charge)? Press the
board's reset button and try again."""
_TALKS = """\
realer monitor shows what it says. If that is no MicroPython, put one on it: realer flash. If it is, press the board's
reset button and try again."""
_CABLE = "Plug it in, press its reset button, and run this again."
_RUNS = "The board was started again."
_STANDS = "Its firmware is stopped, outputs safe: press the board's reset button."


@contextlib.contextmanager
def opened(port: str) -> Iterator[SerialTransport]:
    """The port, open for nobody else. Raises common.Failed."""
    ports.opened(port, BAUD).close()  # says why it cannot be opened, which mpremote does not
    try:
        transport = SerialTransport(port, timeout=_PATIENCE_S)
    except BROKEN as error:
        raise ports.trouble(port, error) from None
    try:
        if ports.hung_up(transport.serial):
            raise ports.in_use(port)
        yield transport
    finally:
        with contextlib.suppress(OSError):  # the cable is out
            transport.close()


@dataclass
class Work:
    """`left`: what is to be said of the board when the work ends now; `over`: the board has been started again."""

    left: str
    over: bool = False


@contextlib.contextmanager
def stopped(transport: SerialTransport, left: str = "") -> Iterator[Work]:
    """The firmware is stopped meanwhile, and the board started again afterwards, also after Ctrl-C or an error; where
    that cannot be, the person gets a hint. Raises common.Failed for what goes wrong at the board."""
    work = Work(left)
    try:
        enter(transport)
        yield work
        with whole():
            restart(transport)
            work.over = True
    except TransportExecError as error:
        raise common.Failed(
            f"the board reported an error: {last_line(error)}", _again(transport, work)
        ) from None
    except BROKEN as error:
        what = f"the connection to the board was lost: {last_line(error)}"
        raise common.Failed(what, f"{work.left} {_CABLE}".strip()) from None
    except NoAnswer:
        raise
    except common.Failed as failed:
        failed.do = f"{failed.do} {_again(transport, work)}".strip()
        raise
    except KeyboardInterrupt:
        errors = common.console(stderr=True)
        if work.over:
            errors.print(f"{work.left} {_RUNS}".strip())
            raise
        errors.print("stopping; the board is started again first (Ctrl-C once more leaves it as it is)")
        try:
            errors.print(_again(transport, work))
        except KeyboardInterrupt:
            errors.print(_STANDS)
        raise


class NoAnswer(common.Failed):
    """Nobody is there who could be stopped, or started again."""


def _again(transport: SerialTransport, work: Work) -> str:
    """Start the board again; how that went, in words."""
    try:
        enter(transport)
        restart(transport)
    except (*BROKEN, NoAnswer):
        return f"{work.left} {_STANDS}".strip()
    return f"{work.left} {_RUNS}".strip()


def enter(transport: SerialTransport) -> None:
    """Interrupt what runs and start an interpreter in which nothing does. Raises one of BROKEN, or NoAnswer."""
    received = False
    for patience_s in (_STOP_S, _PATIENCE_S):
        said = io.StringIO()  # mpremote prints what came instead
        try:
            with contextlib.redirect_stdout(said):
                return transport.enter_raw_repl(timeout_overall=patience_s)
        except TransportError:
            # What was meant for the REPL came while the program still ran, and read it.
            received = received or said.getvalue().strip() != "b''"
        if not received:
            raise NoAnswer(f"no answer from the board at {transport.device_name}", _MUTE)
    raise NoAnswer(f"the board at {transport.device_name} sends output, but no prompt", _TALKS)


@contextlib.contextmanager
def whole() -> Iterator[None]:
    """What is begun at the board comes to its end before Ctrl-C counts; a second one counts at once. May be nested."""
    pressed = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, note) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)


def restart(transport: SerialTransport) -> None:
    """Reset the board; there is no answer. A moment later, so that it is known to have arrived when a port that belongs
    to the chip vanishes."""
    transport.exec_raw_no_follow("import machine, time\ntime.sleep_ms(200)\nmachine.reset()")


def last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
