"""Writing an image into the ROM partition: what the flash sees of it, and a flash that does not hold it."""

from firmware.core.romslot import BLOCK
from firmware.update_rom import Rom, Writer
from tests_host.support.raising import raised


class Flash(bytearray):
    """Programming turns ones into zeros. `log`: what was done, in order; `rots`: an offset whose bits do not hold."""

    rots = None
    stuck = 0

    def __init__(self, blocks):
        super().__init__(blocks * BLOCK)
        self.log = []

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self) // BLOCK
        assert operation == 6
        at = argument * BLOCK
        self.log.append(("erase", argument))
        self[at : at + BLOCK] = b"\xff" * BLOCK
        return self.stuck

    def writeblocks(self, block, data, offset):
        at = block * BLOCK + offset
        assert offset + len(data) <= BLOCK
        self.log.append(("write", at, len(data)))
        for byte in data:
            assert self[at] == 0xFF, "not erased"
            self[at] = byte ^ (at == self.rots)
            at += 1


def written(flash, at, *pieces):
    writer = Writer(Rom(flash), at)
    for piece in pieces:
        writer.write(piece)
    writer.finish()
    return b"".join(pieces)


def refused(flash, at, *pieces):
    return raised(OSError, written, flash, at, *pieces).args[0] == 5


def test_pieces_of_any_size_are_written_once_and_the_first_byte_last():
    big = bytes(range(256)) * 20
    for pieces in ((b"abc", b"", big, b"d"), (b"", b"a", big), (big, big), (b"a" * BLOCK, b"b"), (b"x",)):
        flash = Flash(6)
        image = written(flash, BLOCK, *pieces)
        assert bytes(flash[BLOCK : BLOCK + len(image)]) == image
        assert bytes(flash[:BLOCK]) == bytes(BLOCK)
        assert flash.log[0] == ("erase", 1) and flash.log[-1] == ("write", BLOCK, 1)
        erased = [step[1] for step in flash.log if step[0] == "erase"]
        assert erased == list(range(1, 1 + -(-len(image) // BLOCK)))


def test_a_flash_that_does_not_hold_what_was_written_is_noticed():
    for rots in (BLOCK, BLOCK + 1, 2 * BLOCK + 7):
        flash = Flash(4)
        flash.rots = rots
        assert refused(flash, BLOCK, b"y" * BLOCK, b"z" * 100), rots


def test_a_block_that_cannot_be_erased_is_noticed():
    flash = Flash(4)
    flash.stuck = -5
    assert refused(flash, 0, b"y")
