"""`python -m tools.doctor [--port PORT]`: a checklist on the board, made with the libraries of its own image.

Owns: reaching the board (the real mpremote), colours, and the exit status: 0 no problem, 1 problems or no board. The
firmware is stopped, outputs safe, and started again afterwards. The checks are `board.py`'s and `network.py`'s, which
run there, one after the other.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from tools import cli, ports

_CHECKS = [str(Path(__file__).with_name(name)) for name in ("board.py", "network.py")]
_STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}
_UNREACHABLE = """\
Is it plugged in, and does nothing else watch the port? Has it MicroPython (make flash)? Reset it and try again."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.doctor",
        description="Check network, time, certificates and pins, on the board itself. The firmware is restarted.",
    )
    parser.add_argument(
        "--port", help="serial port, or socket://host:port; default: the only one that is plugged in"
    )
    port = ports.choose(parser.parse_args(argv).port)
    console = cli.console()
    console.print(f"asking the board at {port}; this may take a minute")
    lines = []
    command = [
        sys.executable,
        "-m",
        "mpremote",
        "connect",
        port,
        "run",
        _CHECKS[0],
        "run",
        _CHECKS[1],
        "reset",
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as mpremote:
        for line in mpremote.stdout:
            lines.append(line.rstrip())
            console.print(lines[-1], style=_STYLES.get(line.split(" ")[0], ""))
    tally = [match for line in lines if (match := re.fullmatch(r"\d+ ok, \d+ notes, (\d+) problems", line))]
    if not tally:
        raise cli.Failed("the checklist did not come to its end", _UNREACHABLE)
    return 1 if int(tally[-1][1]) else 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
