"""What links decide between two requests: what is read again, unloaded or waited for."""

from firmware.core.outcomes import NOT_FOUND, OK
from firmware.core.timing import Backoff, Timer
from firmware.links.mqtt_connecting import MqttConnecting
from firmware.links.polling import Polling
from firmware.links.transports import Transports
from tests_host.support.scripted import FakeClock

HOUR_MS = 3600000


class Account:
    """An account on MQTT with its network; the session, which answers `outcome` for every report."""

    cfg = {"api": "realer", "transport": "mqtt"}
    on_mqtt, realino, rows = True, False, ()
    memory_failures = unanswered = 0

    def __init__(self, outcome=OK):
        self.clock = FakeClock()
        self.lease = self.net = self.client = self
        self.renewals = Backoff(5000, 60000)
        self.token = Timer(self.clock.ms(), HOUR_MS)
        self.outcome = outcome
        self.closed = self.unloaded = 0

    async def send(self, reports):
        return [(report, self.outcome) for report in reports]

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


def test_renewals_that_each_cost_the_session_are_rare_while_the_token_cannot_be_renewed():
    for failures, token_ms, pause_ms in ((0, HOUR_MS, 0), (1, HOUR_MS, 60000), (1, 100000, 25000)):
        account = Account()
        account.renewals.failures = failures
        account.token = Timer(account.clock.ms(), token_ms)
        link = Transports(account)
        link.single = True
        MqttConnecting(link).rest()
        assert link.pause.left_ms(account.clock.ms()) == pause_ms
