"""Takes the steps of a change during a session. In memory only for that, and only with memory for two connections."""

from micropython import const

from firmware.core.errors import AuthError, LinkError

_LATE_MS = const(120000)  # before the credentials expire: poll rather than lose the authorization


async def upkeep(steps):
    """Take the next step if the rate limit allows a request. Between steps the link continues to receive. LinkError."""
    link = steps.link
    on_mqtt = steps.account.on_mqtt
    if link.steps[0] == "begin_change":
        await steps.begin_change()
        link.steps.pop(0)
        if not link.steps:
            return
    http = await link.polling.load()
    step = link.steps[0]
    # While polling, a step may delay a poll: the sooner it is done, the sooner polling ends. `connect` is no request.
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
        # Without a session, or if the authorization ends soon, the link cannot continue.
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
    """Connect and subscribe beside the HTTPS connection. LinkError."""
    link = steps.link
    if steps.account.catalog:
        steps.map_topics()
    await link.busy.acquire()
    try:
        error = await link.connect_mqtt()
    finally:
        link.busy.release()
    if error:
        raise error
