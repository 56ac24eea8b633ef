"""`realer fetch [PART ...]`: what demo and tests need besides the packages of `realer`, into `.cache`.

What is there already is left alone. A part is fetched by its module of `tools/env`, from the machine's own package
mirror, PyPI or npm, as pinned.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tools.checks.typecheck import __main__ as typecheck
from tools.common import Failed
from tools.env import aedes, browser, ejabberd, interpreter, mosquitto, nginx, stock, uplot, wasm

PARTS: dict[str, Callable[[], object]] = {
    "micropython": interpreter.fetch,
    "mosquitto": mosquitto.fetch,
    "modules": stock.fetch,
    "stubs": typecheck.fetch,
    "chromium": browser.fetch,
    "node": wasm.fetch,
    "charts": uplot.fetch,
    "ejabberd": ejabberd.fetch,
    "aedes": aedes.fetch,
    "nginx": nginx.fetch,
}
_DEMO = ("micropython", "mosquitto", "modules", "charts")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="realer fetch",
        description="Fetch what demo and tests need, where it is missing. Without PART: what the demo needs.",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one or more of {', '.join(PARTS)}")
    asked = parser.parse_args(argv).parts
    parts = asked or _DEMO
    for unknown in set(parts) - PARTS.keys():
        parser.error(f"unknown part {unknown!r}; known: {', '.join(PARTS)}")
    for name in parts:
        try:
            PARTS[name]()
        except Failed as failed:
            if asked or name != "charts":
                raise
            print(f"The demo will have no charts: {failed.what}", file=sys.stderr)
            continue
        print(f"{name}: ready")
    return 0
