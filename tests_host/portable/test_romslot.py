"""A copy in the ROM partition: where it may be written, what it holds, and the image as MicroPython reads it."""

from firmware.core import romslot
from firmware.core.romslot import BLOCK, layout, length, needed, offset, place, slot_name, traits


def test_a_slot_is_named_by_its_offset():
    for at in (0, BLOCK, 507904):
        assert offset(slot_name(at)) == at
    for other in ("a", "", None, 7, {}, [], "rom", "rom:", "rom:x"):
        assert offset(other) is None, other


def test_the_first_copy_goes_to_the_beginning_and_the_next_one_to_the_end():
    rom = 32 * BLOCK
    assert place(rom, 5 * BLOCK - 1, None) == 0
    assert place(rom, 5 * BLOCK - 1, (0, 3 * BLOCK)) == 27 * BLOCK
    assert place(rom, 5 * BLOCK + 1, (0, 3 * BLOCK)) == 26 * BLOCK
    assert place(rom, 5 * BLOCK, (27 * BLOCK, 5 * BLOCK - 1)) == 0


def test_no_place_touches_a_block_of_the_copy_that_stays():
    rom = 8 * BLOCK
    for first in range(1, rom + 1, 1021):
        at = place(rom, first, None)
        assert at == 0
        for second in range(1, rom + 1, 1021):
            there = place(rom, second, (at, first))
            blocks = -(-first // BLOCK) + -(-second // BLOCK)
            assert (there is None) == (blocks > 8), (first, second)
            if there is not None:
                assert there % BLOCK == 0 and there >= first and there + second <= rom
                assert place(rom, first, (there, second)) == 0
    assert place(rom, rom + 1, None) is None


def test_an_image_is_its_pieces_one_behind_the_other():
    # extmod/vfs_rom.c: a record is kind, size, payload; 4 a folder, 5 a file, 2 its content; an even size in all.
    pieces, size = layout([("a/b", 3), ("a/c", 0), ("d", 1)])
    contents = {"a/b": b"xyz", "a/c": b"", "d": b"!"}
    whole = b"".join([contents[piece] if isinstance(piece, str) else piece for piece in pieces])
    files = b"\x05\x07\x01b\x02\x03xyz" + b"\x05\x04\x01c\x02\x00"
    records = b"\x04\x11\x01a" + files + b"\x05\x05\x01d\x02\x01!"
    assert whole == b"\xd2\xcd\x31" + b"\x80" * (len(records) % 2) + bytes([len(records)]) + records
    assert size == len(whole) == length(whole[:12])
    deep = [b"\x04\x0c\x01a", b"\x04\x08\x01b", b"\x05\x04\x01c\x02\x00", "a/b/c"]
    assert layout([("a/b/c", 0)])[0][1:] == deep


def test_the_length_is_read_from_an_image_only():
    for count in (1, 127, 128, 16384, 70000):
        pieces, size = layout([("f", count)])
        assert length(pieces[0] + b"............") == size
        assert size % 2 == 0
    for other in (b"", b"\xff" * 12, b"\x00" * 12, b"\xd2\xcd\x32\x04", b"\xd2\xcd\x31", b"\xff\xcd\x31\x04"):
        assert length(other) == 0, other


def test_a_configuration_needs_its_row_and_its_options():
    assert traits({}) == ["realer-https"]
    assert traits({"cloud": {"api": "thinger"}}) == ["thinger-iotmp"]
    whole = traits({"cloud": {"api": "auto", "transport": "mqtt"}, "portal": {"ap": 1}, "update": None})
    assert whole == ["auto-mqtt", "portal"]
    for conditions, desired in (
        ("", 1),
        ("portal", 1),
        ("update", 0),
        ("auto-auto,auto-mqtt", 1),
        ("auto-https", 0),
    ):
        assert needed(conditions, whole) == bool(desired), conditions


def test_blocks_are_those_of_the_flash():
    assert romslot.BLOCK == 4096
