"""The commands of the host, called by tests."""

import contextlib
import io
from subprocess import CompletedProcess

from tools.__main__ import main


def realer(*arguments: object) -> "CompletedProcess[str]":
    """A command as a shell calls it, but in this process: another one would import for half a second."""
    out, errors = io.StringIO(), io.StringIO()
    words = [str(argument) for argument in arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            status = main(words)
        except SystemExit as ended:  # of argparse
            status = int(ended.code or 0)
    return CompletedProcess(words, status, out.getvalue(), errors.getvalue())
