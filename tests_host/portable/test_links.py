"""What links decide between two requests: what is read again, unloaded or waited for."""

from firmware.core.errors import LinkError
from firmware.core.outcomes import NOT_FOUND, OK
from firmware.core.safety import Lease
from firmware.core.timing import Timer
from firmware.links.polling import Polling
from firmware.links.transport_failures import TransportFailures
from firmware.links.transport_steps import TransportSteps
from firmware.links.transports import Transports
from tests_host.support.scripted import FakeClock

HOUR_MS = 3600000


class Asked(Exception):
    """A request would leave."""


class Account:
    """An account on MQTT with its network; the session, which answers `outcome` for every report."""

    cfg = {"api": "realer", "transport": "mqtt"}
    on_mqtt, realino, held, limited, rows, catalog = True, False, True, False, (), None
    memory_failures = unanswered = free = 0
    http = None

    def __init__(self, outcome=OK):
        self.clock = FakeClock()
        self.lease = self.net = self.client = self.source = self
        self.token = Timer(self.clock.ms(), HOUR_MS)
        self.outcome = outcome
        self.closed = self.unloaded = 0

    async def send(self, reports):
        return [(report, self.outcome) for report in reports]

    async def load(self):
        if self.limited:
            return self
        raise Asked

    async def poll(self):
        return None

    def feed(self):
        pass

    def heap_free(self):
        return self.free

    def close(self):
        self.closed += 1

    def unload(self):
        self.unloaded += 1


async def test_a_refused_report_has_the_catalog_read_again_within_ten_minutes():
    for outcome, left_ms, renewed_ms in (
        (OK, HOUR_MS, HOUR_MS),
        (NOT_FOUND, HOUR_MS, 600000),
        (NOT_FOUND, 300000, 300000),
    ):
        account = Account(outcome)
        link = Transports(account)
        link.session, link.renewal = account, Timer(account.clock.ms(), left_ms)
        assert await link.send(["a"]) == [("a", outcome)]
        assert link.renewal.left_ms(account.clock.ms()) == renewed_ms
        assert (account.rows is None) == (renewed_ms < left_ms)


def test_closed_polling_leaves_its_memory_to_others_when_that_is_short_or_nobody_answers():
    for memory_failures, unanswered, unloaded in ((0, 0, 0), (0, 1, 0), (0, 2, 1), (1, 0, 1)):
        account = Account()
        account.memory_failures, account.unanswered = memory_failures, unanswered
        link = Polling(account)
        link.http = account
        link.close()
        assert (account.unloaded, account.closed) == (unloaded, 1 - unloaded)
        link.close()
        assert account.unloaded == unloaded


async def test_the_first_mqtt_catalog_is_read_only_where_polling_leaves_room_for_it():
    for transport, free, fits, error in (
        ("auto", 9800, None, Asked),
        ("auto", 9799, None, LinkError),
        ("auto", 0, True, Asked),
        ("mqtt", 0, None, Asked),
    ):
        account = Account()
        account.cfg = {"api": "realer", "transport": transport, "ports": ("2", "6", "14")}
        account.free = free
        link = Transports(account)
        link.polling, link.fits = account, fits
        found = None
        try:
            await TransportSteps(link).read_catalog()
        except (Asked, LinkError) as e:
            found = type(e)
        assert found is error and link.fits is (False if error is LinkError else fits)


async def test_a_token_that_is_due_soon_is_renewed_with_the_credentials():
    for left_ms, renewed in ((HOUR_MS, False), (600000, False), (599999, True)):
        account = Account()
        account.renewal = Timer(account.clock.ms(), left_ms)
        link = Transports(account)
        link.polling = account
        link.single, link.steps = True, ["read_catalog"]
        try:
            await TransportSteps(link).change(None)
        except Asked:
            pass
        assert account.renewal.passed(account.clock.ms()) == renewed


async def test_desired_values_that_the_rate_limit_keeps_back_are_asked_for_again():
    account = Account()
    account.limited = True
    link = Transports(account)
    link.polling = account
    assert await TransportSteps(link).catch_up() is True and not link.caught_up


def test_polling_gets_the_memory_of_what_is_read_again_before_the_next_session_where_one_connection_fits():
    for single, misses, polls, kept in (
        (True, 0, False, True),
        (True, 9, True, False),
        (False, 9, True, True),
    ):
        account = Account()
        account.cfg = {"api": "realer", "transport": "auto"}
        account.log, account.rng = lambda *line: None, lambda: 0
        link = Transports(account)
        link.single = single
        link.catalog_read = link.mqtt_catalog = link.credentials = "read"
        link.topics = {"topic": 1}
        steps = TransportSteps(link)
        steps.choice.misses = misses
        assert TransportFailures(steps).poll_instead(LinkError("no broker")) == polls
        held = [link.catalog_read, link.mqtt_catalog, link.credentials, link.topics]
        assert held == (["read", "read", "read", {"topic": 1}] if kept else [None, None, None, {}])


class Half:
    """An HTTPS half, and its unit, whose memory has not come back."""

    def __init__(self, account):
        self.clock = account.clock
        self.client = self.source = self
        self.revoked = None

    async def gone(self):
        return False

    def load(self):
        return lambda account: self

    def abandon(self):
        pass

    close = abandon

    async def revoke(self, token):
        self.revoked = token


async def test_an_orderly_end_revokes_the_token_although_memory_has_not_come_back():
    account = Account()
    account.lease = Lease(account.clock.ms())
    link = Polling(account)
    link.unit = half = Half(account)
    token = account.token
    await link.shutdown()
    assert half.revoked is token and account.token is None
