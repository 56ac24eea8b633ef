"""Modules that are loaded for a while: what comes, what goes, and whether that is noticed."""

import asyncio
import gc
import os
import sys

from tests_host.support.scripted import FakeClock
from units.loader import Unit
from units.tasks import start

ROOT = __file__.replace("\\", "/").rpartition("/")[0] + "/../../"
MEASURES = hasattr(gc, "mem_alloc")  # CPython does not tell what is in use
LARGE = "DATA = bytearray(20000)\nclass Part:\n    pass\n"


class Modules:
    """`files`: source by module name, importable within. They lie in a package of a new name, which they know as
    PACKAGE."""

    def __init__(self, files):
        self.files = files

    def __enter__(self):
        try:
            os.mkdir(ROOT + ".cache")
        except OSError:
            pass
        self.mark = "u%d" % int.from_bytes(os.urandom(5), "little")
        self.folder = ROOT + ".cache/" + self.mark
        self.package = self.folder + "/" + self.mark
        os.mkdir(self.folder)
        os.mkdir(self.package)
        for name in ["__init__"] + list(self.files):
            with open("%s/%s.py" % (self.package, name), "w") as f:
                f.write(self.files.get(name, "").replace("PACKAGE", self.mark))
        sys.path.insert(0, self.folder)
        self.clock = FakeClock()
        return self

    def __exit__(self, *_):
        sys.path.remove(self.folder)
        for name in self.loaded():
            del sys.modules[name]
        remove(self.folder)

    def unit(self, name, attribute=None):
        def importing():
            module = __import__(self.mark + "." + name)
            module = getattr(module, name)
            return getattr(module, attribute) if attribute else module

        return Unit(importing, self.clock.sleep_ms)

    def loaded(self):
        """Names of ours that are in memory, without that of the package."""
        return sorted([name for name in sys.modules if name.startswith(self.mark)])

    def names(self, *names):
        return sorted([self.mark] + ["%s.%s" % (self.mark, name) for name in names])


def remove(folder):
    for name in os.listdir(folder):
        path = folder + "/" + name
        try:
            os.remove(path)
        except OSError:
            remove(path)
    os.rmdir(folder)


def deep(call, n=12):
    """Call it so deep in the stack that what it leaves there is overwritten by `overwrite_the_stack`: the collector
    takes whatever looks like an address for one."""
    return list(map(lambda n: deep(call, n - 1) if n else call(), [n]))[0]  # noqa: C417, RUF015 - C's stack


def overwrite_the_stack(n=40):
    return list(map(lambda n: n and overwrite_the_stack(n - 1), [n]))[0]  # noqa: C417, RUF015 - C's stack


async def overwriting():
    await asyncio.sleep(0)
    overwrite_the_stack()


def load_and_drop(unit):
    def both():
        unit.load()
        unit.drop()

    deep(both)


GOES = sys.platform != "webassembly"
"""What `gone` says of modules that nobody refers to: a collection in node waits until the program is over."""


async def test_dropping_a_unit_removes_all_modules_it_imported():
    with Modules({"a": "from PACKAGE.b import Part\n", "b": LARGE}) as made:
        unit = made.unit("a")
        load_and_drop(unit)
        assert made.loaded() == []
        await asyncio.create_task(overwriting())
        assert await unit.gone() is GOES
        assert not MEASURES or unit.size > 20000


async def test_it_can_come_again():
    with Modules({"a": LARGE}) as made:
        unit = made.unit("a", "Part")
        for _ in range(3):
            assert unit.load().__name__ == "Part"
            assert made.loaded() == made.names("a")
            unit.drop()
            assert made.loaded() == []


async def test_modules_loaded_before_stay():
    with Modules({"a": "import PACKAGE.b\n", "b": "X = 1\n"}) as made:
        kept = made.unit("b")
        module = kept.load()
        load_and_drop(made.unit("a"))
        assert made.loaded() == made.names("b")
        assert sys.modules[made.mark + ".b"] is module
        assert getattr(sys.modules[made.mark], "b") is module  # noqa: B009 - the name is made up
        assert not hasattr(sys.modules[made.mark], "a")


async def test_a_referenced_unit_is_not_gone_until_the_reference_ends():
    with Modules({"a": LARGE}) as made:
        unit = made.unit("a")
        held = []
        deep(lambda: held.append(unit.load()))
        unit.drop()
        assert made.loaded() == []
        await asyncio.create_task(overwriting())
        assert await unit.gone() is not MEASURES
        assert not MEASURES or made.clock.waited_ms == 1000
        held.clear()
        await asyncio.create_task(overwriting())
        assert await unit.gone() is GOES


async def resting():
    await asyncio.sleep(10)


TASK = LARGE + "import asyncio\nasync def work():\n    await asyncio.sleep(20)\n"


async def test_a_task_that_ended_does_not_keep_its_code():
    with Modules({"a": TASK}) as made:
        unit = made.unit("a", "work")
        # Due before the other: in the loop's queue it is that one's neighbour, and stays where it is.
        neighbour = asyncio.create_task(resting())
        await asyncio.sleep(0)
        tasks = []
        deep(lambda: tasks.append(start(unit.load()())))
        await asyncio.sleep(0)
        tasks.pop().cancel()
        await asyncio.sleep(0)
        unit.drop()
        await asyncio.create_task(overwriting())
        assert await unit.gone() is GOES
        neighbour.cancel()


async def test_an_import_that_fails_halfway_leaves_nothing():
    for wrong, error in (("1 / 0\n", ZeroDivisionError), ("from PACKAGE.absent import X\n", ImportError)):
        with Modules({"a": "import PACKAGE.b\n" + wrong, "b": LARGE}) as made:
            unit = made.unit("a")
            caught = None
            try:
                unit.load()
            except (ZeroDivisionError, ImportError) as e:
                caught = e
            assert isinstance(caught, error)
            caught = None
            assert made.loaded() == []


async def test_two_units_remove_only_their_own_modules():
    with Modules({"a": "from PACKAGE.c import Part\n", "b": LARGE, "c": LARGE}) as made:
        first, second = made.unit("a"), made.unit("b")
        deep(lambda: first.load() and None)
        deep(lambda: second.load() and None)
        assert made.loaded() == made.names("a", "b", "c")
        second.drop()
        assert made.loaded() == made.names("a", "c")
        first.drop()
        assert made.loaded() == []
        await asyncio.create_task(overwriting())
        assert await second.gone() is GOES and await first.gone() is GOES


async def test_dropping_an_unloaded_unit_does_nothing():
    with Modules({"a": LARGE}) as made:
        unit = made.unit("a")
        assert await unit.gone()
        unit.drop()
        unit.load()
        unit.drop()
        unit.drop()
        assert made.loaded() == []
