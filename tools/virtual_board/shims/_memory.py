"""The Python heap as the chip would count it, and the shims of the modules whose C would take memory beside it.

What interpreter and shims have taken is not counted, nor is the ballast: pieces of this heap that the chip's has not.
They lie between the two areas and in the second one, so that nothing lies across the border.
Looks at the heap before a request to the host, at most twenty times a second unless the first area has just been
exceeded, and after each collection. Where more
seems to be in use than ever, and once a second, it collects first; tells what is in use then, and whether an allocation
has failed since, which the host calls by its name.
Part of the virtual board, never of a device.
"""

import gc
import sys
import time

import _link

_EVERY_MS = 50
_FIRST_AREA = 56000
_FRESH_MS = 1000
_FAILED = b"\x04 heap_failed\n"
_WORD = 4 if sys.maxsize < 1 << 32 else 8
_BLOCK = 4 * _WORD
_NO_CLASS = bytes(_WORD)
_ENTRY = 7  # bytes of a name in a table (py/qstr.c)
_NAMES = 10 + 20 + 40 + 80 + 160 + 320  # of a program, before the ESP32 port opens a table of 640
_TABLE = _ENTRY * _NAMES
_last = [0, 0, 0]  # when it looked, the most that was in use, when it collected
_own = [
    0,
    0,
    0,
]  # bytes that are not the program's, of them those held for `lack`, and what was asked of that
_held = [None, None]
_busy = [False]
_failure_reported = [True]
_over = [False]  # whether more than the first area was in use at the latest look
_search = []
_bytes_at = []
_address = []
_second = [0]  # bytes of the second area as one piece; 0: it cannot be told what lies there


class _Shim:
    """In place of a module that is C: its own names first."""

    def __init__(self, module, names):
        self._module = module
        for name in names:
            setattr(self, name, names[name])

    def __getattr__(self, name):
        return getattr(self._module, name)


def put(name, **names):
    sys.modules[name] = _Shim(__import__(name), names)


def begin(word):
    """Counts from here. `word`: bytes of an address; 0: nobody wants to know of allocations that failed, -1: nor of
    anything else, so that the looks are left out."""
    put("gc", collect=_collect, mem_alloc=used, mem_free=_free)
    if word == 4:
        _open_names()
    gc.collect()
    if word > 0:
        _failure_reported[0] = False
        _prepare(gc.mem_alloc() + gc.mem_free(), word)
        gc.collect()
    taken = gc.mem_alloc()
    own, ballast, first = [int(number) for number in _link.ask("heap", taken, taken + gc.mem_free()).split()]
    # Of the first area there are pieces between the board's own objects, too.
    filler = [bytearray(first - gc.mem_free() + _largest() if ballast > 0 else 0)]
    _own[0] = own + _hold(0, ballast)
    _second[0] = _largest() if _address and ballast > 0 else 0
    filler.clear()
    gc.collect()
    if word >= 0:
        _link.before[0] = look


def _open_names():
    """Fill the interpreter's tables of names up to one that has room for all of a program's, and that one until it has
    room for as many as the tables of a chip have (`NAMES` in memory.py, which is counted from the start). The names of
    these shims are in a chip's ROM; beside them here, the program's would open a table that they do not open there."""
    gc.threshold(1024)  # garbage between the names would leave holes
    number = least = 0
    while least < _TABLE:
        least = _intern(number)
        number += 1
    for _ in range(least // _ENTRY - _NAMES):
        _intern(number)
        number += 1
    gc.threshold(-1)


def _intern(number):
    """Bytes of the table that this opened, if it did."""
    before = gc.mem_alloc()
    hasattr(_busy, "_%d" % number)
    return gc.mem_alloc() - before


def used():
    return gc.mem_alloc() - _own[0]


def used_after_collection():
    """The same without garbage."""
    gc.collect()
    return used()


def _free():
    return int(_link.ask("heap_free", used(), gc.mem_free()))


def _collect():
    gc.collect()
    look(True)


def _hold(which, size):
    """Hold so many bytes, and no others; what they take of the heap."""
    _held[which] = None
    gc.collect()
    if size <= 0:
        return 0
    _held[which] = _beyond(size) if which else bytearray(size)
    gc.collect()
    # Counted, not measured: what was held before may be found on the stack by one collection, and not by the next.
    return _BLOCK + (size + _BLOCK - 1) // _BLOCK * _BLOCK


def _beyond(size):
    """The first piece of the second area: what is offered before that lies in the first one."""
    skipped = []
    while True:
        piece = bytearray(size)
        if not _address or _held[0] is None or _address[0](piece) > _address[0](_held[0]):
            return piece
        skipped.append(piece)


def lack(size):
    """Hold what the chip has not of its second area; all of it but the crumbs where that is the whole."""
    if size == _own[2]:
        return
    _own[0] -= _own[1]
    _own[1] = 0
    for crumbs in (0, 256, 1024):
        try:
            _own[1] = _hold(1, size - crumbs)
            break
        except MemoryError as e:
            _disown(e)
    else:
        return  # it is asked for again
    _own[0] += _own[1]
    _own[2] = size


def _disown(e):
    """Take the class from an exception that the board itself provoked: what is left of it is not to be found."""
    if _bytes_at:
        _bytes_at[0](id(e) & (1 << 8 * _WORD) - 1, _WORD)[:] = _NO_CLASS


def _empty():
    """Whether nothing of the program lies in the second area. Where that cannot be told, what fits the first one is
    taken to be there."""
    if used() > _second[0] or not _second[0]:
        return not _second[0]
    held = len(_held[1]) if _held[1] else 0
    size = _second[0] - (held + _BLOCK - 1) // _BLOCK * _BLOCK
    try:
        _beyond(size)
        return True
    except MemoryError as e:
        _disown(e)
        return False
    finally:
        gc.collect()


def not_the_programs(size):
    """Of the heap so many bytes more are this interpreter's, which a chip's has not."""
    _own[0] += size


def left():
    """Bytes that Python has not used of its areas, garbage not counted as free."""
    return gc.mem_free()


def look(now=False):
    if _busy[0] or not _link.before[0]:
        return
    soon = now or _over[0] != (used() > _FIRST_AREA * _WORD // 4)
    if not soon and time.ticks_diff(time.ticks_ms(), _last[0]) < _EVERY_MS:
        return
    _busy[0] = True
    try:
        if not _failure_reported[0]:
            bytearray(
                16 * _BLOCK
            )  # a heap without that much in one piece is full: its exception may not lie in it
        text = None if _failure_reported[0] or not _search else _failed()
        if text is not None:
            _link.ask("heap_failed", _link.packed(text))
            _failure_reported[0] = True
        live = used()
        if soon or live > _last[1] or time.ticks_diff(time.ticks_ms(), _last[2]) >= _FRESH_MS:
            gc.collect()
            live = used()
            _over[0] = live > _FIRST_AREA * _WORD // 4
            _last[2] = time.ticks_ms()
            _last[1] = max(_last[1], live)
            lack(int(_link.ask("heap_lives", live, int(_empty()))))
    except MemoryError:
        if not _failure_reported[0]:
            _failure_reported[0] = True
            _link.tell(_FAILED)  # takes none
    finally:
        _busy[0] = False
        _last[0] = time.ticks_ms()


def _prepare(total, word):
    """What finds the MemoryErrors that lie in the heap, handled or not: their first word is the address of the class.

    The needle lies outside of the heap, or it would be found there.
    """
    try:
        import ffi
        import uctypes

        libc = ffi.open("libc.so.6")
    except (ImportError, OSError):
        return
    _bytes_at.append(uctypes.bytearray_at)
    needle = libc.func("p", "malloc", "L")(word)
    uctypes.bytearray_at(needle, word)[:] = id(MemoryError).to_bytes(word, sys.byteorder)
    _address.append(uctypes.addressof)
    # The largest free piece is the end of the heap.
    last = [bytearray(_largest())]
    high = uctypes.addressof(last[0]) + len(last[0])
    last.clear()
    _search.extend((libc.func("p", "memmem", "PLPL"), uctypes.bytearray_at, high - total, high, needle, word))


def _largest():
    """Bytes of the largest free piece."""
    least, most = 0, gc.mem_free() // _BLOCK
    while most - least > 1:
        size = (least + most) // 2
        try:
            bytearray(size * _BLOCK)
            least = size
        except MemoryError as e:
            most = size
            _disown(e)
        gc.collect()
    return least * _BLOCK


def _failed():
    """The text of a MemoryError that lies in the heap, or None."""
    memmem, _, low, high, needle, word = _search
    where = low
    while where < high and (where := memmem(where, high - where, needle, word)):
        if (where - low) % (4 * word) == 0:
            text = _text(where, low, high)
            if text is not None:
                return text
        where += word
    return None


def _text(where, low, high):
    """What an exception there says, None if none lies there: its fourth word points to the tuple of its arguments, the
    third of that to a string."""
    word = _search[5]
    # Its traceback: in two halves of a word how many entries there is room for and are, three to a line; then where.
    lines = _word(where + word)
    room, lines = lines & (1 << 4 * word) - 1, lines >> 4 * word
    data = _word(where + 2 * word)
    if room % 3 or lines % 3 or lines > room or room > 300 or not (low <= data < high if room else not data):
        return None
    args = _word(where + 3 * word)
    if args == id(()):
        return b""
    if not low <= args < high or _word(args) != id(tuple):
        return None
    text = _word(args + 2 * word)
    if not low <= text < high or _word(text) != id(str):
        return b""
    return bytes(_search[1](_word(text + 3 * word), min(_word(text + 2 * word), 80)))


def _word(address):
    return int.from_bytes(_search[1](address, _search[5]), sys.byteorder)
