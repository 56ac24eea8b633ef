"""Rescue a board that no longer trusts the certificate of its cloud, because the cloud has another root or the board's
has expired: ask the update server for the bundle that the owner signed for such boards. No command can request it,
because none arrives. In memory only meanwhile.

The bundle is on trial like any other, so the board has to come online with it. It is tried at most twice.
"""

import binascii
import hashlib
from micropython import const

from firmware.core.errors import ConfigError, LinkError
from netio.sockets import split
from units.loader import Unit

_RECORD = "rescue.json"
_MOST_TRIALS = const(2)
_OK = const(200)


async def rescue(loop, feed, fetch, restart):
    """Install the rescue bundle if it is newer than the one that runs. `fetch(loop, number, feed)`, `restart(loop)`:
    see update_steps."""
    loop.log("warning", "update: the cloud's certificate is not trusted; asking the update server")
    try:
        number = await _number(loop)
        tried = loop.store.load(_RECORD)
        trials = tried.get("trials", 0) if tried.get("number") == number else 0
        if number <= loop.release.number or trials >= _MOST_TRIALS:
            return loop.log("warning", "update: no bundle newer than %d" % number)
        loop.log("info", "update: fetching bundle %d" % number)
        await fetch(loop, number, feed)
    except (LinkError, ConfigError, MemoryError) as e:
        return loop.log("error", "update: %s; asking again in an hour" % (str(e) or "no memory"))
    finally:
        loop.device.cloud_loop.resume()
    loop.store.save(_RECORD, {"number": number, "trials": trials + 1})
    await restart(loop)


async def _number(loop):
    """Return the number of the rescue bundle. LinkError, ConfigError."""
    settings, link = loop.settings, loop.device.link
    if link.exclusive():
        await loop.device.cloud_loop.pause()
    host, port = split(settings["url"][8:], 443)
    client = await link.lend(host, port)
    unit = None
    if not client:
        unit = Unit(_client, loop.clock.sleep_ms)
        client = unit.load()(link.account, host, port)
    try:
        response = await client.request("GET", settings["folder"].rstrip("/") + "/rescue", ())
        if response.status != _OK:
            raise ConfigError("rescue: server answers %d" % response.status)
        return _signed(bytes(response.body), settings["key"].reveal().encode())
    except client.failures as e:
        raise LinkError("rescue: %s" % e)
    finally:
        client.close()
        if unit:
            unit.drop()


def _signed(line, key):
    """Return the number in `line`, `<HMAC-SHA256 in hex> <number>`. ConfigError if it is not signed with `key`."""
    mac, _, digits = line.strip().partition(b" ")
    if not digits.isdigit():
        raise ConfigError("rescue: not signed with update.key")
    key += bytes(64 - len(key))
    inner = hashlib.sha256(bytes([b ^ 0x36 for b in key]))
    inner.update(b"realer-rescue %d\n" % int(digits))
    outer = hashlib.sha256(bytes([b ^ 0x5C for b in key]))
    outer.update(inner.digest())
    if binascii.hexlify(outer.digest()) != mac:
        raise ConfigError("rescue: not signed with update.key")
    return int(digits)


def _client():
    from firmware.update_client import client

    return client
