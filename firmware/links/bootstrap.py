"""The source of the newest generation of iot/v1: the runtime descriptor, and pending desired states.

It goes around the source of the generation before it, which still logs in and delivers reports. A descriptor counts
while both revisions are what they were, and is read again with every opening, every hour, when desired states have
another revision, and when a report was refused. Source: docs/protocol.md, Bootstrap.
"""

from micropython import const

from firmware.cloud import bootstrap_dialect as dialect
from firmware.cloud import realer
from firmware.core import outcomes
from firmware.core.errors import AuthError, LinkError
from firmware.core.models import Catalog
from firmware.core.timing import Timer

_AGAIN_MS = const(3600000)
_LONGEST_S = const(300)  # whatever the descriptor has


class Bootstrap:
    """`iot`: an Iot. Unless `strict`, a cloud without a bootstrap is asked as the generation before it, and for its
    bootstrap every hour.

    `known`: the revisions of the latest descriptor; None: there is no bootstrap, or it was not read yet. `catalog`:
    what it came with; `seen`: the revisions that desired states named last; `ignored`: how many of those were; `due`:
    Timer of the next descriptor; `highest`: by command the highest sequence number of a desired state.
    """

    def __init__(self, http, iot, strict):
        self.http = http
        self.iot = iot
        self.account = account = http.account
        self.strict = strict
        self.fresh = False  # the descriptor was read in this opening
        nothing = None, None, None, 0, Timer(account.clock.ms()), {}
        self.known, self.catalog, self.seen, self.ignored, self.due, self.highest = account.memo or nothing

    def memo(self):
        self.iot.memo()
        return self.known, self.catalog, self.seen, self.ignored, self.due, self.highest

    def scopes(self):
        """Where scopes are requested, that of desired states is requested too, if there are any."""
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
        """Read the descriptor if it is time to. A rate limit is waited out."""
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
            # Perhaps the cloud is of another generation now.
            self.due = Timer(account.clock.ms())
            raise

    async def poll(self):
        """A command without a pending state gets NOTHING_NEW."""
        account = self.account
        stale = self.known and account.rows is None and not self.fresh
        self.fresh = False
        # A session that ended for this read comes back sooner without the descriptor.
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
        """Read the descriptor; False when the rate limit is not over yet."""
        outcome, body, message = await self.http.exchange("bootstrap")
        if outcome == outcomes.RATE_LIMITED:
            return False
        if outcome == outcomes.OK:
            await self.apply(dialect.descriptor(body))
        elif outcome != outcomes.NOT_FOUND:
            raise LinkError(message)
        elif self.strict:
            raise self.http.refused(outcome, message)
        else:
            self.known = None
            self.account.protocols = "https", "mqtt"
        self.due = Timer(self.account.clock.ms(), _AGAIN_MS)
        return True

    async def apply(self, found):
        account = self.account
        if not self.known or found.revisions != self.known or "" in found.revisions:
            catalog = found.catalog or await self.granular()
            if catalog != self.catalog:
                self.catalog = catalog
        if found.revisions != self.known:
            self.seen = None  # what they named before may be news again
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
        """The catalog where the descriptor has none."""
        rows, _ = realer.commands(await self.http.read("commands"))
        return Catalog(rows, realer.sensors(await self.http.read("sensors")))
