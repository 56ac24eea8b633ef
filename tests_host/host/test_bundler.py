"""The bundler: units of the real tree, and the merging of small ones, run by this interpreter."""

import ast
import builtins
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tools.build import bundler
from tools.build.scopes import BundleError
from tools.env import interpreter
from tools.repository import ROOT, device_files

APP = "from firmware.device import go\ndef start():\n    return go()\n"
DEVICE = "def go():\n    from firmware.app import start\n    return start\n"
REST = {"app": APP, "device": DEVICE, "settings": "", "safe_mode": ""}


def tree(folder: Path, **texts: str) -> Path:
    """A device tree of these modules of `firmware`; `core_x` is `core/x.py`."""
    for name, text in (REST | texts).items():
        path = folder / "firmware" / f"{name.replace('_', '/', name.startswith('core'))}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Bundle a tree and import `firmware.device` as a device would; returns that module."""

    def bundled(**texts: str) -> types.ModuleType:
        for name in [n for n in sys.modules if n.partition(".")[0] == "firmware"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "firmware", types.ModuleType("firmware"))
        for name, text in bundler.sources(tree(tmp_path, **texts)).items():
            module = types.ModuleType(name)
            monkeypatch.setitem(sys.modules, name, module)
            exec(text, vars(module))
        return sys.modules["firmware.device"]

    return bundled


def test_every_module_is_in_a_unit_and_the_resident_ones_in_one():
    units = bundler.Program(ROOT).units
    inside = {name for members in units.values() for name in members}
    rows = {str(f.with_suffix("")).replace("/", ".") for f in device_files(ROOT) if f.parts[0] == "firmware"}
    assert {name for name in rows - inside if not name.endswith("__init__")} == set()
    stays = set(units["firmware.device"])
    assert {"firmware.core.controller", "netio.errors", "units.loader"} <= stays
    goes = {
        "firmware.app",
        "firmware.core.config",
        "http1.client",
        "mqtt5.client",
        "netio.sockets",
        "sntp.client",
    }
    assert not goes & stays


def test_a_temporary_unit_contains_its_engines_and_not_the_other_half():
    units = {name: set(members) for name, members in bundler.Program(ROOT).units.items()}
    half, mqtt = units["firmware.links.https_iot"], units["firmware.links.mqtt"]
    assert "http1.client" in half and "mqtt5.client" in mqtt
    assert not [name for name in half if name.startswith("mqtt5")]
    assert not [name for name in mqtt if name.startswith("http1")]
    # To open a connection there is code of its own, which brings no second copy of an error that somebody catches.
    connecting = units["firmware.links.mqtt_connecting"]
    assert {name for name in connecting if name.startswith("mqtt5")} == {
        "mqtt5.codes",
        "mqtt5.opening",
        "mqtt5.parts",
    }
    assert "mqtt5.opening" not in mqtt and "netio.errors" in units["firmware.device"]
    for link in ("polling", "transports"):
        engines = ("http1", "mqtt5", "iotmp", "netio", "firmware.cloud")
        assert not [name for name in units[f"firmware.links.{link}"] if name.startswith(engines)]
    for unit, brings in (
        ("dialing", "netio.sockets"),
        ("time_query", "sntp.client"),
        ("login", "firmware.cloud.oauth"),
    ):
        assert brings in units[f"firmware.links.{unit}"]


def test_a_link_unit_contains_its_own_modules_and_shares_only_resident_ones(tmp_path):
    app = """
from firmware.core.x import X
from firmware.device import go
def start():
    return go, X, LINKS
def _first():
    from firmware.links.first import Link
def _second():
    from firmware.links.second import Link
LINKS = {("a", "https"): _first, ("a", "mqtt"): _second}
"""
    links = {
        "first": "from firmware.core.x import X",
        "second": "from firmware.links import first",
        "unused": "",
    }
    (tmp_path / "firmware/links").mkdir(parents=True)
    for name, text in links.items():
        (tmp_path / f"firmware/links/{name}.py").write_text(f"{text}\nclass Link:\n    pass\n")
    program = bundler.Program(tree(tmp_path, app=app, core_x="class X:\n    pass\n"))
    first, second = "firmware.links.first", "firmware.links.second"
    assert program.rows == {"a-https": first, "a-mqtt": second}
    assert program.units[first] == [first] and program.units[second] == [first, second]
    assert program.units["firmware.device"] == ["firmware.device", "firmware.core.x"]


@pytest.mark.gate
def test_every_name_in_the_bundled_firmware_is_bound():
    units = {name: ast.parse(text) for name, text in bundler.sources(ROOT).items()}
    nodes = {name: list(ast.walk(unit)) for name, unit in units.items()}
    there = {
        name: {n.name for n in unit.body if hasattr(n, "name")}
        | {n.id for n in nodes[name] if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for name, unit in units.items()
    }
    for name, inside in nodes.items():
        known = {n.id for n in inside if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        known |= {n.arg for n in inside if isinstance(n, ast.arg)}
        known |= {
            n.name for n in inside if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        known |= {n.name for n in inside if isinstance(n, ast.ExceptHandler)}
        imports = [n for n in inside if isinstance(n, ast.Import | ast.ImportFrom)]
        known |= {alias.asname or alias.name for node in imports for alias in node.names}
        used = {n.id for n in inside if isinstance(n, ast.Name)}
        assert used - known - set(dir(builtins)) == set(), name
        for node in imports:
            if isinstance(node, ast.ImportFrom) and node.module in units:
                assert {alias.name for alias in node.names} <= there[node.module], (name, node.module)


def test_names_that_clash_stay_apart(run):
    device = run(
        core_a="_x = ['a']\ndef text():\n    return _x[0]\n",
        core_b="from firmware.core.a import text as other\n_x = ['b']\ndef text():\n    return _x[0] + other()\n",
        device="from firmware.core import a, b\ndef go():\n    return a.text() + b.text()\n",
    )
    assert device.go() == "aba"


def test_a_local_name_hides_only_the_same_name_of_the_module(run):
    device = run(
        core_a="def word():\n    return 'outer'\ndef text():\n    return 'text'\n",
        core_b="def word():\n    return 1\n",
        device="""
from firmware.core import a, b
from firmware.core.a import word
def local(word):
    return [word, [word for word in 'xy'], (lambda word: word)(3)]
def outer(text='d'):
    def inner():
        return word(), text
    return inner()
def first():
    return [word for word in word()], a.text(), b.word()
class Thing:
    text = 'attribute'
    def word(self, text=text):
        return word(), text, self.text
def caught():
    try:
        raise ValueError('e')
    except ValueError as text:
        return str(text)
"""
        + DEVICE,
    )
    assert device.local(2) == [2, ["x", "y"], 3]
    assert device.outer() == ("outer", "d")
    assert device.first() == (list("outer"), "text", 1)
    assert device.Thing().word() == ("outer", "attribute", "attribute")
    assert device.caught() == "e"


def test_constants_are_inlined_and_other_values_are_not(run, tmp_path):
    device = run(
        core_v="OK = 200\n_MASK = -0x80\nON = True\nCOUNT = 1\nCOUNT = 2\nNAME = 'n'\ndef mask():\n    return _MASK\n",
        device="""
from firmware.core import v
from firmware.core.v import OK as FINE
def go():
    return v.OK, FINE, v.ON, v.COUNT, v.NAME, v.mask()
""",
    )
    assert device.go() == (200, 200, True, 2, "n", -128)
    text = bundler.sources(tmp_path)["firmware.device"]
    assert "OK" not in text and "MASK" not in text


def test_late_imports_are_resolved_within_and_outside_of_the_unit(run):
    device = run(
        core_a="def one():\n    return 1\ndef two():\n    return 2\n",
        app="from firmware.core.a import two\nfrom firmware.device import go\ndef start():\n    return go, two()\n",
        device="""
def go():
    from firmware.core.a import one, two
    return one() + two()
def begin():
    from firmware.app import start as first
    return first()
""",
    )
    assert device.go() == 3
    assert device.begin() == (device.go, 2)


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    global x\n    x = 1\n",
        "from firmware.core import a\ndef f():\n    return a\n",
        "from firmware.core.a import missing\ndef f():\n    return missing\n",
        "def f():\n    return [(y := x) for x in 'ab']\n",
        "import firmware.core.a\n",
        "import json as x\nfrom firmware.core.a import x as y\n",
        "def time():\n    return 1\n",
    ],
)
def test_modules_that_cannot_be_merged_without_a_change_are_refused(tmp_path, text):
    text = f"from firmware.core.a import g\n{text}"
    with pytest.raises(BundleError):
        bundler.sources(
            tree(
                tmp_path,
                core_a="import time as x\nimport time\ndef g():\n    return x, time\n",
                device=text + DEVICE,
            )
        )


def test_on_a_board_units_lie_in_one_folder_and_find_each_other(tmp_path):
    device = DEVICE + "def run():\n    from firmware.links.mqtt import answer\n    return answer()\n"
    root = tree(tmp_path, device=device)
    (root / "firmware/links").mkdir()
    (root / "firmware/links/mqtt.py").write_text("def answer():\n    return 'here'\n")
    found = bundler.bundled(root)
    assert "firmware/mqtt.mpy" in found and not [path for path in found if "links" in path]
    for path, code in found.items():
        target = tmp_path / "board" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(code)
    program = "from firmware.device import run\nprint(run())\n"
    done = subprocess.run(
        [*interpreter.find(32).argv, "-c", program],
        cwd=tmp_path / "board",
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout == "here\n", done.stderr


def test_two_units_that_would_have_one_path_on_a_board_are_refused(tmp_path):
    app = APP + 'def _link():\n    from firmware.links.heap import Link\nLINKS = {("a", "https"): _link}\n'
    root = tree(tmp_path, app=app, heap="")
    (root / "firmware/links").mkdir()
    (root / "firmware/links/heap.py").write_text("class Link:\n    pass\n")
    with pytest.raises(BundleError, match=r"firmware/heap\.mpy"):
        bundler.bundled(root)
