"""The journal's bytes and files: what is read back after damage of every kind."""

import os

from journal.files import Journal, TwoSlots
from journal.record import frame
from journal.recover import LONGEST, latest, records, replay

ROOT = __file__.replace("\\", "/").rpartition("/")[0] + "/../../"


class Folder:
    """A path for files that are gone afterwards."""

    def __enter__(self):
        try:
            os.mkdir(ROOT + ".cache")
        except OSError:
            pass
        self.path = ROOT + ".cache/journal-%d" % int.from_bytes(os.urandom(6), "little")
        os.mkdir(self.path)
        return self.path + "/x"

    def __exit__(self, *_):
        for name in os.listdir(self.path):
            os.remove(self.path + "/" + name)
        os.rmdir(self.path)


def reader(data):
    rest = [data]

    def read(n):
        out, rest[0] = rest[0][:n], rest[0][n:]
        return out

    return read


def put(path, data):
    with open(path, "wb") as f:
        f.write(data)


def get(path):
    with open(path, "rb") as f:
        return f.read()


def test_framed_records_are_read_back():
    payloads = [b"", b"a", b'{"x": 1}', bytes(range(256)), b"y" * LONGEST]
    assert list(records(reader(b"".join([frame(p) for p in payloads])))) == payloads
    assert list(records(reader(b""))) == []


def test_the_format_of_a_record():
    assert frame(b"abc") == b"\x03\x00\x1e\xe9-2abc"


def test_a_changed_bit_is_detected():
    whole = frame(b"first") + frame(b"second") + frame(b"third")
    for bit in range(8 * len(whole)):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        found = list(records(reader(bytes(data))))
        assert found[-1] is None, bit
        assert found[:-1] == [b"first", b"second"][: len(found) - 1], bit


def test_a_missing_end_is_detected():
    whole = frame(b"first") + frame(b"second")
    for length in range(1, len(whole)):
        if length != len(frame(b"first")):
            found = list(records(reader(whole[:length])))
            assert found == ([b"first"] if length > 11 else []) + [None], length


def test_an_empty_flash_has_no_record():
    for fill in (b"\xff", b"\x00"):
        for length in (1, 5, 6, 7, 64, 5000):
            assert list(records(reader(fill * length))) == [None]


def test_a_record_that_claims_more_than_is_allowed_is_damage():
    assert list(records(reader(frame(b"z" * (LONGEST + 1))))) == [None]


def test_a_journal_is_read_in_the_order_it_was_written():
    with Folder() as path:
        journal = Journal(path)
        assert list(replay(journal)) == []
        assert journal.append([b"1", b"2"]) and journal.append(iter([b"3"]))
        again = Journal(path)
        assert list(replay(again)) == [b"1", b"2", b"3"]
        assert again.size == journal.size == len(get(path))
        assert again.append([b"4"]) and list(replay(Journal(path))) == [b"1", b"2", b"3", b"4"]


def test_a_rewrite_replaces_everything():
    with Folder() as path:
        journal = Journal(path)
        journal.append([b"old"] * 9)
        assert journal.rewrite([b"new"]) and journal.append([b"newer"])
        assert list(replay(Journal(path))) == [b"new", b"newer"]
        assert journal.rewrite([]) and get(path) == b"" and journal.size == 0


def test_a_file_left_by_a_power_cut_is_not_read():
    with Folder() as path:
        journal = Journal(path)
        journal.append([b"1"])
        put(path + ".new", frame(b"2"))
        assert list(replay(Journal(path))) == [b"1"]
        assert journal.rewrite([b"3"]) and list(replay(Journal(path))) == [b"3"]


def test_after_damage_appending_waits_for_a_rewrite():
    with Folder() as path:
        Journal(path).append([b"1", b"2"])
        put(path, get(path)[:-1])
        journal = Journal(path)
        assert list(replay(journal)) == [b"1"]
        assert journal.full() and not journal.append([b"3"])
        assert journal.rewrite([b"1"]) and not journal.full() and journal.append([b"3"])
        assert list(replay(Journal(path))) == [b"1", b"3"]


def test_a_large_journal_is_full_until_a_rewrite():
    with Folder() as path:
        journal = Journal(path)
        while journal.append([b"x" * 100]):
            assert journal.size < 20000
        assert journal.full() and len(get(path)) == journal.size
        assert journal.rewrite([b"y"]) and not journal.full()


def test_a_flash_that_refuses_returns_false_without_raising():
    with Folder() as path:
        nowhere = Journal(path + "/no/such/folder")
        assert not nowhere.append([b"1"]) and not nowhere.rewrite([b"1"])
        assert list(replay(nowhere)) == []
        slots = TwoSlots(path + "/no/such/folder")
        assert latest(slots) is None and not slots.save(b"1") and slots.generation == 0
        os.mkdir(path)
        try:
            journal = Journal(path)
            assert not journal.append([b"1"]) and journal.full()
        finally:
            os.rmdir(path)


def test_the_newer_slot_is_read():
    with Folder() as path:
        slots = TwoSlots(path)
        assert latest(slots) is None
        for number in range(1, 6):
            assert slots.save(b"%d" % number)
            again = TwoSlots(path)
            assert latest(again) == b"%d" % number and again.generation == number


def test_a_slot_too_short_for_its_number_is_none():
    with Folder() as path:
        put(path + "0", frame(b"123"))
        slots = TwoSlots(path)
        assert latest(slots) is None and slots.generation == 0


def test_a_damaged_slot_falls_back_to_the_other_and_is_written_next():
    for damage in (b"", b"\xff" * 40, frame(b""), frame(b"123")):
        with Folder() as path:
            slots = TwoSlots(path)
            for number in range(1, 5):
                slots.save(b"%d" % number)
            put(path + "1", damage)
            again = TwoSlots(path)
            assert latest(again) == b"3"
            assert again.save(b"5") and latest(TwoSlots(path)) == b"5"
            assert get(path + "0") == frame(b"\x03\x00\x00\x003")
