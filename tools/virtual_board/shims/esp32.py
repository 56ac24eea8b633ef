"""`esp32` of the port: NVS, and the heap of ESP-IDF. Part of the virtual board, never of a device."""

import binascii

import _link

HEAP_DATA = 4
HEAP_EXEC = 2


def idf_heap_info(capabilities):
    """Regions as (total, free, largest free block, least free ever)."""
    if capabilities != HEAP_DATA:
        raise NotImplementedError("the board knows HEAP_DATA only")
    numbers = [int(word) for word in _link.ask("idf").split()]
    return [tuple(numbers[n : n + 4]) for n in range(0, len(numbers), 4)]


class NVS:
    def __init__(self, namespace):
        self._space = namespace

    def _do(self, key, value=""):
        return _link.ask("nvs", "%s/%s" % (self._space, key), value)

    def set_i32(self, key, value):
        self._do(key, value)

    def get_i32(self, key):
        return int(self._do(key))

    def set_blob(self, key, value):
        self._do(key, _link.packed(value))

    def get_blob(self, key, buffer):
        data = binascii.unhexlify(self._do(key)[1:])
        buffer[: len(data)] = data
        return len(data)

    def commit(self):
        pass
