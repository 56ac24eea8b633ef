"""The source of iot/v1 of generation B1: catalogs and desired values. It loads the code that logs in and sends reports.

Source: docs/protocol.md, Tokens, Catalogs.
"""

from firmware.cloud import realer
from firmware.core.models import Catalog
from units.loader import Unit


class Iot:
    """See `links.https` for the verbs."""

    def __init__(self, http):
        self.http = http
        self.account = http.account
        self.sender = self.sender_unit = None  # an IotSender and its unit, while reports are sent
        self.same = None  # the last desired values, for the response 304

    def memo(self):
        """Unload the sender. There is no state to keep."""
        if self.sender:
            self.sender = None
            self.sender_unit.drop()

    async def begin(self):
        """Do nothing: every cloud of this generation offers the same."""

    def scopes(self):
        if self.account.no_scopes or self.account.cfg["transport"] == "https":
            return ""
        unit, login = self.loaded()
        scopes = login.scopes()
        unit.drop()
        return scopes

    async def login(self, scopes):
        unit, login = self.loaded()
        try:
            return await login.token(scopes)
        finally:
            unit.drop()

    async def revoke(self, token):
        unit, login = self.loaded()
        try:
            await login.revoke(token)
        finally:
            unit.drop()

    def loaded(self):
        """Return (its unit, Login), loaded for one use."""
        unit = Unit(_login, self.account.clock.sleep_ms)
        return unit, unit.load()(self.http)

    def request(self, what, text):
        return realer.request(self.account.cfg, self.account.token, what, text)

    async def open(self):
        """Log in and read the catalog, and store the desired values that come with it in the account. Waits for the
        rate limit, because a failure would cost another TLS handshake. LinkError, AuthError."""
        account = self.account
        account.rows = account.desired = None
        while account.desired is None:
            account.desired = await self.poll()

    async def poll(self):
        account = self.account
        http = self.http
        if account.rows is None:
            http.tag = ""
        body = await http.read("commands")
        if body is None:
            return None
        if body == ():
            return self.same
        tag = http.last_tag
        rows, desired = realer.commands(body)
        if rows != account.rows:
            body = await http.read("sensors")
            if body is None:
                return None
            account.catalog = Catalog(rows, realer.sensors(body))
            account.rows = rows
        http.tag = tag
        self.same = desired if tag else None
        return desired

    async def send(self, reports):
        """See IotSender, which is unloaded again when no more reports are waiting. LinkError, AuthError."""
        if not self.sender:
            self.sender_unit = Unit(_sender, self.account.clock.sleep_ms)
            self.sender = self.sender_unit.load()(self.http)
        done = await self.sender.send(reports)
        if len(done) == len(reports) < self.http.most:
            self.memo()
        return done


def _login():
    from firmware.links.login import Login

    return Login


def _sender():
    from firmware.links.iot_sender import IotSender

    return IotSender
