"""`onewire` of the stock image, as far as a sensor needs it. The bus is played on the host, in `tools/sensors`.

Part of the virtual board, never of a device.
"""

import _link

_ask = _link.ask


class OneWireError(Exception):
    pass


class OneWire:
    def __init__(self, pin):
        self.pin = pin
        pin.init(7, 1)

    def _wire(self, op, value=0):
        return int(_ask("wire", self.pin._gpio, op, value))

    def reset(self, required=False):
        found = bool(self._wire("reset"))
        if required and not found:
            raise OneWireError
        return found

    def writebyte(self, value):
        self._wire("write", value)

    def write(self, buf):
        for value in buf:
            self.writebyte(value)

    def readbyte(self):
        return self._wire("read")

    def readinto(self, buf):
        for i in range(len(buf)):
            buf[i] = self.readbyte()

    def select_rom(self, rom):
        self.reset()
        self.writebyte(0x55)
        self.write(rom)

    def scan(self):
        found = []
        while True:
            number = self._wire("scan", len(found))
            if not number:
                return found
            found.append(bytearray([number >> shift & 0xFF for shift in range(56, -1, -8)]))
