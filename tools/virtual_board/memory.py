"""The memory of a plain ESP32: the Python heap's areas, and the pool outside of them, by figures that were measured.

What lies in the pool (the heap of ESP-IDF): Wi-Fi, thread stacks, TLS, sockets, and every area of the Python heap after
the first. Sans-I/O: nothing here asks a process or a clock. All sizes are bytes of the chip, also for a 64-bit board.

Figures: measured on an emulated classic ESP32 (4 MiB flash, no PSRAM) with the published ESP32_GENERIC images 1.24.0
and 1.26.1; what was not measured is marked. Rules of the areas: MicroPython's `py/gc.c`, `gc_try_add_heap`.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_AREA = 56_000
"""What the Python heap begins with, and what it grows by where the pool has a piece for it."""
_WHOLE_AREA = 57_380
"""Bytes of the pool for an area of FIRST_AREA: its tables take the rest."""
_AREA_HEADER, _TABLE_BITS, _BITS_PER_BYTE, _BYTES_PER_TABLE_BYTE = 37, 524, 8, 64
CHIPS_OWN_HEAP = 1_072
"""Of the Python heap, before boot.py: 54,928 of 56,000 are free then."""
NAMES = 4_400
"""The interpreter's tables for the names of a program that has 300 to 600, as this firmware: 7 bytes an entry, in
tables of 10 entries and ever twice as many (py/qstr.c). Counted from the start, because a name opens a table when it is
the next one, and the virtual board has names before it that a chip has in its ROM."""
DEFAULT_STACK, LEAST_STACK, THREAD = 4_096, 4_096, 400
"""A thread's stack, and its control block (estimate)."""
SOCKET = 700
"""A TCP or UDP socket without TLS (estimate)."""
TLS_SETUP = 22_500
"""Of a TLS connection: its record buffers and state, allocated before the first byte is sent (estimate)."""
VERIFYING, PARSING = 4_500, 7_000
"""Of a handshake's peak: its last part checks signatures, the one before parses certificates (estimate)."""
THIRD_AREA_STAYS = 0.85
"""A third area is given back once it is empty. What lies in it cannot be told: it is empty when less than this part of
the areas is in use (estimate)."""
ETHERNET = 24_000
"""The chip's Ethernet: 20 buffers of 512 bytes to receive and 10 to send, which have to be fit for DMA, and a task with
4 KB of stack (ESP-IDF's defaults; estimate)."""
ACCESS_POINT = 2_000
"""An access point beside what the radio takes anyhow (estimate)."""


FROZEN_NAMES = 490
"""The same of an image that holds the names of the firmware (`tools.cli.image`): three tables for what is left."""


class NoRoomError(Exception):
    """The pool has no piece that large."""


@dataclass(frozen=True)
class Cost:
    """Of a chain: bytes of a context that trusts its root, of a connection at rest, and while it shakes hands."""

    context: int
    rest: int
    peak: int


@dataclass(frozen=True)
class Image:
    """`small`, `large`: free bytes after boot in all small regions, and in the one that has the largest piece.
    `wifi`: what Wi-Fi takes, of the small regions all but `small_left`; `tls`: the cost of each chain."""

    small: int
    large: int
    small_left: int
    wifi: int
    tls: dict[str, Cost]
    measured: bool = True


_TLS = {
    "p256": Cost(1_300, 24_800, 31_000),
    "p256-p384": Cost(1_400, 26_100, 34_700),
    "p256-p384-rsa4096": Cost(2_500, 27_200, 35_900),
    "rsa2048": Cost(2_500, 28_600, 37_100),
    "rsa2048-cross": Cost(2_500, 31_700, 40_300),
}
_MORE = {name: Cost(cost.context, cost.rest + 1_000, cost.peak + 1_100) for name, cost in _TLS.items()}
"""On 1.26.1; measured are the last two rows, of the others that it is about 1 KB more."""
_MORE |= {"rsa2048": Cost(2_500, 29_600, 38_200), "rsa2048-cross": Cost(2_500, 32_800, 41_500)}
CHAINS = tuple(_TLS)
USUAL_CHAIN, WORST_CHAIN = "rsa2048", "rsa2048-cross"
IMAGES = {
    "1.24.0": Image(small=24_956, large=113_400, small_left=2_100, wifi=41_980, tls=_TLS),
    "1.26.1": Image(small=26_452, large=113_400, small_left=1_400, wifi=44_196, tls=_MORE),
    # A board on which memory is no question: figures of the pool are made up.
    "psram": Image(small=26_452, large=4_000_000, small_left=1_400, wifi=44_196, tls=_MORE, measured=False),
    # Never measured. Their images begin with a heap of 64 KB, not 56, and the pool here is smaller than a classic
    # ESP32's. The S2 is one with PSRAM, such as the LOLIN S2 mini; without it, it has less memory than all others.
    "esp32s2": Image(small=26_452, large=1_000_000, small_left=1_400, wifi=44_196, tls=_MORE, measured=False),
    "esp32s3": Image(small=26_452, large=104_000, small_left=1_400, wifi=44_196, tls=_MORE, measured=False),
    "esp32c3": Image(small=26_452, large=104_000, small_left=1_400, wifi=44_196, tls=_MORE, measured=False),
    "esp32c6": Image(small=26_452, large=104_000, small_left=1_400, wifi=44_196, tls=_MORE, measured=False),
}
"""By version of the published ESP32_GENERIC image, and for the other chips by chip."""
TIGHTEST = "1.26.1"
"""The one that leaves least beside a TLS connection."""


def area_in(piece: int) -> int:
    """Bytes that Python gets of a piece of the pool.

    >>> area_in(57_380), area_in(47_104), area_in(51_200)
    (56000, 45952, 49984)
    """
    return max(piece - _AREA_HEADER, 0) * _BITS_PER_BYTE // _TABLE_BITS * _BYTES_PER_TABLE_BYTE


def reported(piece: int) -> int:
    """What ESP-IDF calls the largest free block: rounded down to a sixteenth of its power of two.

    >>> reported(113_400), reported(94_256), reported(44_764)
    (110592, 94208, 43008)
    """
    step = max(1 << max(piece.bit_length() - 5, 0), 4)
    return piece // step * step


class Pool:
    """The heap of ESP-IDF: what is taken, by name, and the least that ever was free. Each region is one free piece."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self._small, self._large = image.small, image.large
        self._taken: dict[str, tuple[int, int]] = {}
        self.lowest = self.free
        self._lowest = [self._small, self._large]

    def __repr__(self) -> str:
        return f"Pool(free={self.free}, largest={self.largest}, lowest={self.lowest}, {self._taken})"

    def __contains__(self, name: str) -> bool:
        return name in self._taken

    @property
    def free(self) -> int:
        return self._small + self._large

    @property
    def largest(self) -> int:
        return reported(self._large)

    @property
    def piece(self) -> int:
        """The largest free piece to the byte."""
        return self._large

    def take(self, name: str, size: int, divided: bool = False) -> None:
        """From the small regions what they have room for, as ESP-IDF looks there first, else from the large one;
        `divided`: as much from the small ones as there is. Raises NoRoomError, and takes nothing then."""
        if name in self._taken:
            raise ValueError(f"{name} is taken already")
        room = self._small - self.image.small_left
        small = min(max(room, 0), size) if divided else size if size <= room else 0
        if size - small > self._large:
            raise NoRoomError(f"{name}: {size} bytes, largest piece {self._large}")
        self._taken[name] = small, size - small
        self._small -= small
        self._large -= size - small
        self._low(0)

    def touch(self, size: int) -> None:
        """`size` bytes more are in use for a moment. Raises NoRoomError, when that moment ends badly."""
        self._low(min(size, self._large))
        if size > self._large:
            raise NoRoomError(f"{size - self._large} bytes short")

    def give(self, name: str) -> None:
        """Give back; nothing happens when that is not taken."""
        small, large = self._taken.pop(name, (0, 0))
        self._small += small
        self._large += large

    def regions(self) -> list[tuple[int, int, int, int]]:
        """As `esp32.idf_heap_info` tells them: total, free, largest free block, lowest free ever."""
        free = (self._small, self._large)
        totals = (self.image.small + FIRST_AREA, self.image.large)
        return [
            (total, now, reported(now), low)
            for total, now, low in zip(totals, free, self._lowest, strict=True)
        ]

    def names(self) -> tuple[str, ...]:
        return tuple(self._taken)

    def _low(self, more: int) -> None:
        self._lowest = [min(self._lowest[0], self._small), min(self._lowest[1], self._large - more)]
        self.lowest = min(self.lowest, self.free - more)


class Memory:
    """All memory of one chip between two resets.

    `grown`: bytes of the heap's second area, 0 while there is none; `doubled`: whether there ever was one; `live`,
    `peak`: bytes in use after a collection, last and most, without what fills the heap while a thread's stack bounds
    it; `third`: why the heap would have needed a third area, "" if it has not. `limited` False: a heap of any size,
    of which only the second area is taken from the pool. `names`: bytes that its tables of names take.
    """

    def __init__(
        self, image: str = TIGHTEST, chain: str = USUAL_CHAIN, limited: bool = True, names: int = NAMES
    ) -> None:
        self.image, self.chain = image, chain
        self.cost = IMAGES[image].tls[chain]
        self.pool = Pool(IMAGES[image])
        self.limited, self.names = limited, names
        self.grown = self.live = self.peak = 0
        self.doubled = False
        self.third = ""

    def __repr__(self) -> str:
        return f"Memory({self.image}, {self.chain}, live={self.live}, area={self.area}, {self.pool})"

    @property
    def area(self) -> int:
        """Bytes of the Python heap as it is."""
        return FIRST_AREA + self.grown

    def next_area(self) -> int:
        """What the heap would grow by now, or has grown by."""
        if self.grown:
            return self.grown
        return area_in(min(_WHOLE_AREA, self.pool.largest))

    def lacking(self) -> int:
        """By how much two areas are less than twice the first."""
        return FIRST_AREA - self.next_area()

    def mem_free(self, used: int) -> int:
        """As the chip's `gc.mem_free()`: the largest piece of the pool counts as well."""
        return self.area - used + self.pool.largest

    def lives(self, live: int, empty: bool = False) -> None:
        """So many bytes are in use after a collection. `empty`: none of them in the second area, if they fit the first;
        a collection gives it back then."""
        self.live = live
        if not any(name.startswith("thread ") for name in self.pool.names()):
            self.peak = max(self.peak, live)
        if live < self.area * THIRD_AREA_STAYS:
            self.pool.give("third area")
        if live > FIRST_AREA and not self.grown:
            self._grow()
        elif self.grown and empty and live <= FIRST_AREA:
            self.pool.give("second area")
            self.grown = 0
        if live > self.area and self.limited:
            self.exhausted(f"{live} bytes in use, the areas have {self.area}")

    def exhausted(self, why: str) -> None:
        """The heap could not serve: a chip takes the whole largest piece now, and nothing is left for sockets."""
        self.third = self.third or why
        if "third area" not in self.pool:
            self.pool.take("third area", self.pool.largest)

    def handshake(self, name: str) -> str:
        """One more TLS connection: "" and it is held, else what fails: "setup", "parse", "memory" or "verify".

        Which allocation fails when memory is short cannot be told from outside. Here the shortage decides: little of
        it meets the last that allocate, the checks of signatures, which then call a good certificate badly signed.
        """
        try:
            self.pool.touch(TLS_SETUP)
        except NoRoomError:
            return "setup"
        short = self.cost.peak - self.pool.piece
        try:
            self.pool.touch(self.cost.peak)
        except NoRoomError:
            return "verify" if short <= VERIFYING else "parse" if short <= PARSING else "memory"
        self.pool.take(name, self.cost.rest)
        return ""

    def wifi(self, on: bool, name: str = "wifi") -> None:
        """The radio with all its buffers, shared by station ("wifi") and access point ("ap"). Raises NoRoomError."""
        if not on:
            self.pool.give(name)
            if not {"wifi", "ap"} & set(self.pool.names()):
                self.pool.give("radio")
            return
        if "radio" not in self.pool:
            self.pool.take("radio", self.pool.image.wifi, divided=True)
        if name not in self.pool:
            self.pool.take(name, ACCESS_POINT if name == "ap" else 0)

    def _grow(self) -> None:
        self.grown = self.next_area()
        if self.grown:
            self.doubled = True
            self.pool.take("second area", min(_WHOLE_AREA, self.pool.largest))
