"""What follows when a step fails: try again, continue with the present transport, or poll. In memory only then."""

from micropython import const

from firmware.core.errors import AuthError
from firmware.core.timing import Timer

_LATE_MS = const(120000)  # before the credentials end: rather poll than lose the authorization
_AGAIN_MS = const(60000)  # at least, between two attempts to renew that each cost the session


class TransportFailures:
    """`steps`: a TransportSteps."""

    def __init__(self, steps):
        self.steps = steps
        self.link = steps.link

    async def missed(self, error):
        """After an attempt that failed: see `attempted`."""
        link = self.link
        if link.reuses_credentials and link.refused:
            link.reuses_credentials = False
            link.steps = ["begin", "begin_change"]
            return await self.steps.attempted()
        link.steps = []
        link.unload_mqtt()
        other = isinstance(error, AuthError) and link.polling.other_generation(error)
        if not (other or (link.auto and self.poll_instead(error))):
            raise error
        return False

    def recover(self, error):
        """After a change that failed: back to what there was before. LinkError: that is over too."""
        link = self.link
        now = link.clock.ms()
        if not link.was_on_mqtt:
            if not link.auto:
                raise error
            self.fall_back(error)
        elif link.limit.left_ms(now) < (_LATE_MS if link.auto else 1):
            raise error
        else:
            self.postpone(error)
            link.retried = True
            link.steps = ["connect"]

    def fall_back(self, error):
        """Go on polling."""
        link = self.link
        link.steps = []
        link.unload_mqtt()
        if link.topics:
            link.topics = {}
            link.account.rows = None  # the catalog for MQTT has only what has a route
        self.steps.choice.give_up()
        self.poll_instead(error)

    def postpone(self, error):
        """Go on with the session that there is."""
        link = self.link
        wait = max(link.failures.next_ms(link.account.rng()), error.retry_after_s * 1000)
        link.pause = Timer(link.clock.ms(), max(wait, _AGAIN_MS) if link.single else wait)
        link.account.log("warning", "beside MQTT: %s" % error)

    def poll_instead(self, error):
        """Note a failed attempt; whether to poll over HTTPS for now."""
        link = self.link
        account = link.account
        if link.fits is False:
            self.steps.choice.exclude()
        refused = isinstance(error, AuthError)
        if refused:
            # Either the keys are wrong, or this cloud knows no such scopes.
            account.no_scopes = True
        choice = self.steps.choice
        wait = choice.poll_instead(link.clock.ms(), account.rng(), refused)
        if wait is None:
            return False
        if link.single or choice.excluded:
            # All of it is read again before the next session; until then it would take the memory that this needs.
            link.catalog_read = link.mqtt_catalog = link.credentials = None
            link.topics = {}
        again = "" if choice.excluded else ", MQTT again in %d s" % (wait // 1000)
        account.log("warning", "polling over HTTPS%s: %s" % (again, error))
        return True
