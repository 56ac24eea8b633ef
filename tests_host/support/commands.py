"""The commands of the host, called by tests."""

import asyncio
import contextlib
import io
import sys
from subprocess import CompletedProcess

from tools.__main__ import main
from tools.repository import ROOT

_HANGS_S = 900
"""Each command ends by deadlines of its own; this one is for a command that hangs. On a busy machine compiling a
changed tree takes minutes."""


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


async def start(*arguments):
    """`realer ...` as a process of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "tools", *arguments, cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def end_of(process):
    """(exit status, output)."""
    try:
        async with asyncio.timeout(_HANGS_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    return process.returncode, output.decode()


async def command(*arguments):
    """(exit status, output) of `realer ...`."""
    return await end_of(await start(*arguments))
