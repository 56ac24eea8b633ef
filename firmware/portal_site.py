"""The web server of the setup portal: routes, limits of a connection, and checking and saving of the form.

Every request gets a response, and only the form with its token changes anything. The token is random and new each time
the portal opens, so that pages of other sites in the same browser cannot send the form. A request with another host
than the portal's address is only redirected, so that such pages cannot read the token either. Browsers open connections
in advance and send nothing on them: if there are too many, the oldest of these is closed.
"""

import asyncio
from micropython import const

from dnsstub.captive import answer
from firmware.core.errors import DriverError
from firmware.core.setup_form import SCRIPT_HASH, empty, field_errors, fill, listed, page, saved
from firmware.version import VERSION
from http1.request import Request, RequestError, form, response

ADDRESS = "192.168.4.1"
CONFIG = "config.json"
_IP = bytes((192, 168, 4, 1))
_CONNECTIONS = const(3)
_DEADLINE_MS = const(10000)
_LINGER_MS = const(1000)
_PIECE = const(256)
_HTML = (
    "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\nContent-Security-Policy: "
    "default-src 'none'; style-src 'unsafe-inline'; script-src '%s'; form-action 'self'; frame-ancestors 'none'\r\n"
)


class Site:
    """`new_access_point(name)`: see drivers.access_point. `standalone`: no loop of the firmware runs. `why`: why the
    portal is open. `found`: names of networks in reach. `saved`: the form was saved, which takes effect at the next
    start."""

    def __init__(self, clock, rng, store, standalone, new_access_point=None, why=""):
        self.why = why
        self.found = ()
        self.clock = clock
        self.store = store
        self.standalone = standalone
        self.saved = False
        self.connections = 0
        self.silent = []  # tasks of connections on which nothing was received yet, oldest first
        self.token = "%08x%08x" % (rng(), rng())
        self.access_point = (new_access_point or _access_point)(str(store.load(CONFIG).get("name", "device")))

    def look(self, scan):
        """Set the list of networks in reach. `scan`: an earlier result; None: scan now if `standalone`, because that
        blocks the event loop."""
        if self.standalone and scan is None:
            scan = self.access_point.around()
        self.found = listed(scan or ())

    def name(self, query):
        """Return the response to a DNS query (both datagrams), or None."""
        return answer(query, _IP)

    async def serve(self, reader, writer):
        """Serve one connection."""
        me = asyncio.current_task()
        self.connections += 1
        self.silent.append(me)
        try:
            crowded = self.connections > _CONNECTIONS
            others = len(self.silent) > 1
            if crowded and others:
                self.silent.pop(0).cancel()
            if not crowded or others:
                await self.clock.within(_DEADLINE_MS, self.talk(reader, writer, me))
        except (OSError, asyncio.TimeoutError, asyncio.CancelledError, MemoryError):
            pass
        finally:
            self.connections -= 1
            self.mark_active(me)
            writer.close()
            try:
                await writer.wait_closed()
            except OSError:
                pass

    def mark_active(self, task):
        if task in self.silent:
            self.silent.remove(task)

    async def talk(self, reader, writer, task):
        request = Request()
        try:
            while not request.done:
                data = await reader.read(_PIECE)
                if not data:
                    return
                self.mark_active(task)
                request.feed(data)
            reply = self.reply(request)
            if request.method == "HEAD":
                reply = reply[:1]
        except RequestError as e:
            reply = response(e.status)
        except MemoryError:
            reply = response(503, "", ["No memory for that at the moment. Please try again."])
        for piece in reply:
            writer.write(piece)
            await writer.drain()
        # Closing while something is unread would reset the connection, and the response would be lost.
        await self.clock.within(_LINGER_MS, _until_closed(reader))

    def reply(self, request):
        """Return the response to a complete request, in pieces (bytes)."""
        here = request.host in (ADDRESS, ADDRESS + ":80")
        if request.method in ("GET", "HEAD"):
            if here and request.target == "/":
                return self.page(200, self.load(), {})
            return response(302, "Location: http://%s/\r\nCache-Control: no-store\r\n" % ADDRESS)
        if request.method != "POST":
            return response(405, "Allow: GET, HEAD, POST\r\n")
        if request.target != "/save":
            return response(404)
        try:
            entered = form(request.body)
        except ValueError:
            return response(400)
        if not here:
            return response(403)
        if entered.get("token") != self.token:
            wrong = {"": "That form has expired. Please enter everything again."}
            return self.page(403, self.load(), wrong)
        return self.save(entered)

    def load(self):
        """Return the configuration from the file; while loops run, only the parts of the form, to save memory."""
        raw = self.store.load(CONFIG)
        return raw if self.standalone else {key: raw[key] for key in ("wifi", "lan", "cloud") if key in raw}

    def page(self, status, raw, wrong):
        pieces = page(raw, self.access_point.ssid, VERSION, self.token, wrong, self.why, self.found)
        return response(status, _HTML % SCRIPT_HASH, pieces)

    def save(self, entered):
        part = self.load()
        fill(part, entered)
        # While loops run, the rest of the configuration has been checked at this start.
        wrong = field_errors(part) or (self.standalone and _others(part)) or {}
        if empty(entered):
            wrong[""] = "Nothing was entered, so nothing was saved."
        if wrong:
            return self.page(422, part, wrong)
        raw = self.store.load(CONFIG)
        raw.update(part)
        if not self.store.save(CONFIG, raw):
            return self.page(500, part, {"": "Writing to flash failed."})
        self.store.mark_good()  # the restart that follows is not an early crash
        self.saved = True
        return response(200, _HTML % SCRIPT_HASH, saved(part, self.access_point.ssid, VERSION))


def join_failure(network):
    """Return (why no network was joined, as text; the access points of the last scan)."""
    control = network.joining and network.joining.control
    try:
        last = control.status() if control else ""
    except DriverError as e:
        last = str(e)
    why = "The LAN is not connected"
    if network.networks:
        why = "It could not join any Wi-Fi it knows (%s)" % ", ".join(
            [known[0] for known in network.networks]
        )
    return (why + (": %s." % last if last else ".")), (network.joining.found if control else ())


def _others(raw):
    """Return {"": text} if the configuration has errors in keys that are not in the form, else an empty value."""
    from firmware.settings import problems_of

    errors = [path for level, path, _, _ in problems_of(raw) if level == "error"]
    return errors and {"": "%s is wrong, and this page cannot correct it." % errors[0]}


def _access_point(name):
    from firmware.drivers.access_point import AccessPoint

    return AccessPoint(name)


async def _until_closed(reader):
    while await reader.read(_PIECE):
        pass
