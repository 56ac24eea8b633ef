"""Fetches aedes, an MQTT broker for node, for tests. `tests_host/brokers/package.json` pins its version."""

from __future__ import annotations

from pathlib import Path

from tools.common import Failed
from tools.env import npm
from tools.repository import ROOT

PACKAGES = ROOT / "tests_host" / "brokers"


def argv() -> list[str]:
    """How to start it; port, certificate with key, user and password are to follow. Raises Failed."""
    modules = npm.modules(PACKAGES)
    if not modules.is_dir():
        raise Failed("no aedes here", "Run realer fetch aedes.")
    return [*npm.node(), str(PACKAGES / "aedes.mjs"), str(modules)]


def fetch() -> Path:
    """Make sure that it is there. Raises Failed."""
    return npm.install(PACKAGES, "aedes")
