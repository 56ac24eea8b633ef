"""Fetches uPlot, which draws the charts of the dashboard. `tools/dashboard/charts/package.json` pins its version."""

from __future__ import annotations

from pathlib import Path

from tools.env import npm

PACKAGES = Path(__file__).parents[1] / "dashboard" / "charts"


def find() -> Path | None:
    """The folder with `uPlot.esm.js` and `uPlot.min.css`, None where it was not fetched."""
    folder = npm.modules(PACKAGES) / "uplot" / "dist"
    return folder if folder.is_dir() else None


def fetch() -> None:
    """Make sure that it is there. Raises Failed."""
    npm.install(PACKAGES, "uPlot for the charts of the dashboard")
