"""`realer bench`: measures the promised figures on this machine, a JSON line each.

{"figure": ..., "value": ..., "must": ..., "ok": ...} and more facts; beside peers a line for each client. This is no
test: figures depend on the machine, so a person reads them. Exit status 0 when all are as they must be.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tools import common
from tools.checks import bench_page
from tools.checks.bench_peers import Peers
from tools.checks.curves import Curves
from tools.checks.figures import Line
from tools.checks.figures_memory import MemoryFigures
from tools.checks.figures_mqtt import MqttFigures
from tools.env import interpreter
from tools.fixture.options import add_board, board
from tools.fixture.system import NotInTimeError, ThirdAreaError
from tools.repository import ROOT

Figure = Callable[[], Coroutine[Any, Any, Line | list[Line]]]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="realer bench", description="Measure the promised figures on this machine."
    )
    parser.add_argument("--quick", action="store_true", help="ten minutes instead of forty")
    add_board(parser, image=False)
    parser.add_argument("--tree", type=Path, default=ROOT, help="device tree to measure; default: this one")
    parser.add_argument("--only", default="", help="figures whose name contains this")
    parser.add_argument(
        "--peers", type=Path, default=os.environ.get("PEERS_DIR"), metavar="DIR",
        help="where your copies of other clients are, by module: umqtt/, mqtt_as/, requests/; default: $PEERS_DIR",
    )  # fmt: skip
    parser.add_argument(
        "--page", type=Path, help="write what is measured beside peers and of curves into this page as well"
    )
    common.add_json(parser)
    options = parser.parse_args(argv)
    found = interpreter.find(options.bits)
    bench = MqttFigures(options.quick, found, tree=options.tree, **board(options))
    peers = Peers(3 if options.quick else 9, found, options.tree, options.peers, options.chain)
    curves = Curves(options.quick, bench.fixture)
    figures: tuple[Figure, ...] = (
        bench.mpy, bench.handshakes, bench.latency, bench.cycles_https,
        bench.stall_refused, bench.stall_dns, bench.stall_unroutable,
        bench.mqtt_latency, bench.mqtt_publishes, bench.mqtt_renewal, bench.cycles_mqtt, bench.cycles_changes,
        bench.stall_mqtt, *MemoryFigures(bench.fixture).measurements(),
        peers.peers, curves.curves_bytes, curves.curves_start, curves.curves_backlog,
    )  # fmt: skip
    wanted = [figure for figure in figures if options.only in figure.__name__]
    if not wanted:
        parser.error(f"no figure has {options.only} in its name, of {', '.join(f.__name__ for f in figures)}")
    lines: list[Line] = []
    with common.LongRun("bench", len(wanted), options.json) as run:
        for figure in wanted:
            run.begins(figure.__name__)
            lines += _measure(figure, run)
            run.step()
    if options.page:
        bench_page.write(options.page, lines, bench_page.about(found))
    return 0 if all(each["ok"] for each in lines) else 1


def _measure(figure: Figure, run: common.LongRun) -> list[Line]:
    started = time.monotonic()
    try:
        found: Line | list[Line] = asyncio.run(figure())
    except (NotInTimeError, ThirdAreaError, OSError) as error:
        found = {"figure": figure.__name__, "value": None, "ok": False, "error": str(error)}
    lines = found if isinstance(found, list) else [found]
    for each in lines:
        run.result({**each, "took_s": round(time.monotonic() - started, 1)})
    return lines
