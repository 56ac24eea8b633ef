"""The access point of the chip (network.AP_IF), and the sockets that listen on its address.

It is never an open network: without WPA2 it does not transmit. Only DriverError is raised, and its text does not
contain the password.
"""

import asyncio
import binascii
import machine
import network
import select
from micropython import const

from firmware.core.errors import DriverError
from firmware.drivers.board import attempt

ADDRESS = "192.168.4.1"
"""The address that the ESP32 port gives the access point."""
_WPA2 = const(3)
_CLIENTS = const(4)
_QUESTION = const(288)  # bytes of a DNS query with a name of 253 characters
_SSID_BYTES = const(27)  # 32, less "-" and four digits
_WHAT = "access point"


class AccessPoint:
    """`ssid`: `name`, cut to 27 bytes of UTF-8, a hyphen, and the last four hexadecimal digits of the chip's id."""

    def __init__(self, name):
        while len(name.encode()) > _SSID_BYTES:
            name = name[:-1]
        self.ssid = "%s-%s" % (name, binascii.hexlify(machine.unique_id()[-2:]).decode())
        self.wlan = self.server = self.names = None
        self.poller = select.poll()

    def around(self):
        """Return the access points in range as tuples of `WLAN.scan`, none if the scan fails. Blocks for two
        seconds."""
        try:
            station = network.WLAN(network.STA_IF)
            station.active(True)
            found = station.scan()
            station.active(False)
            return found
        except (OSError, RuntimeError):
            return ()

    def start(self, password):
        """Start the access point with WPA2. `password`: 8 to 63 characters. DriverError: it did not start, or not with
        WPA2."""
        wlan = attempt(_WHAT, network.WLAN, network.AP_IF)
        # Configured before it is switched on, so that it is not open even for a moment.
        attempt(_WHAT, wlan.config, ssid=self.ssid, security=_WPA2, key=password, max_clients=_CLIENTS)
        self.wlan = wlan
        attempt(_WHAT, wlan.active, True)
        if attempt(_WHAT, wlan.config, "security") != _WPA2:
            raise DriverError("access point: no WPA2")

    async def listen(self, handle):
        """Listen on TCP port 80 for HTTP connections, which `handle(reader, writer)` serves (asyncio.start_server), and
        on UDP port 53 for DNS queries, which `step` answers. DriverError."""
        import socket

        try:
            self.server = await asyncio.start_server(handle, ADDRESS, 80)
            where = socket.getaddrinfo(ADDRESS, 53, 0, socket.SOCK_DGRAM)[0]
            self.names = socket.socket(where[0], socket.SOCK_DGRAM)
            self.names.setblocking(False)
            self.names.bind(where[-1])
            self.poller.register(self.names, select.POLLIN)
        except OSError as e:
            raise DriverError("%s: %s" % (_WHAT, e))

    def step(self, answer):
        """Answer up to four of the DNS queries that were received; never waits or raises. `answer(query)`: returns the
        response as bytes, or None."""
        for _ in range(_CLIENTS):
            # recvfrom would allocate its buffer even without a query, ten times a second.
            if not self.poller.poll(0):
                return
            try:
                query, peer = self.names.recvfrom(_QUESTION)
                reply = answer(query)
                if reply:
                    self.names.sendto(reply, peer)
            except OSError:
                pass

    def has_clients(self):
        """Return whether a client is connected."""
        return attempt(_WHAT, self.wlan.isconnected)

    def stop(self):
        """Stop the access point. Never raises, and may be called again."""
        for listener in (self.server, self.names):
            if listener:
                listener.close()
        self.server = self.names = None
        if self.wlan:
            try:
                self.wlan.active(False)
            except (OSError, RuntimeError):
                pass  # a reset follows, which stops it at the latest
            self.wlan = None
