"""`realer labels FOLDER`: a page of labels to print, one for each board of a fleet.

A label says which device the board is. Where it has a setup portal, a QR code joins its Wi-Fi, and the password is
beside it. The name of that Wi-Fi ends in four digits of the MAC, so the code needs that (`realer deploy --assign` notes
it). Passwords are on the page: only its owner can read the file.
"""

from __future__ import annotations

import argparse
import html
from pathlib import Path
from typing import Any

import segno
from segno import helpers

from tools import common
from tools.cli import board_list, check_config
from tools.cloud.site import write_private

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Labels</title>
<style>
@page {{ margin: 10mm }}
body {{ font: 9pt/1.3 sans-serif; margin: 0; display: flex; flex-wrap: wrap; gap: 2mm }}
section {{ box-sizing: border-box; width: {width}mm; height: {height}mm; padding: 2mm; border: 0.2mm dashed #999;
  display: flex; gap: 2mm; overflow: hidden; break-inside: avoid }}
svg {{ height: 100%; flex: none }}
b {{ font-size: 11pt }}
code {{ font-size: 9pt }}
div {{ overflow-wrap: anywhere }}
</style>
{labels}
</html>
"""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="realer labels",
        description="Write a page of labels to print, with QR codes that join the Wi-Fi of the setup portals.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what realer config --boards wrote")
    parser.add_argument("--out", type=Path, help="default: labels.html in FOLDER")
    parser.add_argument("--size", type=_size, default=(70, 32), metavar="WxH", help="in mm (default: 70x32)")
    options = parser.parse_args(argv)
    known = board_list.read(options.folder)
    labels = [_label(board, check_config.load_object(board.config(options.folder))) for board in known]
    out = options.out or options.folder / "labels.html"
    common.keep_others(out, _PAGE[:15])
    width, height = options.size
    write_private(out, _PAGE.format(width=width, height=height, labels="\n".join(labels)))
    print(f"written: {out} (only you can read it), {common.count(len(labels), 'label')}")
    without = sum("<svg" not in label and "Wi-Fi" in label for label in labels)
    if without:
        print(
            f"{without} without a QR code, as the MAC is not known: deploy with --assign first, or put it in the table"
        )
    return 0


def _size(text: str) -> tuple[int, int]:
    width, times, height = text.partition("x")
    if not times or not (width.isdecimal() and height.isdecimal()) or not (int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is not as in 70x32")
    return int(width), int(height)


def _label(board: board_list.Listed, config: dict[str, Any]) -> str:
    lines = [
        f"<b>{html.escape(str(config.get('name') or 'device'))}</b>",
        f"device {html.escape(board.device)}",
    ]
    if board.mac:
        lines.append(f"MAC {board_list.shown(board.mac)}")
    code = ""
    password = (config.get("portal") or {}).get("password")
    if password:
        ssid = board_list.portal_ssid(config, board.mac or "….")
        lines += [
            f"Wi-Fi <code>{html.escape(ssid)}</code>",
            f"<code>{html.escape(password)}</code>",
            "http://192.168.4.1/",
        ]
        if board.mac:
            code = wifi_code(ssid, password)
    return f"<section>{code}<div>{'<br>'.join(lines)}</div></section>"


def wifi_code(ssid: str, password: str) -> str:
    """A QR code that makes a phone join a network with WPA2, as SVG."""
    made = segno.make(helpers.make_wifi_data(ssid, password, "WPA"), error="m", micro=False)
    return str(made.svg_inline(border=2, omitsize=True))
