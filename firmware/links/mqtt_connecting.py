"""How an MqttSession is connected and subscribed: in memory only meanwhile."""

import asyncio
from micropython import const

from firmware.core.errors import LinkError
from netio.errors import NetError

_KEEP_ALIVE_S = const(30)
_KEPT_S = const(60)
"""How long the broker holds messages for us across a reconnect: no desired state gets older than that unseen."""
_SUBSCRIBE_MS = const(15000)


async def connect(session, catalog, credentials):
    """Be connected and subscribed: acknowledgements first, then desired states. LinkError, see `session.refused`."""
    client = session.client
    if not client or (client.host, client.port) != (catalog.host, catalog.port):
        session.new_client(catalog.host, catalog.port)
        client = session.client
    session.acks = catalog.acks
    session.routes = catalog.routes
    session.silent_rounds = 0
    session.refused = False
    # What was under way is known by the cloud's acknowledgements and by desired ids, not by the session: so the broker
    # may go on with one whose client has gone from memory meanwhile.
    clean = not session.kept and catalog.version >= 5
    try:
        facts = await client.connect(
            credentials.client_id,
            credentials.username,
            credentials.password.reveal(),
            _KEEP_ALIVE_S,
            catalog.version,
            clean,
            _KEPT_S,
        )
        session.present = facts.session_present
        await session.clock.within(_SUBSCRIBE_MS, _subscribe(client, catalog))
        session.kept = True
    except (NetError, session.refusal, asyncio.TimeoutError) as e:
        session.refused = isinstance(e, session.refusal)
        session.close()
        session.kept = session.kept and isinstance(e, NetError)  # else the session itself may have led here
        raise LinkError("MQTT: %s" % session.explain(e))


async def _subscribe(client, catalog):
    await client.subscribe([catalog.acks])
    desired = [route.desired for route in catalog.routes.values() if route.desired]
    if desired:
        await client.subscribe(desired)
