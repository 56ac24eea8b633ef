"""Thinger.io over IOTMP: one connection, over which the cloud reads and writes the device's resources.

A link (docs/ARCHITECTURE.md, "Link") to a cloud that stores no desired state: a written value is answered once the
relay has switched or a movement has begun, or with an error, and changes are sent to the subscribed streams. The login
does not expire: every frame from the cloud renews the lease, and a refused login ends it.
"""

from micropython import const

from firmware.cloud.thinger_resources import Resources
from firmware.core import outcomes
from firmware.core.errors import AuthError, LinkError
from firmware.core.models import Desired
from firmware.core.safety import Lease
from firmware.core.timing import Timer
from firmware.version import VERSION
from iotmp import frame
from iotmp.client import Client
from iotmp.frame import IotmpError
from iotmp.session import BOTH, RUN, Refused, Session
from netio.errors import NetError

_PORT = const(25206)
_KEEP_ALIVE_MS = const(50000)
# A verb returns at least this often, so that its caller can feed the watchdog.
_REST_MS = const(20000)
_LOOK_MS = const(1000)
_LEASE_S = const(345600)
_REFUSED_S = const(300)
_WINDOW_S = const(8)  # execution window of a written value, as its writer waits for the answer
_LOST_MS = const(10000)
_MOST_REPORTS = const(20)
_MOST = const(8)
_GLANCE_MS = const(200)
_OUTCOMES = {"rejected": (frame.BAD_REQUEST, "refused"), "stale": (frame.CONFLICT, "not done in time")}


class Thinger:
    """`cfg`: the `cloud` section of the configuration. `controller`: its outputs and sensors are the resources."""

    waits = 5000, 40000, 5000

    def __init__(self, cfg, net, clock, rng, log, controller):
        self.cfg = cfg
        self.net = net
        self.clock = clock
        self.rng = rng
        self.log = log
        self.controller = controller
        self.resources = Resources(controller, VERSION)
        self.catalog = self.resources.catalog
        self.lease = Lease(clock.ms())
        host, _, port = cfg["host"].partition(":")
        # With a short `silence_s` the cloud has to answer more often.
        keep_ms = min(controller.safety.silence_s * 500 or _KEEP_ALIVE_MS, _KEEP_ALIVE_MS)
        session = Session(self.resources, max(keep_ms, 1000))
        self.client = Client(net, clock, host, int(port or _PORT), session)
        self.requests = {}  # {desired id: (Request without an answer, Timer until it is given up)}
        self.reported = {}  # {message_id: number of the keep-alive whose answer acknowledges the report}
        self.count = rng()  # reports with ids from before a restart may still be in the outbox

    def watch(self, feed):
        """Do nothing: no verb takes long."""

    def masked(self):
        """Return no objects: the log masks the secrets of the configuration anyway."""
        return ()

    async def open(self):
        """Log in, and return the catalog, which follows from the configuration. LinkError. AuthError: login refused."""
        cfg = self.cfg
        login = cfg["user"], cfg["device_id"], cfg["credential"].reveal(), self.rng() % 65535 + 1
        self.requests = {}
        self.reported = {}
        try:
            await self.client.connect(*login)
        except Refused as e:
            text = "%s; check cloud.user, device_id and credential" % e
            self.lease.end(text)
            raise AuthError(text, _REFUSED_S)
        except (NetError, IotmpError) as e:
            raise LinkError(self.explain(e))
        self.contact()
        return self.catalog

    async def next_desired(self):
        """Wait at most 20 s. Return a list with the written value, [] after any other frame, None without one.
        LinkError."""
        try:
            request = await self.client.receive(_LOOK_MS if self.requests else _REST_MS)
        except (NetError, IotmpError) as e:
            raise LinkError(self.explain(e))
        self.forget()
        session = self.client.session
        if session.too_large:
            self.log("warning", "message refused: %d bytes are too many" % session.too_large)
            session.too_large = 0
        if not (request or session.active):
            return None
        session.active = False
        self.contact()
        return await self.handle(request) if request else []

    async def most_reports(self):
        """See Link."""
        return _MOST_REPORTS

    async def send(self, reports):
        """Answer requests, update the streams, and wait until the cloud has received some of that, but not while
        another request waits for its answer. Return (message_id, outcome) of the reports received. LinkError."""
        if not reports:
            return []
        self.queue_reports(reports)
        client = self.client
        reported = self.reported
        number = min(reported.values())
        while client.session.pongs < number or client.error:
            if client.error:
                raise LinkError(str(client.error))
            if self.requests:  # a request waits for its answer, which this could delay
                await self.clock.sleep_ms(_GLANCE_MS)
                break
            await client.until_moved()
        done = []
        for key in list(reported):
            if reported[key] <= client.session.pongs:
                del reported[key]
                done.append((key, outcomes.OK))
        if not reported:
            self.reported = {}  # an emptied dict keeps its size
        return done

    def queue_reports(self, reports):
        """Queue the reports that were not queued yet."""
        client = self.client
        reported = self.reported
        names = {}  # {resource: whether to send it to its subscribers even if unchanged}
        number = client.session.pings + 1
        for report in reports:
            if report.message_id in reported:
                continue
            reported[report.message_id] = number
            request, _ = self.requests.pop(report.desired_id, (None, None))
            names[report.id] = request or names.get(report.id)
            if request and report.status in _OUTCOMES:
                client.refuse(request.stream_id, *_OUTCOMES[report.status])
            elif request:
                client.answer(request.stream_id)
        if names:
            names["status"] = None
            for name, again in names.items():
                client.changed(name, again)
            client.mark()

    def explain(self, error):
        return self.net.explain(error) if isinstance(error, NetError) else str(error)

    def close(self):
        """Close the connection. Never raises."""
        self.client.close()

    async def shutdown(self):
        """Disconnect, within two seconds. Call it after all tasks have ended. Never raises."""
        self.lease.end("shut down")
        self.client.abandon()
        await self.client.disconnect()

    # -- the steps --

    def contact(self):
        """Renew the lease, because a frame was received."""
        self.lease.grant(self.clock.ms(), _LEASE_S, 0)
        self.lease.confirm()

    async def handle(self, request):
        name = request.resource
        kind = self.resources.kinds[name]
        if kind == RUN:
            await self.restart(request)
        value, wrong = self.resources.demand(name, request.payload)
        status = frame.BAD_REQUEST
        if kind == BOTH and not wrong:
            self.client.answer(request.stream_id, value)
            return []
        if not wrong and self.controller.safety.safe:
            status, wrong = frame.UNAVAILABLE, "in safe state"
        if not wrong and len(self.requests) >= _MOST:
            status, wrong = frame.UNAVAILABLE, "too many at once"
        if wrong:
            self.log("warning", "%s: refused: %s" % (name, wrong))
            self.client.refuse(request.stream_id, status, wrong)
            # A dashboard shows the requested value until it gets the present one.
            self.client.changed(name, True)
            return []
        self.count += 1
        self.requests[self.count] = request, Timer(self.clock.ms(), _LOST_MS)
        self.client.moved.set()
        return [Desired(name, value, self.count, None, _WINDOW_S)]

    def forget(self):
        """Answer requests that are under way. Refuse those without an outcome after ten seconds, for instance because
        safe state was entered."""
        now = self.clock.ms()
        for key in list(self.requests):
            request, lost = self.requests[key]
            if self.under_way(key):
                self.client.answer(request.stream_id)
            elif lost.passed(now):
                self.client.refuse(request.stream_id, frame.TIMEOUT, "no outcome")
                self.client.changed(request.resource, True)
            else:
                continue
            del self.requests[key]

    def under_way(self, key):
        """Return whether an output moves towards this desired value and no limit holds it. It may take longer than its
        writer waits, as a cover or a ramp does, so from now on it has no window."""
        for command in self.controller.commands:
            output = command.output
            if command.pending and command.pending.desired_id == key and not (output.why or output.fault):
                command.window = None
                return True
        return False

    async def restart(self, request):
        self.log("warning", "restart requested by the cloud")
        try:
            self.client.answer(request.stream_id)
            await self.client.acknowledged()
            await self.client.disconnect()
        except (NetError, IotmpError):
            pass
        self.controller.restart = True
        raise LinkError("restart")
