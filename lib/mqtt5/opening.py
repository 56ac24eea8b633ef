"""Open a Client's connection: CONNECT, CONNACK and subscribing (MQTT 5.0 sections 3.1, 3.2 and 3.8).

A separate module, so that it can be unloaded once a connection is open. It may be bundled separately from the Client
and its Session, so it takes them as arguments and does not import MqttError: that would be a second class of this name,
which nothing catches. It raises the session's `error_class` instead.
"""

import asyncio
from collections import namedtuple
from micropython import const

from mqtt5 import codes, parts
from netio.errors import NetError

_CONNECT_MS = const(40000)
_LARGEST = const(0x3FFFFFFF)

Connack = namedtuple("Connack", ("session_present", "keep_alive_s", "session_expiry_s", "client_id"))


async def connect(client, *args, start=asyncio.create_task, **options):
    """`connect(client, client_id, username=None, password=None, keep_alive_s=45, version=5, clean=True,
    session_expiry_s=0, will=None)`: close any earlier connection, connect, and return the server's Connack.

    `version`: 5, or 4 for MQTT 3.1.1. `clean`: discard an earlier session. `session_expiry_s`: how long the server
    keeps this session after the connection has ended (3.1.1: for good, unless `clean`). `will`: (topic, payload) or
    None. `start(coroutine)`: starts a task and returns it. NetError: "timeout" if connecting takes more than 40 s in
    all. MqttError: the server refused, or broke the protocol.
    """
    client.close()
    facts = None
    try:
        facts = await client.clock.within(_CONNECT_MS, _opened(client, args, options))
    except asyncio.TimeoutError:
        raise NetError("timeout", "answer" if client.stream else "connect")
    finally:
        if not facts:
            client.close()
    if not facts.session_present:
        client.inbox.clear()
    stream = client.stream
    client.tasks = [start(client.keep(stream, job)) for job in (client.reader, client.writer, client.pinger)]
    return facts


async def subscribe(client, topics, qos=1):
    """Subscribe to `topics` (a list of str) with `qos` 0 or 1; return the reason codes as bytes. NetError. MqttError: a
    topic was refused.

    The server keeps QoS 1 messages in order and has at most as many in flight as our Receive Maximum. Subscribe with
    QoS 0 to topics whose messages must not wait behind these.
    """
    return await client.outcome(await client.submit(subscription, client.session, topics, qos))


def begin(session, client_id, username=None, password=None, keep_alive_s=45, version=5, clean=True, session_expiry_s=0,
          will=None):  # fmt: skip
    """Begin a connection, see `connect`: queue CONNECT for the session's `take`. Pass the first event to `accept`."""
    session.state = session.after(codes.BEGIN)
    if clean or version != session.version:
        _forget(session)
    session.version = version
    session.clean = clean
    session.requested = keep_alive_s, session_expiry_s, client_id
    session.start = session.end = session.skipped = 0
    session.aliases = {}
    properties = (
        (codes.SESSION_EXPIRY, 4, session_expiry_s),
        (codes.RECEIVE_MAXIMUM, 2, parts.WINDOW),
        (codes.TOPIC_ALIAS_MAXIMUM, 2, parts.ALIASES),
        (codes.MAXIMUM_PACKET_SIZE, 4, len(session.view)),
    )
    session.out = connect_packet(
        version, clean, keep_alive_s, properties, client_id, username, password, will
    )


def accept(session, present, properties):
    """Open the connection with a session's first event (`present`, `properties`) and return the Connack. MqttError: it
    breaks the protocol, and the connection is over."""
    get = properties.get
    keep_s, expiry_s, client_id = session.requested
    window = get(codes.RECEIVE_MAXIMUM, 65535)
    largest = get(codes.MAXIMUM_PACKET_SIZE, _LARGEST)
    if (present and session.clean) or not window or not largest:
        raise session.error_class(codes.PROTOCOL_ERROR)
    session.state = session.after(codes.ACCEPT)
    server_s = get(codes.SERVER_KEEP_ALIVE, keep_s)
    # If the server asks for a longer keep-alive, or none, ours is used, to detect a lost connection (section 3.1.2.10).
    keep_s = min(server_s or keep_s, keep_s or server_s)
    expiry_s = get(codes.SESSION_EXPIRY, expiry_s)
    session.largest = largest
    session.max_qos = get(codes.MAXIMUM_QOS, 1)
    session.keep_ms = keep_s * 1000
    session.pinged = session.error = None
    if not present:
        _forget(session)
    # The server has discarded those messages that it did not resend during the whole of the last connection.
    session.held = {pid: state & ~1 for pid, state in session.held.items() if state & 1}
    session.connections += 1
    in_flight = session.in_flight
    in_flight.window = window
    in_flight.kept = expiry_s if session.version == 5 else not session.clean
    in_flight.all = [entry for entry in in_flight.all if len(entry.data) <= largest]
    session.out += in_flight.due()
    return Connack(present > 0, keep_s, expiry_s, get(codes.ASSIGNED_CLIENT_ID, client_id))


def subscription(session, filters, qos=1):
    """Queue a SUBSCRIBE with `qos` to `filters`, a list of str, and return its InFlight. MqttError: the packet is
    larger than the server accepts."""
    pid = session.in_flight.new_pid()
    session.out += session.allowed(subscribe_packet(session.version, pid, filters, qos))
    return session.in_flight.add(pid, b"", len(filters))


def connect_packet(version, clean, keep_alive_s, properties, client_id, username, password, will):
    """Return a CONNECT. `properties`: (id, size, number) each, ignored for 3.1.1. `will`: (topic, payload), sent with
    QoS 1, or None.

    Client id, user name, password and will are str or bytes. ValueError: one is longer than 65535 bytes.
    """
    flags = 2 if clean else 0
    tail = parts.counted(client_id)
    if will:
        flags |= 12
        tail += parts.properties(version, ()) + parts.counted(will[0]) + parts.counted(will[1])
    if username is not None:
        flags |= 128
        tail += parts.counted(username)
    if password is not None:
        flags |= 64
        tail += parts.counted(password)
    head = b"\0\4MQTT" + bytes((version, flags)) + keep_alive_s.to_bytes(2, "big")
    return parts.packet(codes.CONNECT << 4, head + parts.properties(version, properties) + tail)


def subscribe_packet(version, pid, filters, qos=1):
    """Return a SUBSCRIBE with `qos` for each of `filters`."""
    body = pid.to_bytes(2, "big") + parts.properties(version, ())
    for text in filters:
        body += parts.counted(text) + bytes((qos,))
    return parts.packet(codes.SUBSCRIBE << 4 | 2, body)


def _forget(session):
    """Discard all unacknowledged messages, in both directions."""
    session.in_flight.all = []
    session.held = {}


async def _opened(client, args, options):
    session = client.session
    # Stored at once, so that `close` finds it whenever the deadline expires. CONNECT is encoded only when it can be
    # sent, so that the password does not stay in memory.
    client.stream = await client.dialer.dial(client.host, client.port)
    begin(session, *args, **options)
    await client.stream.write(session.take(client.clock.ms()))  # includes the TLS handshake
    while True:
        event = session.next(client.clock.ms())
        if event:
            return accept(session, *event)
        await client.refill(client.stream)
