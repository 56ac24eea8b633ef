"""The source of the newest generation of iot/v1: the runtime descriptor, and pending desired states.

It wraps the source of the previous generation, which still logs in and delivers reports. A catalog is valid while both
revisions of the descriptor stay the same. The descriptor is read again with every opening, every hour, when desired
states have another revision, and after a report was refused. Source: docs/protocol.md, Bootstrap.
"""

from micropython import const

from firmware.cloud import bootstrap_dialect as dialect
from firmware.cloud import realer
from firmware.core import outcomes
from firmware.core.errors import AuthError, LinkError
from firmware.core.models import Catalog
from firmware.core.timing import Timer

_AGAIN_MS = const(3600000)
_LONGEST_S = const(300)  # limit of the times in a descriptor


class Bootstrap:
    """`iot`: an Iot. `strict`: the cloud must have a bootstrap; otherwise one without it is used as the previous
    generation, and its bootstrap is tried every hour. See `links.https` for the verbs.

    `known`: the revisions of the latest descriptor; None: there is no bootstrap, or it was not read yet. `catalog`: its
    Catalog. `seen`: the revisions in the last response with desired states; `ignored`: how many of these were ignored.
    `due`: Timer until the next descriptor. `highest`: {command id: highest sequence number of a desired state}.
    """

    def __init__(self, http, iot, strict):
        self.http = http
        self.iot = iot
        self.account = account = http.account
        self.strict = strict
        self.fresh = False  # the descriptor was read, and nothing was polled since
        nothing = None, None, None, 0, Timer(account.clock.ms()), {}
        self.known, self.catalog, self.seen, self.ignored, self.due, self.highest = account.memo or nothing

    def memo(self):
        self.iot.memo()
        return self.known, self.catalog, self.seen, self.ignored, self.due, self.highest

    def scopes(self):
        """Add the scope of desired states, if the cloud has a bootstrap and scopes are requested at all."""
        scopes = self.iot.scopes()
        strict = self.strict and not self.account.no_scopes
        if not scopes:
            return dialect.SCOPES if strict else scopes
        return scopes + " " + dialect.SCOPE if strict or self.known else scopes

    def login(self, scopes):
        return self.iot.login(scopes)

    def revoke(self, token):
        return self.iot.revoke(token)

    def request(self, what, text):
        return self.iot.request(what, text)

    def send(self, reports):
        return self.iot.send(reports)

    async def begin(self):
        """Read the descriptor if it is due, after waiting for the rate limit. LinkError."""
        self.fresh = False
        if self.known or self.due.passed(self.account.clock.ms()):
            while not self.fresh:
                self.fresh = await self.describe()

    async def open(self):
        account = self.account
        account.rows = account.desired = None
        await self.begin()
        try:
            while account.desired is None:
                account.desired = await self.poll()
        except AuthError:
            # The cloud may have changed its generation.
            self.due = Timer(account.clock.ms())
            raise

    async def poll(self):
        """Return desired values, NOTHING_NEW for a command without a pending state; None if the rate limit allows no
        request. LinkError."""
        account = self.account
        stale = self.known and account.rows is None and not self.fresh
        self.fresh = False
        # If a session was closed for this request, it is back sooner without reading the descriptor.
        due = self.due.passed(account.clock.ms()) and not account.on_mqtt
        if (stale or due) and not await self.describe():
            return None
        if not self.known:
            return await self.iot.poll()
        account.rows = self.catalog.commands
        if "https" not in account.protocols:
            if account.on_mqtt:
                return []
            raise self.http.refused(outcomes.FORBIDDEN, "the cloud does not offer HTTPS")
        body = await self.http.read("desired-states")
        if body is None:
            return None
        revisions = dialect.revisions(body)
        if revisions in (self.seen, self.known, ("", "")) or await self.describe():
            self.seen = revisions
        desired, ignored = dialect.desired(body, self.catalog.commands, self.highest)
        if ignored > self.ignored:
            account.log("warning", "%d desired states ignored: no identity, or an unknown command" % ignored)
        self.ignored = ignored
        return desired

    # -- the steps --

    async def describe(self):
        """Read the descriptor and return True; False if the rate limit allows no request. LinkError."""
        outcome, body, message = await self.http.exchange("bootstrap")
        if outcome == outcomes.RATE_LIMITED:
            return False
        if outcome == outcomes.OK:
            found = dialect.descriptor(body)
            if self.is_new(found):
                catalog = found.catalog or await self.granular()
                if not catalog:
                    return False
                if catalog != self.catalog:
                    self.catalog = catalog
            self.apply(found)
        elif outcome != outcomes.NOT_FOUND:
            raise LinkError(message)
        elif self.strict:
            raise self.http.refused(outcome, message)
        else:
            self.known = None
            self.account.protocols = "https", "mqtt"
        self.due = Timer(self.account.clock.ms(), _AGAIN_MS)
        return True

    def is_new(self, found):
        """Return whether the catalog of the descriptor `found` may differ from the present one."""
        return not self.known or found.revisions != self.known or "" in found.revisions

    def apply(self, found):
        account = self.account
        if found.revisions != self.known:
            self.seen = None  # it was compared with the earlier descriptor
        self.known = found.revisions
        account.catalog = self.catalog
        account.rows = self.catalog.commands
        account.protocols = [name for name in ("https", "mqtt") if dialect.supports(found.protocols, name)]
        self.http.limiter.obey(account.clock.ms(), int(min(found.least_s, _LONGEST_S) * 1000))
        account.retry_s = int(min(found.retry_s, _LONGEST_S))
        if self.scopes() != account.asked_scopes and account.asked_scopes:
            account.token = None
        transport = account.cfg["transport"]
        if not account.protocols or (transport != "auto" and transport not in account.protocols):
            raise self.http.refused(
                outcomes.FORBIDDEN,
                "transport %s, available protocols: %s" % (transport, ", ".join(found.protocols)),
            )

    async def granular(self):
        """Return the Catalog from its own endpoints, if the descriptor has none; None if the rate limit allows no
        request. LinkError."""
        commands = await self.http.read("commands")
        sensors = None if commands is None else await self.http.read("sensors")
        if sensors is None:
            return None
        return Catalog(realer.commands(commands)[0], realer.sensors(sensors))
