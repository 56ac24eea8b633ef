"""`ntptime` as the ESP32 image has it: asks one server on port 123 and sets the chip's clock, blocking.

Part of the virtual board, never of a device.
"""

import machine
import socket
import struct
import time as _time

host = "pool.ntp.org"
timeout = 1
_TO_1970 = 2208988800


def time():
    query = bytearray(48)
    query[0] = 0x23
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        wire.settimeout(timeout)
        wire.sendto(query, socket.getaddrinfo(host, 123)[0][-1])
        return struct.unpack("!I", wire.recv(48)[40:44])[0] - _TO_1970
    finally:
        wire.close()


def settime():
    year, month, day, hour, minute, second, weekday = _time.gmtime(time())[:7]
    machine.RTC().datetime((year, month, day, weekday + 1, hour, minute, second, 0))
