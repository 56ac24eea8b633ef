"""Decides what follows a failed step: try again, keep the present transport, or poll. In memory only then."""

from micropython import const

from firmware.core.errors import AuthError
from firmware.core.timing import Timer

_LATE_MS = const(120000)  # before the credentials expire: poll rather than lose the authorization
_AGAIN_MS = const(60000)  # shortest time between two renewals that each interrupt the session


class TransportFailures:
    """`steps`: a TransportSteps."""

    def __init__(self, steps):
        self.steps = steps
        self.link = steps.link

    async def missed(self, error):
        """Handle a failed attempt of `open`. Return whether MQTT is the transport, see `attempted`. LinkError."""
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
        """Handle a failed change: return to the transport from before. LinkError: that is not possible."""
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
        """Continue polling."""
        link = self.link
        link.steps = []
        link.unload_mqtt()
        if link.topics:
            link.topics = {}
            link.account.rows = None  # the catalog has errors in rows without an MQTT route
        self.steps.choice.give_up()
        self.poll_instead(error)

    def postpone(self, error):
        """Continue with the present session, and try again later."""
        link = self.link
        wait = max(link.failures.next_ms(link.account.rng()), error.retry_after_s * 1000)
        link.pause = Timer(link.clock.ms(), max(wait, _AGAIN_MS) if link.single else wait)
        link.account.log("warning", "beside MQTT: %s" % error)

    def poll_instead(self, error):
        """Record a failed attempt. Return whether to poll over HTTPS for now."""
        link = self.link
        account = link.account
        if link.fits is False:
            self.steps.choice.exclude()
        refused = isinstance(error, AuthError)
        if refused:
            # Either the keys are wrong, or this cloud does not have these scopes.
            account.no_scopes = True
        choice = self.steps.choice
        wait = choice.poll_instead(link.clock.ms(), account.rng(), refused)
        if wait is None:
            return False
        if link.single or choice.excluded:
            # All of it is read again before the next session. Until then polling needs the memory.
            link.catalog_read = link.mqtt_catalog = link.credentials = None
            link.topics = {}
        again = "" if choice.excluded else ", MQTT again in %d s" % (wait // 1000)
        account.log("warning", "polling over HTTPS%s: %s" % (again, error))
        return True
