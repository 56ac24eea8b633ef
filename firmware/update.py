"""An update over the air: a bundle goes into the slot that does not run, and the record that chooses it comes last.

A bundle is three files in `<folder>/<number>/` on an HTTPS server that answers ranges (RFC 9110 section 14):
`head`, one line: HMAC-SHA256 (RFC 2104) of the manifest with the owner's key, in hex, and the manifest's size;
`manifest`: a line `realer-firmware <number> <version>`, then one `<sha256> <size> <path>` for each file;
`files`: their contents, one behind the other.

Refuses what is not signed with the owner's key, does not have the number that was asked for, or has paths outside of
`firmware/` and `lib/`. Loaded when an update is asked for, and not before.
"""

import binascii
import hashlib
import os
from micropython import const

from firmware.core.errors import ConfigError, LinkError
from firmware.runtime.flash import SLOT_RECORD
from netio.sockets import split

_PIECE = const(1024)
_MOST = const(16384)


async def fetch(number, settings, link, store, beat):
    """Bring bundle `number` into the other slot and choose it for the next start. `link`: for `lend`.
    LinkError: it may go better later; ConfigError: it will not."""
    host, port = split(settings["url"][8:], 443)
    folder = "%s/%d/" % (settings["folder"].rstrip("/"), number)
    source = _Source(await link.lend(host, port), folder, beat)
    record = store.load(SLOT_RECORD)
    active = record.get("slot") or ""
    slot = "b" if active == "a" else "a"
    folder = store.folder + slot
    try:
        if record.get("back") == slot and not store.save(
            SLOT_RECORD, {"slot": active, "number": record.get("number", 0)}
        ):
            raise ConfigError("flash refuses to be written")
        _clear(folder)
        await _manifest(source, settings["key"], folder)
        with open(folder + "/manifest") as lines:
            if lines.readline().split()[:2] != ["realer-firmware", str(number)]:
                raise ConfigError("the bundle is another one than number %d" % number)
            offset = 0
            for line in lines:
                digest, size, path = line.split()
                await _file(source, folder, path, offset, int(size), digest)
                offset += int(size)
        chosen = {"slot": slot, "back": active, "tries": 1, "online": True, "number": number}
        chosen["was"] = record.get("number", 0)
        if not store.save(SLOT_RECORD, chosen):
            raise ConfigError("flash refuses to be written")
    except source.client.failures as e:
        raise LinkError("bundle: %s" % e)
    except (OSError, ValueError) as e:
        raise ConfigError("bundle: %s" % e)
    finally:
        source.client.close()


class _Source:
    def __init__(self, client, folder, beat):
        self.client = client
        self.folder = folder
        self.beat = beat

    async def copy(self, name, start, size, sha, write):
        """Bytes `start` to `start + size` of a file, in pieces, to the hash `sha` and to `write`."""
        while size:
            self.beat()
            piece = await self.piece(name, start, min(size, _PIECE))
            sha.update(piece)
            write(piece)
            start += len(piece)
            size -= len(piece)

    async def piece(self, name, start, size):
        span = (("Range", "bytes=%d-%d" % (start, start + size - 1)),)
        response = await self.client.request("GET", self.folder + name, span)
        if response.status >= 500 or response.status == 429:
            raise LinkError("bundle: server says %d" % response.status)
        if response.status not in (200, 206) or not 0 < len(response.body) <= size:
            raise ConfigError("bundle: server says %d to a range of %s" % (response.status, name))
        return response.body


async def _manifest(source, key, folder):
    """Put the manifest there if its owner signed it."""
    mac, digits = bytes(await source.piece("head", 0, 80)).decode().split()
    size = int(digits)
    if size > _MOST:
        raise ConfigError("bundle: manifest too large")
    key = key.reveal().encode()
    key += bytes(64 - len(key))
    inner = hashlib.sha256(bytes([b ^ 0x36 for b in key]))
    with open(folder + "/manifest", "wb") as f:
        await source.copy("manifest", 0, size, inner, f.write)
    outer = hashlib.sha256(bytes([b ^ 0x5C for b in key]))
    outer.update(inner.digest())
    if binascii.hexlify(outer.digest()).decode() != mac:
        raise ConfigError("bundle: not signed with update.key")


async def _file(source, folder, path, offset, size, digest):
    parts = path.split("/")
    if parts[0] not in ("firmware", "lib") or ".." in parts:
        raise ConfigError("bundle: no place for %s" % path)
    for part in parts[:-1]:
        folder += "/" + part
        try:
            os.mkdir(folder)
        except OSError:
            pass  # it is there, or opening the file says what is wrong
    sha = hashlib.sha256()
    with open(folder + "/" + parts[-1], "wb") as f:
        await source.copy("files", offset, size, sha, f.write)
    if binascii.hexlify(sha.digest()).decode() != digest:
        raise ConfigError("bundle: %s arrived changed" % path)


def _clear(folder):
    """An empty folder, whatever was there."""
    try:
        names = os.listdir(folder)
    except OSError:
        return os.mkdir(folder)
    for name in names:
        name = folder + "/" + name
        try:
            os.remove(name)
        except OSError:
            _clear(name)
            os.rmdir(name)
