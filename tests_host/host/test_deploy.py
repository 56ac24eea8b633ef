"""Deploys to the virtual board with the real mpremote: what travels, what stays, and a cable pulled out anywhere."""

import asyncio
import hashlib
import io
import json
import shutil

import pytest
from mpremote.transport_serial import SerialTransport
from rich.console import Console
from serial import SerialException

from tools.build.payload import conditions, slot_files, starters
from tools.cli.deploy import deploy, plan
from tools.common import Failed
from tools.env import interpreter
from tools.repository import ROOT
from tools.virtual_board.plant import Plant
from tools.virtual_board.virtual import VirtualBoard

pytestmark = pytest.mark.waits

TIMEOUT_S = 30
BOOT = (ROOT / "boot.py").read_bytes()
MAIN = b"from firmware import app\nprint('runs', app.V, app.W)\n"


def version(v, more=""):
    """A little firmware that says which one it is; one of its files is the same in all of them."""
    return {
        "firmware/__init__.py": b"",
        "firmware/app.py": b"from firmware.part import V\nfrom engine import W\n",
        "firmware/part.py": b"V = %d\n" % v,
        "lib/engine.py": b"W = 'lib'\n" + b"#" * 1500,
        **({f"firmware/{more}.py": b"#"} if more else {}),
    }


def rooted(config="{}", **certs):
    files = {"boot.py": BOOT, "main.py": MAIN, "config.json": config.encode()}
    return files | {f"certs/{name}.der": data for name, data in certs.items()}


class Bench:
    """A board with an empty flash and a cable."""

    def __init__(self, flash):
        flash.mkdir(exist_ok=True)
        self.flash = flash
        self.lines = []
        self.conditions = {}
        self.output = io.StringIO()
        self.board = VirtualBoard(flash, Plant(), interpreter.find(), on_line=self.lines.append)

    async def __aenter__(self):
        await self.board.power_on()
        self.url = await self.board.console.open()
        return self

    async def __aexit__(self, *_):
        await self.board.__aexit__()

    async def deploy(self, code, root, limit=None):
        """The plan that was carried out; with `limit` the cable is pulled out after so many written bytes."""

        def work():
            transport = SerialTransport(self.url)
            transport.serial = Cut(transport.serial, limit)
            try:
                return deploy(transport, code, root, Console(file=self.output, width=200), self.conditions)
            except Failed as failed:
                if isinstance(failed.__context__, CableOut):
                    raise CableOut from None
                raise
            finally:
                transport.close()

        return await asyncio.to_thread(work)

    async def expects(self, words):
        await self.board.until(lambda: words in self.lines, TIMEOUT_S)

    async def runs(self, v):
        """Wait until that version says so, after a restart."""
        await self.expects(f"runs {v} lib")
        assert self.lines[-1] == f"runs {v} lib", self.lines

    def record(self):
        return json.loads((self.flash / "slot.json").read_text())

    def slot(self, name):
        folder = self.flash / name
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class CableOut(SerialException):
    """Raised by Cut, and by nothing else: what pyserial raises for a cable pulled out is of this kind."""


class Cut:
    """A serial port whose cable is pulled out after `limit` written bytes, in the middle of a write if need be."""

    def __init__(self, port, limit):
        self._port, self._limit, self.written = port, limit, 0

    def write(self, data):
        if self._limit is not None and self.written + len(data) > self._limit:
            self._port.write(data[: self._limit - self.written])
            self.written = self._limit
            self._port.close()
            raise CableOut
        self.written += len(data)
        return self._port.write(data)

    def __getattr__(self, name):
        return getattr(self._port, name)


async def test_first_second_and_third_deploy(tmp_path):
    async with Bench(tmp_path / "flash") as bench:
        first = await bench.deploy(version(1, "old"), rooted(ca=b"one"))
        assert bench.record() == {"slot": "a"}  # nothing to go back to
        await bench.runs(1)
        assert first.target == "a" and bench.slot("a") == version(1, "old")

        again = await bench.deploy(version(1, "old"), rooted(ca=b"one"))
        assert not again and bench.record() == {"slot": "a"}

        bench.lines.clear()
        second = await bench.deploy(version(2), rooted('{"a": 1}', new=b"two"))
        assert sorted(second.sent) == ["b/firmware/part.py", "certs/new.der.new", "config.json.new"]
        await bench.runs(2)
        assert bench.slot("b") == version(2)
        assert bench.record() == {"slot": "b", "back": "a", "tries": 2}
        assert bench.slot("certs") == {"new.der": b"two"}

        bench.lines.clear()
        third = await bench.deploy(version(3), rooted('{"a": 1}', new=b"two"))
        assert third.target == "a" and sorted(third.sent) == ["a/firmware/part.py"]
        await bench.runs(3)
        assert bench.slot("a") == version(3)  # what was removed disappears
        assert sorted(p.name for p in bench.flash.iterdir()) == [
            "a", "b", "boot.json", "boot.py", "certs", "config.json", "main.py", "slot.json",
        ]  # fmt: skip


async def test_a_changed_configuration_does_not_change_the_slots(tmp_path):
    async with Bench(tmp_path / "flash") as bench:
        await bench.deploy(version(1), rooted())
        done = await bench.deploy(version(1), rooted('{"name": "x"}'))
        assert not done.target and list(done.sent) == ["config.json.new"]
        assert (bench.flash / "config.json").read_text() == '{"name": "x"}'
        assert not (bench.flash / "b").exists() and bench.record() == {"slot": "a"}


@pytest.mark.parametrize(("number", "config"), [(2, "{}"), (1, '{"name": "x"}')])
async def test_crashes_before_a_deploy_do_not_lead_to_safe_mode(tmp_path, number, config):
    """The firmware that crashed, or what it was configured to do, is no longer there."""
    async with Bench(tmp_path / "flash") as bench:
        await bench.deploy(version(1), rooted())
        await bench.runs(1)
        file = bench.flash / "boot.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"early": 8, "safe_mode": True}))
        await bench.deploy(version(1), rooted())
        await bench.runs(1)
        assert json.loads(file.read_text())["safe_mode"], "nothing is new"
        bench.lines.clear()
        await bench.deploy(version(number), rooted(config))
        await bench.runs(number)
        boots = json.loads(file.read_text())
        assert (boots["early"], boots["safe_mode"]) == (1, False)


async def test_without_a_configuration_the_boards_own_stays(tmp_path):
    async with Bench(tmp_path / "flash") as bench:
        await bench.deploy(version(1), rooted('{"name": "x"}', ca=b"one"))
        await bench.deploy(version(2), {"boot.py": BOOT, "main.py": MAIN})
        assert (bench.flash / "config.json").read_text() == '{"name": "x"}'
        assert bench.slot("certs") == {"ca.der": b"one"}


async def test_a_copy_in_the_root_keeps_working_and_is_the_fallback(tmp_path):
    flash = tmp_path / "flash"
    for path, data in (version(1) | rooted()).items():
        (flash / path).parent.mkdir(parents=True, exist_ok=True)
        (flash / path).write_bytes(data)
    bad = version(2) | {"firmware/app.py": b"import machine\nprint('dies')\nmachine.reset()\n"}
    async with Bench(flash) as bench:
        await bench.runs(1)
        bench.lines.clear()
        await bench.deploy(bad, rooted())
        await bench.runs(1)
        assert bench.lines == ["dies"] * 3 + ["runs 1 lib"]
        assert bench.record() == {"slot": "", "failed": "a", "number": 0}

        # What runs is another version than what was sent: sent again it is chosen again, and not "nothing changed".
        bench.lines.clear()
        again = await bench.deploy(bad, rooted())
        assert again.target == "a" and not again.sent
        await bench.runs(1)
        assert bench.lines == ["dies"] * 3 + ["runs 1 lib"]


@pytest.mark.thorough
async def test_a_cable_pulled_out_anywhere_leaves_the_old_version(tmp_path):
    """Cut in every message; afterwards the board boots the old version until the record says otherwise."""
    old, new = version(1), version(2)
    async with Bench(tmp_path / "flash") as bench:
        await bench.deploy(old, rooted())
        await bench.deploy(version(7), rooted())  # fills slot b, so that leftovers are in the way
        bench.lines.clear()
        await bench.deploy(old, rooted())
        await bench.runs(1)
        (bench.flash / "slot.json").write_text('{"slot": "a", "back": "b"}')  # the firmware trusts itself
        await bench.board.power_off()
        before = tmp_path / "before"
        shutil.copytree(bench.flash, before)
        limit, olds, runs = 0, 0, ""
        interesting = (
            (ROOT / "tools/serial/board_files.py").stat().st_size
        )  # what comes first, and changes nothing
        while runs != "runs 2 lib":
            shutil.rmtree(bench.flash)
            shutil.copytree(before, bench.flash)
            await bench.board.power_on()
            with pytest.raises(CableOut):
                await bench.deploy(new, rooted('{"name": "x"}'), limit)
            await bench.board.power_off()
            bench.lines.clear()
            await bench.board.power_on()
            await bench.board.until(lambda: any("runs" in line for line in bench.lines), TIMEOUT_S)
            await bench.board.power_off()
            (runs,) = bench.lines
            assert runs in ("runs 1 lib", "runs 2 lib"), limit
            olds += runs == "runs 1 lib"
            assert bench.slot("a") == version(1)
            limit = max(limit + 17, interesting)
        assert olds > 15
        assert bench.slot("b") == new and (bench.flash / "config.json").read_text() == '{"name": "x"}'


async def test_files_that_do_not_fit_are_refused_before_anything_is_sent(tmp_path):
    async with Bench(tmp_path / "flash") as bench:
        await bench.deploy(version(1), rooted())
        with pytest.raises(Failed, match=r"file system has 2048 KB, and 2\d\d\d KB are needed"):
            await bench.deploy(version(2) | {"lib/big.py": bytes(2 << 20)}, rooted())
        assert bench.record() == {"slot": "a"} and not bench.slot("b")
        await bench.deploy(version(2) | {"lib/big.py": b"#" * 100_000}, rooted())
        assert bench.record()["slot"] == "b"


async def test_an_interrupted_deploy_goes_on_where_it_was(tmp_path):
    async with Bench(tmp_path / "flash") as bench:
        await bench.deploy(version(1), rooted())
        with pytest.raises(CableOut):
            await bench.deploy(version(2) | {"lib/big.py": bytes(9000)}, rooted(), limit=14000)
        done = await bench.deploy(version(2) | {"lib/big.py": bytes(9000)}, rooted())
        assert sorted(done.sent) == ["b/lib/big.py"]


async def test_the_slot_to_fill_is_no_fallback_any_more(tmp_path):
    """Before the other copy is overwritten, the record stops naming it: nothing must fall back to a half."""
    async with Bench(tmp_path / "flash") as bench:
        await bench.deploy(version(1), rooted())
        await bench.deploy(version(2), rooted())
        assert bench.record()["back"] == "a"
        with pytest.raises(CableOut):
            await bench.deploy(version(3) | {"lib/big.py": bytes(9000)}, rooted(), limit=14000)
        assert bench.record() == {"slot": "b"}


async def test_roots_of_a_bundle_that_the_configuration_does_not_name_are_said_before_they_go(tmp_path):
    root = rooted(now=b"the present root")
    root["config.json"] = json.dumps({"cloud": {"ca_files": ["certs/now.der"]}}).encode()
    async with Bench(tmp_path / "flash") as bench:
        bundle = {"firmware/certs/now.der": b"the present root", "firmware/certs/next.der": b"the next root"}
        await bench.deploy(version(1) | bundle, root)
        await bench.deploy(version(1) | bundle, root)
        assert "warning" not in bench.output.getvalue(), "nothing goes"
        await bench.deploy(version(2), root)
    (warning,) = (line for line in bench.output.getvalue().splitlines() if line.startswith("warning"))
    assert "next.der" in warning


def seen(slot, files, plain=False):
    sums = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    return {"sums": sums, "slot": slot, "plain": plain, "free": 1, "block": 1, "rom": None}


def test_a_plan_never_writes_into_the_active_slot():
    code = version(1)
    for active, target in (("a", "b"), ("b", "a"), (None, "a"), ("x", "a"), ("", "a")):
        made = plan(seen({"slot": active}, {}), code, {})
        assert made.target == target
        assert {path[0] for path in [*made.sent, *made.copies, *made.stale]} == {target}


def test_a_plan_takes_moved_files_from_the_board():
    there = {f"a/{path}": data for path, data in version(1).items()}
    code = version(1)
    code["lib/moved.py"] = code.pop("lib/engine.py")
    made = plan(seen({"slot": "a"}, there), code, {})
    assert made.copies["b/lib/moved.py"] == "a/lib/engine.py" and not made.sent


def test_the_payload_contains_exactly_this_tree():
    code = slot_files(ROOT)
    assert {path.split("/")[0] for path in code} == {"firmware"}
    units = {path for path in code if path.endswith(".mpy")}
    texts = code.keys() - units
    assert texts and {path.removesuffix("txt") + "mpy" for path in texts} <= units
    assert {path.rpartition(".")[2] for path in texts} == {"txt"}
    assert code["firmware/app.mpy"][:1] == b"M"
    assert starters(ROOT)["boot.py"] == BOOT


def test_a_configuration_that_does_without_a_unit_does_without_its_texts():
    desired = conditions(ROOT)
    texts = [path for path in slot_files(ROOT) if path.endswith(".txt")]
    assert "firmware/transport_steps.txt" in texts
    assert {path: desired.get(path) for path in texts} == {
        path: desired.get(path.removesuffix("txt") + "mpy") for path in texts
    }
