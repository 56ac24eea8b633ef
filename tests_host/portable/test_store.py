"""When the trial of a copy of the firmware has ended well, and what a power cut leaves of a factory reset."""

import os

from firmware.core.errors import ConfigError
from firmware.runtime.store import BOOT_RECORD, SLOT_RECORD, Store
from firmware.start import start

ROOT = __file__.replace("\\", "/").rpartition("/")[0] + "/../../"


class Records(Store):
    """Records in memory; a flash that `refuses` takes none."""

    def __init__(self, slot, refuses=False):
        self.records = {SLOT_RECORD: slot, BOOT_RECORD: {"boots": 7, "early": 2}}
        self.refuses = refuses

    def load(self, name):
        return dict(self.records[name])

    def save(self, name, record):
        if not self.refuses:
            self.records[name] = record
        return not self.refuses


def test_a_trial_ends_with_a_start_that_lasts_or_where_it_was_asked_for_only_online():
    for slot, lasted, online in (
        ({"slot": "a"}, False, False),
        ({"slot": "a", "tries": 1}, True, True),
        ({"slot": "a", "tries": 1, "online": False}, True, True),
        ({"slot": "a", "tries": 1, "online": True}, False, True),
    ):
        for end, ended in ((Store.mark_good, lasted), (lambda store: store.confirm_update(True), online)):
            store = Records(slot)
            assert end(store)
            assert ("tries" in store.records[SLOT_RECORD]) == ("tries" in slot and not ended), slot
            assert store.records[SLOT_RECORD]["slot"] == "a"


def test_a_good_start_forgets_early_crashes_and_says_when_it_cannot():
    store = Records({"slot": "a", "tries": 1})
    assert store.mark_good() and store.records[BOOT_RECORD] == {"boots": 7, "early": 0}
    store = Records({"slot": "a", "tries": 1}, refuses=True)
    assert not store.mark_good() and not store.confirm_update(False)


class Folder(Store):
    """An empty folder as the current one. The power fails at the write number `cut`."""

    def __init__(self):
        super().__init__()
        self.cut = -1

    def __enter__(self):
        self.home = os.getcwd()
        try:
            os.mkdir(ROOT + ".cache")
        except OSError:
            pass  # it is there
        os.chdir(ROOT + ".cache")
        self.name = "store-%d" % int.from_bytes(os.urandom(6), "little")
        os.mkdir(self.name)
        os.chdir(self.name)
        return self

    def __exit__(self, *_):
        for name in os.listdir("."):
            os.remove(name)
        os.chdir("..")
        os.rmdir(self.name)
        os.chdir(self.home)

    def save(self, name, record):
        self.cut -= 1
        if not self.cut:
            raise KeyboardInterrupt
        return super().save(name, record)


class Board:
    def noted(self):
        return ()

    def reset_cause(self):
        return "power_on"


class Quiet:
    """A log that nobody reads."""

    def log(self, level, text):
        pass


def test_a_record_that_is_no_object_counts_as_none():
    for content in ("", "{", "[]", "[1]", "7", "null", "true", '"text"'):
        with Folder() as store:
            with open(SLOT_RECORD, "w") as f:
                f.write(content)
            assert store.load(SLOT_RECORD) == {} and store.confirm_update(True), content


def test_a_factory_reset_is_complete_whenever_the_power_fails():
    deep = [[[[[[[[[[[[[]]]]]]]]]]]]]  # that it is refused ends the start after the reset
    owned = {
        "wifi": {"networks": [{"ssid": "home"}]},
        "cloud": {"client_secret": "test-secret-not-real"},
        "led": deep,
    }
    for cut in (1, 2, 3, -1):
        with Folder() as store:
            store.save("config.json", owned)
            store.save(BOOT_RECORD, {"boots": 3, "asked": "factory_reset"})
            with open("events", "w"):
                pass
            for cut_now in (cut, -1):
                store.cut = cut_now
                try:
                    start(Board(), Quiet(), store)
                except (KeyboardInterrupt, ConfigError):
                    pass
            left = store.load("config.json")
            assert left == {"wifi": {"networks": []}, "cloud": {}, "led": deep}, cut
            assert "events" not in os.listdir(".") and store.load(BOOT_RECORD) == {"boots": 3}, cut
