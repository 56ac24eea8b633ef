"""What MQTT needs to be read over HTTPS before: its catalog, and the credentials for one session.

In memory only while they are read.
"""

from firmware.cloud import mqtt_catalog
from firmware.core import verdict as v
from firmware.core.errors import LinkError


class MqttSetup:
    """`http`: an Https. `strict`: a refusal ends the authorization; else it may concern MQTT alone, and `unavailable`
    tells that another attempt soon would come to the same."""

    def __init__(self, http, strict):
        self.http = http
        self.strict = strict
        self.unavailable = False

    async def catalog(self):
        """The MqttCatalog. LinkError."""
        catalog = mqtt_catalog.catalog(await self.read("mqtt"))
        if not catalog.endpoint:
            raise self.refusal(v.GONE, "MQTT is not available for this device")
        return catalog

    async def credentials(self, catalog):
        """Fresh MqttCredentials for it. LinkError."""
        return mqtt_catalog.credentials(await self.read(catalog.endpoint, catalog.body))

    async def read(self, what, text=""):
        outcome, body, message = await self.http.exchange(what, text, self.strict)
        self.http.account.alive()
        if outcome == v.SLOW:
            raise LinkError(message)
        if outcome != v.OK:
            raise self.refusal(outcome, message)
        return body

    def refusal(self, outcome, message):
        self.unavailable = True
        return self.http.refused(outcome, message) if self.strict else LinkError(message)


def with_routes(catalog, routes):
    """(Catalog, {desired topic: command id}), see cloud.mqtt_catalog."""
    catalog = mqtt_catalog.with_routes(catalog, routes)
    return catalog, mqtt_catalog.desired_topics(catalog, routes)
