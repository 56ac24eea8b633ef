"""`realer monitor [--port PORT]`: show the board's log until Ctrl-C.

It only listens: the program on the board is not interrupted, and Ctrl-C ends the command alone.
"""

from __future__ import annotations

import argparse

from tools import common
from tools.serial import board_log, ports


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="realer monitor", description="Show the board's log until Ctrl-C. The board is not disturbed."
    )
    parser.add_argument("--port", help="serial port or socket://host:port; default: the only one plugged in")
    options = parser.parse_args(argv)
    name = ports.choose(options.port)
    again = ports.Reopening(name, board_log.BAUD, common.console(stderr=True).print)
    with ports.opened(name, board_log.BAUD) as port:
        try:
            board_log.follow(board_log.Lines(port, again=again), common.console())
        except OSError as error:
            raise common.Failed(f"the cable is out: {error}", "Plug it in and start again.") from None
    return 0
