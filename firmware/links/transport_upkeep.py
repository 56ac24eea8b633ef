"""Takes steps beside a session: in memory only while that goes on, and only where two connections fit."""

from micropython import const

from firmware.core.errors import AuthError, LinkError

_LATE_MS = const(120000)  # before the credentials end: rather poll than lose the authorization


async def upkeep(steps):
    """The next step, when a request may go: between them the transport is listened to. LinkError."""
    link = steps.link
    on_mqtt = steps.account.on_mqtt
    if link.steps[0] == "begin_change":
        await steps.begin_change()
        link.steps.pop(0)
        if not link.steps:
            return
    http = await link.polling.load()
    step = link.steps[0]
    # While polling a step may push a poll: the sooner it is over, the sooner there are none. To connect is no request.
    if step != "connect":
        if not on_mqtt:
            await http.slot(http.limiter.wait_ms)
        if http.limiter.wait_ms(steps.clock.ms()):
            return
    now = steps.clock.ms()
    try:
        if await getattr(steps, step)():
            return
    except LinkError as e:
        # Without a session, or soon without authorization, there is nothing to go on with.
        lost = on_mqtt and (step == "connect" or (link.auto and link.limit.left_ms(now) < _LATE_MS))
        if lost or isinstance(e, AuthError):
            raise
        if on_mqtt:
            steps.failures("postpone", e)
        else:
            steps.failures("fall_back", e)
        return
    link.steps.remove(step)
    if not link.steps:
        link.failures.reset()
        if steps.account.on_mqtt:
            link.polling.close()


async def connect(steps):
    """Be subscribed beside the HTTPS connection, with room for both."""
    link = steps.link
    if steps.account.catalog:
        steps.map_topics()
    await link.busy.acquire()
    try:
        error = await link.connected()
    finally:
        link.busy.release()
    if error:
        raise error
