"""A copy of the firmware in a board's ROM partition: what it holds, where it goes, and what has to be sent for it.

The device has the layout and the choice of a place (`firmware/core/romslot.py`); an update over the air uses the same.
What a file of the board already holds is copied from there, block by block, and a block that is there already is not
written again. So an interrupted deploy continues where it stopped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from firmware.core import romslot

ROM_BYTES = 576 << 10
"""The ROM partition of the images that `realer image` builds: two copies of all units with room to grow."""
BLOCK = romslot.BLOCK
_HELD = 1
"""Bytes without which it is no file system; written last, as `firmware/update_rom.py` does, and for its reasons."""
_CHUNK = 1024
_SUM_DIGITS = 16


class Image:
    """The ROMFS image of `files`, content by path. `data`: its bytes."""

    def __init__(self, files: Mapping[str, bytes]):
        self._files = {path: files[path] for path in sorted(files)}
        self._pieces, size = romslot.layout([(path, len(data)) for path, data in self._files.items()])
        self.data = b"".join(
            self._files[piece] if isinstance(piece, str) else piece for piece in self._pieces
        )
        assert len(self.data) == size

    def blocks(self) -> list[bytes]:
        """The image as the flash holds it: whole blocks, the last one filled up as an erased flash is."""
        return [self.data[at : at + BLOCK].ljust(BLOCK, b"\xff") for at in range(0, len(self.data), BLOCK)]

    def steps(self, start: int, end: int, at: int, sources: Mapping[str, str]) -> Iterator[tuple[str, int]]:
        """Programs for the board's probe that write bytes `start` to `end` of the image into the partition where the
        image begins at `at`, and how many bytes travel with each. `sources`: by sum of a content the file on the board
        that has it."""
        begin = 0
        for piece in self._pieces:
            content = self._files[piece] if isinstance(piece, str) else piece
            first, last = max(start - begin, 0), min(end - begin, len(content))
            source = sources.get(digest(content)) if isinstance(piece, str) else None
            if first < last and source:
                yield f"rom_copy({at + begin + first}, {source!r}, {first}, {last - first})", 0
            elif first < last:
                for i in range(first, last, _CHUNK):
                    part = content[i : min(i + _CHUNK, last)]
                    yield f"rom_put({at + begin + i}, {base64.b64encode(part)!r})", len(part)
            begin += len(content)


@dataclass
class RomPlan:
    """`at`: where the image goes; `steps`: programs for the probe, each with the bytes that travel with it;
    `evacuated`: file to be written -> file in the ROM partition, copied before anything there is touched."""

    at: int
    image: Image
    steps: list[tuple[str, int]]
    evacuated: dict[str, str]

    @property
    def size(self) -> int:
        return sum(size for _, size in self.steps)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def chosen(
    code: Mapping[str, bytes], conditions: Mapping[str, str], traits: Collection[str], rom_size: int
) -> dict[str, bytes]:
    """All units where two copies of them fit, so that the configuration may change without a deploy; otherwise those
    that a configuration with these traits needs."""
    if len(Image(code).data) <= rom_size // 2 // BLOCK * BLOCK:
        return dict(code)
    return {path: data for path, data in code.items() if romslot.needed(conditions.get(path, ""), traits)}


def plan(seen: Mapping[str, Any], code: Mapping[str, bytes], spare: str) -> RomPlan | None:
    """What has to happen for `code`, what `chosen` gave, to be in the ROM partition that the board reported.

    Nothing to do: no steps. Where both copies do not fit, the present one has to go to the folder `spare` first.
    None: this partition does not hold it.
    """
    rom, sums, image = seen["rom"], seen["sums"], Image(code)
    slot = seen["slot"].get("slot")
    active = romslot.offset(slot)
    used = romslot.length(bytes.fromhex(rom["head"]))
    kept = (active, used) if active is not None and used else None
    if active is not None and _differing(image, active, rom["blocks"]) == []:
        return RomPlan(active, image, [], {})
    at = romslot.place(rom["size"], len(image.data), kept)
    evacuated: dict[str, str] = {}
    if at is None and kept:
        at = romslot.place(rom["size"], len(image.data), None)
        evacuated = {f"{spare}/{path[4:]}": path for path in sums if path.startswith("rom/")}
    if at is None:
        return None
    if evacuated:
        sources = {sums[path]: target for target, path in evacuated.items()}
    else:
        here = "rom/" if active is not None else f"{slot}/"
        sources = {total: path for path, total in sums.items() if path.startswith(here)}
    return RomPlan(at, image, _steps(image, at, rom["blocks"], sources), evacuated)


def _steps(image: Image, at: int, blocks: list[str], sources: Mapping[str, str]) -> list[tuple[str, int]]:
    """The first block is erased first and its beginning written last: in between there is no file system."""
    steps = [(f"rom_erase({at})", 0)]
    for block in [*(i for i in _differing(image, at, blocks) if i), 0]:
        start, end = block * BLOCK, min((block + 1) * BLOCK, len(image.data))
        if block:
            steps.append((f"rom_erase({at + start})", 0))
        steps += image.steps(start or _HELD, end, at, sources)
    return [*steps, *image.steps(0, _HELD, at, {})]


def _differing(image: Image, at: int, sums: list[str]) -> list[int]:
    """Which blocks of the image are not in the partition yet."""
    there = sums[at // BLOCK :]
    return [
        i
        for i, block in enumerate(image.blocks())
        if i >= len(there) or there[i] != digest(block)[:_SUM_DIGITS]
    ]
