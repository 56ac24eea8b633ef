"""Short strings of the units that only the start needs: in no table there, and the same program all the same."""

import subprocess

from tools.build import mpy, words
from tools.build.bundle_cache import bundled
from tools.env import interpreter
from tools.repository import ROOT

SETTINGS = """import sys
RULES = "a text that is long enough anyway"
def f(kind="pulse", *, how="ramp"):
    table = {"pulse": "one", "cover": "two"}
    return table[kind] + how + "%s:%s" % ("left", "x") + sys.byteorder
class C:
    word = "pulse"
"""
USE = "import settings\nprint(settings.f(), settings.f('cover'), settings.C.word)\n"
OTHER = 'def g():\n    return "cover"\n'


def run(*arguments, cwd=None):
    argv = [*interpreter.find(32).argv, *arguments]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=30).stdout


def names_of(text, folder):
    path = folder / "settings.py"
    path.write_text(text)
    return set(mpy.names(mpy.compiled(path)))


def test_they_are_not_in_the_tables_and_mean_the_same(tmp_path):
    units = {"firmware.settings": SETTINGS, "firmware.device": OTHER}
    listed = words.listed(units)
    assert listed["firmware.device"] == OTHER
    gone = names_of(SETTINGS, tmp_path) - names_of(listed["firmware.settings"], tmp_path)
    # What another unit has as well is in the tables anyway.
    assert gone == {"pulse", "ramp", "one", "two", "%s:%s"}
    (tmp_path / "main.py").write_text(USE)
    said = []
    for text in (SETTINGS, listed["firmware.settings"]):
        (tmp_path / "settings.py").write_text(text)
        said.append(run("main.py", cwd=tmp_path))
    assert said[0] == said[1] != ""


def test_the_name_of_the_list_is_in_rom_and_free():
    code = {path: mpy.names(code) for path, code in bundled(ROOT).items() if path.endswith(".mpy")}
    with_it = {path for path, names in code.items() if "argv" in names}
    assert with_it == {f"firmware/{name}.mpy" for name in ("app", "config_file", "settings", "start")}
    assert not {"power_save", "probe_s", "kit %s"} & {
        *code["firmware/app.mpy"],
        *code["firmware/settings.mpy"],
    }
    said = run("-c", "import micropython as m; m.qstr_info(1)")
    assert "Q(argv)" not in said and "qstr pool" in said
