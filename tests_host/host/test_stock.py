"""The modules of a stock image that the virtual board borrows: fetched once, by pip, as pinned."""

from pathlib import Path

import pytest

from tools.common import Failed
from tools.env import stock
from tools.env.setup_venv import pinned
from tools.repository import ROOT


def test_the_downloaded_stubs_are_the_pinned_ones():
    found = stock.fetch()
    assert set(found) == {"umqtt/simple.py", "urequests/__init__.py"}
    assert "class MQTTClient" in found["umqtt/simple.py"].read_text()
    assert (stock.FOLDER / "fetched.txt").read_text().split() == pinned(ROOT / "pyproject.toml", "board")


def test_it_is_fetched_only_once(tmp_path: Path):
    (tmp_path / "fetched.txt").write_text("\n".join(pinned(ROOT / "pyproject.toml", "board")))
    (tmp_path / "here.py").touch()
    assert set(stock.fetch(tmp_path, {"PIP_NO_INDEX": "1"})) == {"here.py"}


def test_a_failed_download_is_named_and_leaves_nothing_that_looks_complete(tmp_path: Path):
    with pytest.raises(Failed, match=r"micropython-umqtt\.simple==1\.3\.4 could not be fetched"):
        stock.fetch(tmp_path / "stock", {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)})
    assert not (tmp_path / "stock" / "fetched.txt").exists()
    assert stock.modules(tmp_path / "stock") == {}
