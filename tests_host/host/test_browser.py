"""Finding the browser, and what the package manager is asked for when there is none."""

import stat

import pytest

from tools.common import Failed
from tools.env import browser


@pytest.fixture
def has(tmp_path):
    """Puts programs on the PATH that is `tmp_path`."""

    def put(*names):
        for name in names:
            (tmp_path / name).write_text("#!/bin/sh\n")
            (tmp_path / name).chmod(stat.S_IRWXU)

    return put


def test_the_smallest_on_path_is_taken(has, tmp_path):
    has("chromium", "chromium-headless-shell", "apt-get")
    assert browser.fetch(str(tmp_path), True, pytest.fail) == str(tmp_path / "chromium-headless-shell")


@pytest.mark.parametrize(("root", "first"), [(True, ("apt-get", "-qq")), (False, ("sudo", "-n"))])
def test_installs_without_a_prompt(has, tmp_path, root, first):
    def run(*argv):
        assert argv[:2] == first
        if argv[-1] == "chromium":
            has("chromium")
        return argv[-1] in ("update", "chromium")

    has("apt-get", "sudo")
    assert browser.fetch(str(tmp_path), root, run) == str(tmp_path / "chromium")
    (tmp_path / "chromium").unlink()
    with pytest.raises(Failed, match="could not be installed"):
        browser.fetch(str(tmp_path), root, lambda *argv: False)


@pytest.mark.parametrize(("programs", "root"), [((), True), (("apt-get",), False), (("sudo",), True)])
def test_without_a_way_to_install_it_the_command_fails(has, tmp_path, programs, root):
    has(*programs)
    with pytest.raises(Failed, match="no Chromium here"):
        browser.fetch(str(tmp_path), root, pytest.fail)
