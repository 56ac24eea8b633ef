"""The options with which smoke, demo and bench choose the virtual board's memory and the servers' certificates."""

from __future__ import annotations

import argparse
from typing import Any

from tools.board.memory import IMAGES as CHIPS
from tools.board.memory import TIGHTEST, USUAL_CHAIN
from tools.cloud.chains import CHAINS
from tools.stage import IMAGES


def add_board(parser: argparse.ArgumentParser, image: bool = True) -> None:
    """`image` False: which image is not the person's choice."""
    if image:
        parser.add_argument(
            "--image", choices=IMAGES, default=IMAGES[0],
            help="stock: code in the file system; own: in a ROM partition; default: %(default)s",
        )  # fmt: skip
    parser.add_argument(
        "--chain", choices=CHAINS, default=USUAL_CHAIN, help="what servers present; default: %(default)s"
    )
    parser.add_argument(
        "--chip", choices=CHIPS, default=TIGHTEST,
        help="the published image whose memory the board has; default: %(default)s",
    )  # fmt: skip
    parser.add_argument("--heap", help="a Python heap of that size, such as 4m, not a plain ESP32's")


def board(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of Stage for what was chosen."""
    found = {"chain": options.chain, "version": options.chip, "heap": options.heap}
    return found | ({"image": options.image} if "image" in options else {})
