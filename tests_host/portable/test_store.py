"""When the trial of a copy of the firmware has ended well."""

from firmware.runtime.store import BOOT_RECORD, SLOT_RECORD, Store


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
