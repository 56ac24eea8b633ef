"""What `make setup` starts from: pinned packages, an environment that works, targets that explain themselves."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tools.env import setup_venv
from tools.repository import ROOT


def test_every_package_is_pinned_to_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pins = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for group in project["dependency-groups"].values():
        pins += group
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9.-]+==[0-9][0-9a-z.]*", pin)] == []


def test_an_environment_with_a_broken_python_does_not_work(tmp_path: Path):
    python = tmp_path / "python"
    assert not setup_venv.works(python)
    python.symlink_to(tmp_path / "removed")
    assert not setup_venv.works(python)
    python.unlink()
    python.write_text("#!/bin/sh\nexit 127\n")
    python.chmod(0o755)
    assert not setup_venv.works(python)


def test_a_failing_command_is_shown(tmp_path: Path):
    with pytest.raises(SystemExit, match=r"the reason\n\nfailed: sh -c"):
        setup_venv.quiet("sh", "-c", "echo the reason >&2; exit 3")


def test_every_make_target_has_a_description():
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    listed = subprocess.check_output(["make", "--no-print-directory"], cwd=ROOT, text=True)
    assert sorted(re.findall(r"^  make (\w+) ", listed, re.MULTILINE)) == sorted(phony.split())
