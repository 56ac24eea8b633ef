"""For a board that does not trust the certificate of its cloud any more, because the cloud has another root or its own
has ended: the server of updates is asked for the bundle that the owner signed for such boards. No command can ask for
it, as none arrives. In memory only while that goes on.

The bundle goes on trial like any other, so the board has to come online with it. One that did not help is not tried a
third time.
"""

from micropython import const

from firmware.core.errors import ConfigError, LinkError

_RECORD = "rescue.json"
_MOST_TRIALS = const(2)


async def rescue(loop, feed, fetch, restart):
    """Install that bundle if there is one that is newer than what runs. `fetch(loop, number, feed)`, `restart(loop)`:
    of update_steps."""
    loop.log("warning", "update: the cloud's certificate is not trusted; asking the server of updates")
    try:
        number = await fetch(loop, None, feed)
        tried = loop.store.load(_RECORD)
        trials = tried.get("trials", 0) if tried.get("number") == number else 0
        if number <= loop.release.number or trials >= _MOST_TRIALS:
            return loop.log("warning", "update: nothing newer there than bundle %d" % number)
        loop.log("info", "update: fetching bundle %d" % number)
        await fetch(loop, number, feed)
    except (LinkError, ConfigError, MemoryError) as e:
        return loop.log("error", "update: %s; asking again in an hour" % (str(e) or "no memory"))
    finally:
        loop.device.cloud_loop.resume()
    loop.store.save(_RECORD, {"number": number, "trials": trials + 1})
    await restart(loop)
