"""The import arrows and house rules, each broken once in a made-up device tree."""

from itertools import product
from pathlib import Path

import pytest

from tools.checks import layers

GOOD = {
    "boot.py": "import json, machine\ntry:\n    print(json.loads('1'))\nexcept ValueError:\n    machine.reset()\n",
    "main.py": "import machine\nfrom firmware import device, heap\n"
    "try:\n    device.run()\nexcept Exception:\n    pass\n",
    "firmware/__init__.py": "",
    "firmware/device.py": "import time\nfrom firmware.core import ticks\ndef run():\n    from firmware import start\n",
    "firmware/start.py": "import gc\nfrom firmware import app\n",
    "firmware/heap.py": "import gc\ndef grow():\n    import _thread, esp32\n    print(1)\n",
    "firmware/app.py": "import http1.client\nfrom firmware.drivers import relay\nload = lambda n: __import__(n)\n",
    "firmware/core/ticks.py": "import math\nfrom micropython import const\n_A = const(1)\nROWS = ((1, 2), (3, 4))\n",
    "firmware/core/lease.py": "from firmware.core import ticks\nclass Lease:\n    rows = ticks.ROWS\n",
    "firmware/cloud/dialect.py": "import json\nfrom firmware.core.safety import Lease\n",
    "firmware/drivers/relay.py": "import machine\nfrom firmware.core import ticks\n",
    "firmware/links/https.py": "import asyncio\nimport http1.client\nfrom firmware.cloud import dialect\n",
    "firmware/runtime/log.py": "import sys\ndef log(text):\n    print(text)\n",
    "firmware/runtime/supervisor.py": "def f(g):\n    try:\n        g()\n    except Exception:\n        pass\n",
    "lib/http1/parser.py": "import re, collections\nROW = collections.namedtuple('R', ())\nA = re.compile('a')\n",
    "lib/http1/client.py": "import asyncio\nfrom http1 import parser\nfrom netio.errors import NetError\n",
    "lib/netio/errors.py": "class NetError(Exception):\n    pass\n",
}
"""The smallest device tree that uses all that is allowed."""


def plant(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    plant(tmp_path, GOOD)
    return tmp_path


_SOME = ("firmware/app.py", "firmware/runtime/x.py", "firmware/links/x.py", "lib/http1/client.py")
_PURE = ("firmware/core/x.py", "firmware/cloud/x.py", "lib/http1/x.py")
FOUND = {
    "may not import": [
        ("firmware/core/x.py", "from firmware.cloud import dialect"),
        ("firmware/core/x.py", "import firmware.drivers.relay"),
        ("firmware/core/x.py", "import http1.parser"),
        ("firmware/cloud/x.py", "from firmware.links import https"),
        ("firmware/cloud/x.py", "from http1.parser import Row"),
        ("firmware/drivers/x.py", "from firmware import runtime"),
        ("firmware/runtime/x.py", "import firmware.drivers.relay"),
        ("firmware/runtime/x.py", "import netio.errors"),
        ("firmware/links/x.py", "def f():\n    from firmware.runtime import log"),
        ("firmware/links/x.py", "from firmware import app"),
        ("lib/http1/x.py", "from firmware.core import ticks"),
        ("lib/netio/stream.py", "import network"),
        ("boot.py", "from firmware.core import ticks"),
        ("boot.py", "import asyncio"),
        ("main.py", "import firmware.drivers.relay"),
        # Only drivers touch hardware, and the device lacks some modules altogether.
        *product(_SOME, ("import machine", "import network", "import esp32", "import neopixel")),
        *product(_SOME, ("def f():\n    import typing", "def f():\n    import logging", "import contextlib")),
    ],
    "pure": list(
        product(_PURE, ("import time", "import asyncio", "import socket", "import os", "import gc"))
    ),
    "sans-I/O": [
        ("lib/netio/x.py", text)
        for text in ("import http1.client", "from http1 import client", "from http1.client import Client")
    ],
    "catch-all": [
        (file, f"def f():\n    try:\n        pass\n    {handler}\n        pass")
        for file in (*_SOME, "firmware/runtime/loop.py", "boot.py")
        for handler in (
            "except:",
            "except Exception:",
            "except (OSError, Exception) as e:",
            "except BaseException:",
        )
    ],
    "at import": [
        (file, text)
        for file in ("firmware/app.py", "firmware/core/x.py", "lib/http1/client.py")
        for text in (
            "LOG = make()",
            "LOG: object = make()",
            "A, B = 1, [make()]",
            "make()",
            "if 1:\n    A = make()",
            "class A:\n    b = make()",
        )
    ],
    "b is not created in __init__": [
        ("firmware/core/x.py", text)
        for text in (
            "class A:\n    a = 1\n    def f(self):\n        self.a, (self.b, _) = 1, (2, 3)",
            "class A:\n    def f(self):\n        self.b = 1",
            "class A:\n    def f(self, other):\n        self.__init__()\n        other.b += 1",
            "def f(other):\n    other.b = 1",
        )
    ],
    "b is a method": [
        ("firmware/core/x.py", text)
        for text in (
            "class A:\n    def b(self):\n        self.b = 1",
            "class A:\n    async def b(self):\n        pass\ndef f(other):\n    other.b = f",
            "class A:\n    def b(self):\n        pass\ndef f(g):\n    A.b = g",
        )
    ],
    "stays empty": [("lib/http1/__init__.py", "A = 1"), ("firmware/__init__.py", "A = 1")],
    "no part of the device": [("firmware/gadgets/x.py", "A = 1")],
    "build may not import tools/cli": [("tools/build/x.py", "from tools.cli import deploy")],
    "cloud may not import tools/sim": [("tools/cloud/x.py", "def f():\n    import tools.sim.net")],
    "no arrows": [("tools/gadgets/x.py", "A = 1")],
}
"""What a finding says -> files, and what in them it is about."""


@pytest.mark.parametrize(
    ("output", "file", "text"), [(output, *pair) for output, pairs in FOUND.items() for pair in pairs]
)
def test_what_breaks_a_rule_is_found_once(tree: Path, output: str, file: str, text: str):
    assert_found_once(tree, file, text, output)


def test_the_firmware_must_not_import_plain_connections(tree: Path):
    plant(tree, {"lib/netio/standalone.py": "import network\nfrom netio.errors import NetError\n"})
    assert layers.check(tree) == []
    for file in ("firmware/app.py", "firmware/links/x.py", "firmware/portal_site.py"):
        for text in ("from netio.standalone import Network", "def f():\n    import netio.standalone"):
            assert_found_once(tree, file, text, "without TLS")


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("print('x')", "print"),
        ("def f():\n    print('x')", "print"),
        ("def f():\n    return __import__('machine')", "__import__"),
        ("from . import ticks", "relative"),
        ("from ..core import ticks", "relative"),
        ("class A:\n    __slots__ = ('a',)", "__slots__"),
        ("def f():\n    raise ValueError('a') from None", "raise"),
        ("def f(b):\n    del b[:2]", "del"),
        ("async def f():\n    yield 1", "async generator"),
        ("def f(x, y):\n    return getattr(x, 'do_' + y)", "getattr"),
        ("async def f(lock):\n    async with lock:\n        pass", "async with"),
        ("import asyncio\nasync def f(x):\n    await asyncio.wait_for(x, 1)", "wait_for"),
    ],
)
def test_a_construct_that_is_wrong_on_the_device_is_found(tree: Path, text: str, output: str):
    plant(tree, {"firmware/core/x.py": text})
    assert output in " ".join(finding.text for finding in layers.check(tree))


FAR = "from firmware.core import near\n"


def test_a_circle_of_imports_at_the_top_is_found_on_the_device(tree: Path):
    plant(tree, {"firmware/core/near.py": "import math\nfrom firmware.core import far\n"})
    assert_found_once(tree, "firmware/core/far.py", FAR, "far -> firmware.core.near -> firmware.core.far")
    plant(tree, {"lib/http1/near.py": "from http1.far import A\n", "firmware/core/far.py": ""})
    assert_found_once(tree, "lib/http1/far.py", "class B:\n    import http1.near", "http1.far -> http1.near")


@pytest.mark.parametrize(
    "text",
    [
        "from tools.far import A",
        "import tools.far",
        "def f():\n    from tools import far",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tools.far import A",
    ],
)
def test_a_circle_of_any_imports_is_found_in_the_tools(tree: Path, text: str):
    plant(tree, {"tools/far.py": "from tools.between import A\n", "tools/between.py": "import tools.near\n"})
    (finding,) = assert_circles(tree, {"tools/near.py": text})
    assert finding.text.count("tools.") == 4 and finding.text.endswith(finding.text.split()[3])


def test_each_circle_is_found_once(tree: Path):
    files = {"tools/a.py": "import tools.b, tools.c\n", "tools/b.py": "import tools.a\n"}
    more = {"tools/c.py": "import tools.a\n", "tests_host/support/d.py": "import tools.d\n"}
    found = assert_circles(tree, files | more | {"tools/d.py": "import tests_host.support.d\n"})
    assert len(found) == 3


def assert_circles(tree: Path, files: dict[str, str]) -> list[layers.Finding]:
    """The findings when these files are there, which are about circles only, and none about the same import."""
    plant(tree, files)
    found = layers.check(tree)
    assert all("circle of imports" in finding.text for finding in found)
    return found


def test_findings_are_sorted_and_carry_their_line(tree: Path):
    plant(
        tree, {"lib/http1/parser.py": "\n\nimport time\nimport os\n", "firmware/core/ticks.py": "import gc\n"}
    )
    found = [(str(finding.path), finding.line) for finding in layers.check(tree)]
    assert found == [("firmware/core/ticks.py", 1), ("lib/http1/parser.py", 3), ("lib/http1/parser.py", 4)]


def assert_found_once(tree: Path, file: str, text: str, output: str) -> None:
    """Put the text into the file: exactly one finding, in that file. The file is put back afterwards."""
    plant(tree, {file: text + "\n"})
    (finding,) = layers.check(tree)
    assert finding.path.as_posix() == file
    assert output in finding.text
    plant(tree, {file: GOOD.get(file, "")})
