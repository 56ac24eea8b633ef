"""Finding the browser, and what the package manager is asked for when there is none."""

import stat

import pytest

from tools.env import browser


@pytest.fixture
def machine(tmp_path):
    """A machine with these programs on its PATH; `.path` is that, `.asked` what apt-get was told."""

    class Machine:
        path = str(tmp_path)

        def __init__(self):
            self.asked = []
            self.offers = ()

        def has(self, *names):
            for name in names:
                (tmp_path / name).write_text("#!/bin/sh\n")
                (tmp_path / name).chmod(stat.S_IRWXU)

        def run(self, *argv):
            self.asked.append(argv)
            if "install" in argv and argv[-1] in self.offers:
                self.has(argv[-1])
                return True
            return "update" in argv

        def fetch(self, root):
            return browser.fetch(self.path, root, self.run)

    return Machine()


def test_the_smallest_on_path_is_taken(machine):
    machine.has("chromium", "chromium-headless-shell", "apt-get")
    assert browser.find(machine.path).endswith("/chromium-headless-shell")
    assert machine.fetch(root=True) == browser.find(machine.path) and machine.asked == []


@pytest.mark.parametrize("root", [True, False])
def test_installs_without_a_prompt(machine, root):
    machine.has("apt-get", "sudo")
    machine.offers = ("chromium",)
    assert machine.fetch(root).endswith("/chromium")
    assert {argv[:2] for argv in machine.asked} == {("apt-get", "-qq") if root else ("sudo", "-n")}
    assert [argv[-1] for argv in machine.asked] == ["update", "chromium-headless-shell", "chromium"]


@pytest.mark.parametrize(("programs", "root"), [((), True), (("apt-get",), False), (("sudo",), True)])
def test_without_a_package_manager_it_names_what_to_install(machine, programs, root):
    machine.has(*programs)
    with pytest.raises(
        browser.BrowserError, match=r"^[^.]*install Chromium \(package `chromium` of [^.]*\.$"
    ):
        machine.fetch(root)
    assert machine.asked == []


def test_reports_a_package_manager_without_the_browser(machine):
    machine.has("apt-get")
    with pytest.raises(browser.BrowserError, match="could not be installed"):
        machine.fetch(root=True)
