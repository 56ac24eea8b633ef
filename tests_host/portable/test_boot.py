"""boot.py as the device runs it: its text, in a flash folder of its own, on a chip that remembers every level."""

import json
import os
import sys
import time

from tests_host.support import fakemachine
from tests_host.support.fakemachine import Uname

ROOT = __file__.replace("\\", "/").rpartition("/")[0] + "/../../"
PUMP = {"gpio": 16, "active": "high"}
HEATER = {"gpio": 17, "active": "low", "boot": "off", "safe": 8.0}


class Flash:
    """An empty folder as the current one."""

    def __init__(self):
        self.home = os.getcwd()
        if ".cache" not in os.listdir(ROOT):
            try:
                os.mkdir(ROOT + ".cache")
            except OSError:
                pass  # another test run was faster
        self.folder = ROOT + ".cache/boot-%d" % int.from_bytes(os.urandom(6), "little")

    def __enter__(self):
        with open(ROOT + "boot.py") as f:
            self.text = f.read()
        os.mkdir(self.folder)
        os.chdir(self.folder)
        return self

    def __exit__(self, *_):
        os.chdir(self.home)
        for name in os.listdir(self.folder):
            try:
                os.remove(self.folder + "/" + name)
            except OSError:
                os.rmdir(self.folder + "/" + name)
        os.rmdir(self.folder)

    def write(self, name, content):
        with open(name, "w") as f:
            f.write(content if isinstance(content, str) else json.dumps(content))

    def read(self, name="boot.json"):
        with open(name) as f:
            return json.loads(f.read())

    def boot(self, cause=3, machine=None):
        """Levels driven, in order. `cause`: of the reset, the watchdog's unless given. `chosen`: what was put in front
        of the search path. `machine`: what MicroPython says it runs on, None: a computer."""
        chip = fakemachine.install(every_pin=machine is not None)
        chip.cause = cause
        path = sys.path[:]
        if machine:
            sys.modules["os"] = Uname(machine)
        try:
            exec(self.text, {"__name__": "__main__"})
            self.chosen = sys.path[: len(sys.path) - len(path)]
        finally:
            sys.path[:] = path
            sys.modules["os"] = os
        return chip.history


def test_every_output_goes_to_its_boot_level():
    for active, boot, level in (("high", "off", 0), ("high", "on", 1), ("low", "off", 1), ("low", "on", 0)):
        with Flash() as flash:
            flash.write("config.json", {"outputs": [{"gpio": 16, "active": active, "boot": boot}]})
            assert flash.boot() == [(16, level)]
    with Flash() as flash:
        flash.write("config.json", {"outputs": [{"gpio": 16}, HEATER]})
        assert flash.boot() == [(16, 0), (17, 1)]


def test_a_byte_order_mark_is_ignored():
    with Flash() as flash:
        with open("config.json", "wb") as f:
            f.write(b"\xef\xbb\xbf" + json.dumps({"outputs": [{"gpio": 16}, HEATER]}).encode())
        assert flash.boot() == [(16, 0), (17, 1)]
        assert flash.read()["outputs"] == [[16, 0, 0], [17, 1, 1]]


def test_the_example_configuration():
    with Flash() as flash:
        with open(ROOT + "config.example.json") as f:
            flash.write("config.json", f.read())
        assert flash.boot() == [(16, 0), (17, 1)]


def test_an_empty_flash():
    with Flash() as flash:
        assert flash.boot() == []
        assert flash.read()["boots"] == 1 and flash.read()["early"] == 1


def test_boots_are_counted_and_the_levels_kept():
    with Flash() as flash:
        flash.write("config.json", {"outputs": [PUMP, HEATER]})
        for n in (1, 2, 3):
            flash.boot()
            record = {"boots": n, "early": n, "safe_mode": False, "outputs": [[16, 0, 0], [17, 1, 1]]}
            assert flash.read() == record
        kept = flash.read()
        kept["early"] = 0
        flash.write("boot.json", kept)
        flash.boot()
        assert flash.read()["boots"] == 4 and flash.read()["early"] == 1


def test_after_too_many_early_boots_outputs_go_to_their_safe_state():
    outputs = [
        {"gpio": 16, "active": "high", "boot": "off", "safe": "on"},
        {"gpio": 17, "active": "low", "boot": "on", "safe": "off"},
        {"gpio": 18, "active": "low", "boot": "on", "safe": "hold"},
        {"gpio": 19, "active": "high", "boot": "on", "safe": 8.0},
        {"gpio": 21, "active": "high", "boot": "on"},
        {"gpio": 22, "active": "low", "boot": "on", "safe": {}},
    ]
    normal = [(16, 0), (17, 0), (18, 0), (19, 1), (21, 1), (22, 0)]
    safe = [(16, 1), (17, 1), (18, 0), (19, 0), (21, 0), (22, 1)]
    with Flash() as flash:
        flash.write("config.json", {"outputs": outputs})
        for _ in range(5):
            assert flash.boot() == normal
            assert flash.read()["safe_mode"] is False
        for _ in range(2):
            assert flash.boot() == safe
            assert flash.read()["safe_mode"] is True
        record = [[boot[0], boot[1], then[1]] for boot, then in zip(normal, safe)]
        assert flash.read()["outputs"] == record
        # The record is as good as the configuration.
        os.remove("config.json")
        assert flash.boot() == safe
        assert flash.read()["outputs"] == record
        flash.write("boot.json", {"boots": 7, "early": 0, "outputs": record})
        assert flash.boot() == normal


def test_power_cuts_do_not_count_as_crashes():
    with Flash() as flash:
        flash.write("config.json", {"outputs": [dict(PUMP, safe="on")]})
        for n in range(1, 13):
            assert flash.boot(cause=1) == [(16, 0)]
            assert (flash.read()["boots"], flash.read()["early"]) == (n, 0)
        for early in range(1, 6):
            assert flash.boot(cause=early % 2 + 2) == [(16, 0)] and flash.read()["early"] == early
            flash.boot(cause=1)
            assert flash.read()["early"] == early, "nor do they make deaths forgotten"
        assert flash.boot(cause=2) == [(16, 1)] and flash.read()["safe_mode"]
        assert flash.boot(cause=1) == [(16, 1)] and flash.read()["safe_mode"]


def test_only_a_watchdog_and_a_reset_by_the_chip_or_the_firmware_count_as_crashes():
    """Unknown (0) is a glitch of the supply, or USB; mpremote does a soft reset for each of its commands."""
    for cause, counted in ((0, 0), (1, 0), (2, 1), (3, 1), (4, 0), (5, 0), (9, 0)):
        with Flash() as flash:
            flash.write("config.json", {"outputs": [dict(PUMP, safe="on")]})
            for n in range(1, 8):
                flash.boot(cause=cause)
                assert flash.read()["early"] == n * counted, cause
            assert flash.read()["safe_mode"] == bool(counted), cause


def test_a_copy_on_trial_that_hangs_is_rolled_back_after_power_cuts_too():
    with Flash() as flash:
        flash.write("slot.json", {"slot": "b", "back": "a", "tries": 2})
        for _ in range(3):
            flash.boot(cause=1)
        assert flash.chosen == A


def test_an_interlocked_output_is_off_first_and_has_no_other_level_in_the_record():
    up = {"gpio": 18, "interlock": "shutter", "boot": "on", "safe": "on", "interlock_wait_ms": 30}
    down = {"gpio": 19, "interlock": "shutter", "active": "low", "safe": "on"}
    with Flash() as flash:
        flash.write("config.json", {"outputs": [up, PUMP, down]})
        start = time.time()
        assert flash.boot() == [(18, 0), (16, 0), (19, 1), (18, 1)]
        assert time.time() - start < 5
        assert flash.read()["outputs"] == [[16, 0, 0], [18, 0, 0], [19, 1, 1]]
        flash.write("boot.json", dict(flash.read(), early=9))
        assert flash.boot() == [(18, 0), (16, 0), (19, 1)], "safe mode"
        flash.write("config.json", "{")
        flash.write("boot.json", dict(flash.read(), early=0))
        assert sorted(flash.boot()) == [(16, 0), (18, 0), (19, 1)]
    with Flash() as flash:
        flash.write("config.json", {"outputs": [dict(up, active="low", interlock_wait_ms=None)]})
        assert flash.boot() == [(18, 1), (18, 0)], "half a second by default"
    with Flash() as flash:
        flash.write("config.json", {"outputs": [dict(up, interlock=None)]})
        assert flash.boot() == [(18, 1)]


def test_null_stands_for_the_default():
    with Flash() as flash:
        nothing = {"gpio": 17.0, "active": None, "boot": None, "safe": None, "interlock": None}
        flash.write("config.json", {"outputs": [nothing]})
        assert flash.boot() == [(17, 0)]
        assert flash.read()["outputs"] == [[17, 0, 0]]
        for none in ({"cloud": {}, "outputs": None}, {"cloud": {}}):
            flash.write("boot.json", {"boots": 1, "early": 0, "outputs": [[16, 1, 1]]})
            flash.write("config.json", none)
            assert flash.boot() == [] and flash.read()["outputs"] == []


def test_without_a_usable_config_the_last_good_levels_are_driven():
    kept = {"boots": 9, "early": 0, "outputs": [[16, 0, 1], [17, 1, 1]]}
    for content in (
        None, "", "{", "[]", "null", '{"outputs": null}', '{"name": "cut off"}', '{"outputs": {}}',
        '{"outputs": {"gpio": 18}}', '"text"', "7",
    ):  # fmt: skip
        with Flash() as flash:
            flash.write("boot.json", kept)
            if content is not None:
                flash.write("config.json", content)
            assert flash.boot() == [(16, 0), (17, 1)], content
            assert flash.read()["outputs"] == kept["outputs"] and flash.read()["boots"] == 10, content


BAD_ITEMS = (
    None, 7, "text", [], [18], [[18], 1, 1], [18, 1], {}, {"gpio": None}, {"gpio": "18"}, {"gpio": True},
    {"gpio": False}, {"gpio": 18.5}, {"gpio": 6.0}, {"gpio": -1}, {"gpio": 6}, {"gpio": 11}, {"gpio": 20},
    {"gpio": 34}, {"gpio": 39}, {"gpio": 1}, {"gpio": 3}, {"gpio": 1e30}, {"gpio": 10**30},
    {"gpio": 18, "active": "LOW"}, {"gpio": 18, "active": []}, {"gpio": 18, "boot": "ON"},
    {"gpio": 18, "boot": 1},
)  # fmt: skip


def test_one_bad_item_stops_no_other_and_is_not_driven_by_guess():
    for bad in BAD_ITEMS:
        with Flash() as flash:
            flash.write("config.json", {"outputs": [PUMP, bad, HEATER]})
            assert flash.boot() == [(16, 0), (17, 1)], bad


def test_a_bad_item_falls_back_to_the_last_good_config():
    with Flash() as flash:
        flash.write("boot.json", {"boots": 1, "early": 0, "outputs": [[16, 1, 1], [18, 1, 1]]})
        flash.write("config.json", {"outputs": [PUMP, {"gpio": 18, "active": "LOW"}]})
        for _ in range(2):
            assert flash.boot() == [(16, 0), (18, 1)]
            assert flash.read()["outputs"] == [[16, 0, 0], [18, 1, 1]]


def test_a_removed_output_is_not_driven_any_more():
    with Flash() as flash:
        flash.write("boot.json", {"boots": 1, "early": 0, "outputs": [[16, 0, 0], [18, 1, 1]]})
        flash.write("config.json", {"outputs": []})
        assert flash.boot() == []
        assert flash.read()["outputs"] == []


def test_a_broken_count_starts_anew():
    for content in ("", "{", "[1]", "7", '{"boots": "x", "early": null, "outputs": 5}', '{"boots": true}'):
        with Flash() as flash:
            flash.write("config.json", {"outputs": [PUMP]})
            flash.write("boot.json", content)
            assert flash.boot() == [(16, 0)], content
            assert (flash.read()["boots"], flash.read()["early"]) == (1, 1), content
            assert flash.read()["outputs"] == [[16, 0, 0]], content


def test_broken_last_levels_are_survived():
    for outputs in (5, None, "text", {}, [5], [[6, 1, 1]], [[None, 1, 1]], [[18]], [[18, 1]]):
        with Flash() as flash:
            flash.write("boot.json", {"boots": 1, "early": 0, "outputs": outputs})
            assert flash.boot() == [], outputs
            assert flash.read()["boots"] == 2 and flash.read()["outputs"] == []


def test_a_flash_that_refuses_writes_does_not_stop_the_boot():
    with Flash() as flash:
        os.mkdir("boot.json")
        flash.write("config.json", {"outputs": [PUMP]})
        assert flash.boot() == [(16, 0)]
        assert sorted(os.listdir(".")) == ["boot.json", "config.json"]


def test_a_record_that_a_cut_shortened_is_survived():
    with Flash() as flash:
        flash.write("config.json", {"outputs": [PUMP]})
        flash.boot()
        with open("boot.json") as f:
            whole = f.read()
        for size in range(len(whole)):
            flash.write("boot.json", whole[:size])
            assert flash.boot() == [(16, 0)]
            # MicroPython's json finds the count in a text without its end.
            assert flash.read()["boots"] in (1, 2) and flash.read()["early"] in (1, 2)
            assert flash.read()["outputs"] == [[16, 0, 0]]
        assert sorted(os.listdir(".")) == ["boot.json", "config.json"]


def test_deeply_nested_json_is_survived():
    with Flash() as flash:
        flash.write("config.json", "[" * 5000)
        flash.write("boot.json", {"boots": 1, "early": 0, "outputs": [[16, 1, 0]]})
        assert flash.boot() == [(16, 1)]


A, B, ROOT_COPY = ["/a", "/a/lib"], ["/b", "/b/lib"], []


def test_the_record_chooses_the_copy_that_runs():
    for content, chosen in (
        (None, ROOT_COPY),
        ({}, ROOT_COPY),
        ({"slot": ""}, ROOT_COPY),
        ({"slot": "a"}, A),
        ({"slot": "b", "back": "a"}, B),
    ):
        with Flash() as flash:
            if content is not None:
                flash.write("slot.json", content)
            for _ in range(9):
                flash.boot()
                assert flash.chosen == chosen, content
            assert content is None or flash.read("slot.json") == content


def test_a_copy_on_trial_has_limited_starts_before_the_rollback():
    for tries in (1, 3):
        for back, chosen in (("a", A), ("", ROOT_COPY)):
            with Flash() as flash:
                flash.write("slot.json", {"slot": "b", "back": back, "tries": tries})
                for left in range(tries - 1, -1, -1):
                    flash.boot()
                    assert flash.chosen == B and flash.read("slot.json")["tries"] == left
                for _ in range(3):
                    flash.boot()
                    assert flash.chosen == chosen
                    assert flash.read("slot.json") == {"slot": back, "failed": "b", "number": 0}
                assert flash.read()["early"] == 3


def test_a_rollback_ends_safe_mode():
    with Flash() as flash:
        flash.write("config.json", {"outputs": [PUMP]})
        flash.write("boot.json", {"boots": 9, "early": 5})
        flash.write("slot.json", {"slot": "a", "back": "b", "tries": 0, "was": 6})
        flash.boot()
        assert flash.chosen == B and flash.read("slot.json")["number"] == 6
        assert flash.read()["safe_mode"] is False and flash.read()["early"] == 1


def test_a_broken_choice_is_survived_and_stops_no_output():
    for content in (
        "", "{", "[]", "null", "7", '{"slot": null}', '{"slot": 7}', '{"slot": ["a"]}', '{"slot": "/a"}',
        '{"slot": "firmware"}', '{"tries": 0}', '{"tries": -5, "slot": {}}', '{"slot": "", "tries": "x"}',
        '{"slot": "", "tries": true}',
    ):  # fmt: skip
        with Flash() as flash:
            flash.write("config.json", {"outputs": [PUMP]})
            flash.write("slot.json", content)
            for _ in range(2):
                assert flash.boot() == [(16, 0)], content
                assert flash.chosen == ROOT_COPY, content
            assert flash.read()["boots"] == 2


class Rom:
    """`vfs` of an image with a ROM partition; copies begin at `copies`. `mounted`: by folder, the offset."""

    def __init__(self, *copies):
        self.mounted = {"/rom": "what MicroPython found"}
        data = bytearray(4096)
        for at in copies:
            data[at : at + 3] = b"\xd2\xcd\x31"
        self.rom_ioctl = lambda command, segment: data if (command, segment) == (2, 0) else -22
        self.data = data

    def VfsRom(self, view):
        if bytes(view[:3]) != b"\xd2\xcd\x31":
            raise OSError(19)
        return len(self.data) - len(view)

    def mount(self, copy, folder):
        assert folder not in self.mounted
        self.mounted[folder] = copy

    def umount(self, folder):
        del self.mounted[folder]


class Stock:
    """`vfs` of an image without one."""


def boot_with(module, record):
    """What boot.py chose and what it left in slot.json, with that `vfs`."""
    there = sys.modules.get("vfs")
    sys.modules["vfs"] = module
    try:
        with Flash() as flash:
            flash.write("config.json", {"outputs": [PUMP]})
            flash.write("slot.json", record)
            assert flash.boot() == [(16, 0)]
            return flash.chosen, flash.read("slot.json")
    finally:
        del sys.modules["vfs"]
        if there:
            sys.modules["vfs"] = there


ROM = ["/rom", "/rom/lib"]


def test_a_copy_in_the_rom_partition_replaces_the_mount_of_micropython():
    for at in (0, 1024, 2048):
        rom = Rom(0, 1024, 2048)
        record = {"slot": "rom:%d" % at, "back": "a"}
        assert boot_with(rom, record) == (ROM, record)
        assert rom.mounted == {"/rom": at}


def test_a_copy_in_a_folder_wins_over_the_partition():
    rom = Rom(0)
    assert boot_with(rom, {"slot": "a", "back": "rom:0"})[0] == A
    assert rom.mounted == {"/rom": "what MicroPython found"}


def test_without_the_copy_or_the_partition_the_one_before_is_back():
    gone = {"slot": "rom:1024", "back": "rom:0", "was": 4, "number": 5}
    back = {"slot": "rom:0", "failed": "rom:1024", "number": 4}
    assert boot_with(Rom(0), gone) == (ROM, back)
    for module in (Stock(), Rom(0)):
        record = {"slot": "rom:1024", "back": "b"}
        assert boot_with(module, record) == (B, {"slot": "b", "failed": "rom:1024", "number": 0})
        assert boot_with(module, {"slot": "rom:1024"}) == (ROOT_COPY, {"slot": "rom:1024"})


def test_a_copy_on_trial_in_the_partition_gives_way_to_the_other_one():
    rom = Rom(0, 1024)
    trial = {"slot": "rom:1024", "back": "rom:0", "tries": 0}
    assert boot_with(rom, trial) == (ROM, {"slot": "rom:0", "failed": "rom:1024", "number": 0})
    assert rom.mounted == {"/rom": 0}


def test_a_broken_offset_is_survived():
    for slot in ("rom:", "rom:x", "rom:-5", "rom:99999", "rom:1e3", "rom:" + "9" * 40):
        assert boot_with(Rom(0), {"slot": slot}) == (ROOT_COPY, {"slot": slot}), slot
        assert boot_with(Rom(0), {"slot": slot, "back": "a"})[0] == A, slot


MACHINES = (
    ("Generic ESP32 module with ESP32", 33, 34),
    ("Generic ESP32 module with ESP32-D2WD", 33, 6),
    ("TinyPICO with ESP32-PICO-D4", 13, 11),
    ("Generic ESP32S2 module with ESP32-S2", 42, 26),
    ("LOLIN_S2_MINI with ESP32-S2FN4R2", 40, 46),
    ("Generic ESP32S3 module with ESP32S3", 48, 19),
    ("ESP32C3 module with ESP32-C3", 10, 18),
    ("ESP32C3 module with ESP32C3", 7, 12),
    ("ESP32C6 module with ESP32-C6", 23, 24),
)


def test_each_chip_drives_its_own_pins_and_no_others():
    for machine, good, bad in MACHINES:
        with Flash() as flash:
            outputs = [{"gpio": good}, {"gpio": bad}, {"gpio": 99}, {"gpio": -1}, {"gpio": "D4"}]
            flash.write("config.json", {"outputs": outputs})
            assert flash.boot(machine=machine) == [(good, 0)], machine
            assert flash.read()["outputs"] == [[good, 0, 0]]


def test_a_kit_or_psram_keeps_its_own_pins():
    outputs = [{"gpio": gpio} for gpio in (4, 16, 17, 22, 33)]
    classic, spiram = "Generic ESP32 module with ESP32", "Generic ESP32 module with SPIRAM with ESP32"
    for board, machine, driven in (
        (None, classic, [4, 16, 17, 22, 33]),
        ("esp32-devkitc", classic, [4, 16, 17, 22, 33]),
        ("wt32-eth01", classic, [4, 17, 33]),
        ("olimex-esp32-poe", classic, [4, 16, 33]),
        (None, spiram, [4, 22, 33]),
        ("wt32-eth01", spiram, [4, 33]),
        ({"no": "text"}, classic, [4, 16, 17, 22, 33]),
    ):
        with Flash() as flash:
            flash.write("config.json", {"outputs": outputs, "board": board})
            assert [gpio for gpio, _ in flash.boot(machine=machine)] == driven, (board, machine)


def test_a_chip_that_is_not_known_drives_nothing():
    for machine in ("ESP32H2 module with ESP32-H2", "Generic ESP32P4 module with ESP32P4"):
        with Flash() as flash:
            flash.write("config.json", {"outputs": [{"gpio": 4}, {"gpio": 16}]})
            assert flash.boot(machine=machine) == []
            assert flash.read()["boots"] == 1
