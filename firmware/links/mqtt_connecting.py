"""Loads MQTT, connects and subscribes. In memory only for that.

Source: docs/protocol.md, MQTT session, and its assumptions 12 and 13.
"""

import asyncio
from micropython import const

from firmware.core.errors import LinkError
from firmware.links.room import check_room
from mqtt5 import opening
from netio.errors import NetError

_DIAL_MS = const(20000)
_ROOM = const(18500)  # bytes of Python heap that MQTT takes to connect
_KEEP_ALIVE_S = const(30)
_KEPT_S = const(60)
"""How long the broker keeps the session between connections, so no desired state waits there longer than that."""
_SUBSCRIBE_MS = const(15000)


class MqttConnecting:
    """`link`: a Transports. With one connection at a time its HTTPS half must not be loaded."""

    def __init__(self, link):
        self.link = link
        self.account = link.account

    async def connect(self):
        """Connect and subscribe with the credentials of the link. An earlier session is disconnected. LinkError."""
        link = self.link
        account = self.account
        start = link.clock.ms()
        renewed = account.on_mqtt
        session = await self.loaded()
        await session.disconnect()
        session.topics = link.topics or session.topics
        try:
            await connect(session, link.mqtt_catalog, link.credentials, link.start)
        finally:
            link.kept, link.refused = session.kept, session.refused
        if link.single:
            link.steps.pop(0)
            start = link.gap_start
            link.session_lost = link.session_lost or not session.present
            if not (account.catalog and link.polled and (link.caught_up or not link.session_lost)):
                link.steps += ["catch_up", "connect"]
                return
            link.session_lost = False
        if account.catalog:
            link.use_mqtt()
        if renewed:
            took = link.clock.since(start)
            account.log("info", "MQTT credentials renewed, %d ms without a session" % took)
            if link.single and not link.retried:
                link.failures.reset()

    async def loaded(self):
        """Return the MQTT half, loaded if necessary, with the memory to connect. LinkError."""
        link = self.link
        if not link.session:
            if not await link.mqtt_unit.gone():
                raise self.account.net.not_freed()
            check_room(link, _ROOM)
            if link.single:
                await self.prepare()
            link.session = link.mqtt_unit.load()(
                self.account, link.kept, self.account.view if link.single else None
            )
        return link.session

    async def prepare(self):
        """Dial before the MQTT half is loaded, because there is no memory for both. LinkError."""
        net = self.account.net
        catalog = self.link.mqtt_catalog
        try:
            await self.link.clock.within(_DIAL_MS, net.prepare(catalog.host, catalog.port))
        except (NetError, asyncio.TimeoutError) as e:
            error = e if isinstance(e, NetError) else NetError("timeout", "connect")
            raise LinkError("MQTT: %s" % net.explain(error))


async def connect(session, catalog, credentials, start):
    """Connect, then subscribe to acknowledgements and desired states. LinkError, see `session.refused`."""
    client = session.client
    if not client or (client.host, client.port) != (catalog.host, catalog.port):
        session.new_client(catalog.host, catalog.port)
        client = session.client
    session.acks, session.routes = catalog.acks, catalog.routes
    session.silent_rounds = 0
    session.refused = False
    # Reports are identified by message_id and desired states by desired_id, not by the session. So it may be resumed
    # although its client was unloaded meanwhile.
    clean = not session.kept and catalog.version >= 5
    try:
        facts = await opening.connect(
            client,
            credentials.client_id,
            credentials.username,
            credentials.password.reveal(),
            _KEEP_ALIVE_S,
            catalog.version,
            clean,
            _KEPT_S,
            start=start,
        )
        session.present = facts.session_present
        await session.clock.within(_SUBSCRIBE_MS, _subscribe(client, catalog))
        session.kept = True
    except (NetError, session.refusal, asyncio.TimeoutError) as e:
        session.refused = isinstance(e, session.refusal)
        session.close()
        session.kept = session.kept and isinstance(e, NetError)  # else the session itself may be the cause
        raise LinkError("MQTT: %s" % session.explain(e))


async def _subscribe(client, catalog):
    # QoS 0: acknowledgements must not wait behind desired states, which wait until reports are acknowledged. If one is
    # lost with the connection, the report is sent again, and is acknowledged again.
    await opening.subscribe(client, [catalog.acks], 0)
    desired = [route.desired for route in catalog.routes.values() if route.desired]
    if desired:
        await opening.subscribe(client, desired)
