"""The access point of the chip: its radio, and the sockets that listen on its address.

It has the second WLAN interface and the listening sockets. It is never open: without WPA2 it does not transmit.
Only DriverError leaves it, and no password is part of one.
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
"""What the port gives itself, and the last of the addresses it hands out."""
_WPA2 = const(3)
_CLIENTS = const(4)
_QUESTION = const(288)  # a name of 253 characters, and what is around it
_SSID_BYTES = const(27)  # of 32, less "-" and four digits
_WHAT = "access point"


class AccessPoint:
    """`ssid`: `name`, cut to fit, and the end of the chip's id."""

    def __init__(self, name):
        while len(name.encode()) > _SSID_BYTES:
            name = name[:-1]
        self.ssid = "%s-%s" % (name, binascii.hexlify(machine.unique_id()[-2:]).decode())
        self.wlan = self.server = self.names = None
        self.poller = select.poll()

    def around(self):
        """The access points in reach, tuples as `WLAN.scan` has them, none where the radio cannot look. It blocks for
        two seconds."""
        try:
            station = network.WLAN(network.STA_IF)
            station.active(True)
            found = station.scan()
            station.active(False)
            return found
        except (OSError, RuntimeError):
            return ()

    def start(self, password):
        """On the air, with WPA2; `password`: 8 to 63 characters."""
        wlan = attempt(_WHAT, network.WLAN, network.AP_IF)
        # Before it is switched on, so that it is not open even for a moment.
        attempt(_WHAT, wlan.config, ssid=self.ssid, security=_WPA2, key=password, max_clients=_CLIENTS)
        self.wlan = wlan
        attempt(_WHAT, wlan.active, True)
        if attempt(_WHAT, wlan.config, "security") != _WPA2:
            raise DriverError("access point: no WPA2")

    async def listen(self, handle):
        """Let `handle(reader, writer)` answer HTTP, see asyncio.start_server, and `step` answer for names."""
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
        """Answer what came for the name server: `answer(query)` is a reply or None."""
        for _ in range(_CLIENTS):
            # Asking for what is not there would cost the room for it, ten times a second.
            if not self.poller.poll(0):
                return
            try:
                query, peer = self.names.recvfrom(_QUESTION)
                reply = answer(query)
                if reply:
                    self.names.sendto(reply, peer)
            except OSError:
                pass  # the client is gone

    def has_clients(self):
        """Whether a client is connected."""
        return attempt(_WHAT, self.wlan.isconnected)

    def stop(self):
        """Off the air. Never raises, may be called again."""
        for listener in (self.server, self.names):
            if listener:
                listener.close()
        self.server = self.names = None
        if self.wlan:
            try:
                self.wlan.active(False)
            except (OSError, RuntimeError):
                pass  # the reset after it, at the latest, is the end of it
            self.wlan = None
