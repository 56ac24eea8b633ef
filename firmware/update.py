"""An update over the air: write a bundle beside the copy that runs, then the record that selects it.

A bundle is three files in `<folder>/<number>/` on an HTTPS server. If the server supports ranges (RFC 9110 section 14),
it is asked for some hundred bytes at a time over one connection; otherwise the files are read whole (update_whole):

* `head`: one line with the HMAC-SHA256 (RFC 2104) of the manifest with the owner's key, in hex, and the manifest's size
* `manifest`: a line `realer-firmware <number> <version>`, followed in that line by `<path>:<conditions>` for each file
  that not every configuration needs (core.romslot); then a line `<sha256> <size> <path>` for each file, sorted by path
* `files`: their contents, concatenated

Beside the folders of the bundles there may be a file `rescue` (update_rescue). Files in `firmware/certs/` are root
certificates in DER form, which `firmware.roots` adds to those of the configuration.

The copy is written into the ROM partition if the board has one, otherwise into the folder that does not run. A bundle
is an error if it is not signed with the owner's key, has another number than the requested one, has paths outside of
`firmware/` and `lib/`, or a root that is not a certificate. Loaded only for an update.
"""

import binascii
import hashlib
import os
from micropython import const

from firmware.core.errors import ConfigError, LinkError
from firmware.drivers.rom import find
from firmware.runtime.store import SLOT_RECORD
from netio.sockets import split
from units.loader import Unit

_OK = const(200)
_PARTIAL_CONTENT = const(206)
_TOO_MANY_REQUESTS = const(429)
_PIECE = const(384)  # bytes: after MQTT was unloaded, the heap may have no free block of a kilobyte
_MOST = const(16384)
_ROOTS = "firmware/certs/"
_LARGEST_ROOT = const(4096)


async def fetch(number, settings, link, store, feed):
    """Fetch bundle `number` and select it for the next start. `link`: lends its HTTP client, see its `lend`. LinkError:
    a later attempt may succeed; ConfigError: it will not."""
    host, port = split(settings["url"][8:], 443)
    folder = "%s/%d/" % (settings["folder"].rstrip("/"), number)
    client = await link.lend(host, port)
    unit = None
    if not client:
        unit = Unit(_client, link.account.clock.sleep_ms)
        client = unit.load()(link.account, host, port)
    reader = _BundleReader(client, folder, feed)
    manifest = store.folder + "manifest"
    try:
        await _manifest(reader, settings["key"], manifest)
        record = store.load(SLOT_RECORD)
        active = record.get("slot") or ""
        slot, write, parts = _target(reader, active, manifest, number, store)
        if record.get("back") is not None:
            # The new copy may overwrite the copy that `back` names.
            asked = record.get("asked")
            _save(store, {"slot": active, "number": record.get("number", 0), "asked": asked})
        await write(*parts)
        chosen = {"slot": slot, "back": active, "tries": 1, "online": True, "number": number}
        chosen["was"] = record.get("number", 0)
        _save(store, chosen)
    except reader.client.failures as e:
        raise LinkError("bundle: %s" % e)
    except (OSError, ValueError) as e:
        raise ConfigError("bundle: %s" % e)
    finally:
        reader.client.close()
        if unit:
            unit.drop()
        _remove(manifest)


def _client():
    from firmware.update_client import client

    return client


def _target(reader, active, manifest, number, store):
    """Return (slot of the new copy, the coroutine function that writes it, its arguments)."""
    device = find()
    if device:
        from firmware.update_rom import plan, write

        with open(manifest) as lines:
            conditions = lines.readline().split()[3:]
        files = [(path, size) for path, size, _, _ in _files(manifest, number)]
        there = plan(device, active, files, conditions, store.load("config.json"))
        if there:
            slot, writer, pieces = there
            return slot, write, (writer, pieces, _files(manifest, number), reader.file)
    slot = "b" if active == "a" else "a"
    return slot, _into_folder, (reader, manifest, number, store.folder + slot)


def _save(store, record):
    if not store.save(SLOT_RECORD, record):
        raise ConfigError("flash write failed")


def _files(manifest, number):
    """Yield (path, size, digest, offset in the bundle's `files`) of each file. ConfigError."""
    start, before = 0, ""
    with open(manifest) as lines:
        title = "realer-firmware %d " % number
        if lines.readline(len(title)) != title:
            raise ConfigError("this is not bundle %d" % number)
        while lines.readline(_PIECE)[-1:] not in ("\n", ""):
            pass  # skip the conditions in pieces: the heap may have no block for all of them
        for line in lines:
            digest, size, path = line.split()
            parts = path.split("/")
            if parts[0] not in ("firmware", "lib") or ".." in parts or path <= before:
                raise ConfigError("bundle: invalid path %s" % path)
            yield path, int(size), digest, start
            start += int(size)
            before = path


async def _into_folder(reader, manifest, number, top):
    _clear(top)
    for path, size, digest, start in _files(manifest, number):
        parts = path.split("/")
        folder = top
        for part in parts[:-1]:
            folder += "/" + part
            try:
                os.mkdir(folder)
            except OSError:
                pass  # it exists, or opening the file will fail
        with open(folder + "/" + parts[-1], "wb") as f:
            await reader.file(path, size, digest, start, f.write)


class _BundleReader:
    def __init__(self, client, folder, feed):
        self.client = client
        self.folder = folder
        self.feed = feed
        self.ranged = True
        self.whole = None

    async def file(self, path, size, digest, start, write):
        """Pass the content of a file to `write`. ConfigError: its digest is wrong, or a root is not a certificate."""
        sha = hashlib.sha256()
        if path.startswith(_ROOTS):
            root = _Root(path, size, write)
            write = root.write
        await self.copy("files", start, size, sha, write)
        if binascii.hexlify(sha.digest()).decode() != digest:
            raise ConfigError("bundle: wrong digest of %s" % path)
        if path.startswith(_ROOTS):
            root.check()

    async def copy(self, name, start, size, sha, write):
        """Pass `size` bytes from `start` of the file `name`, in pieces, to the hash `sha` and to `write`."""
        while size:
            self.feed()
            piece = await self.piece(name, start, min(size, _PIECE))
            sha.update(piece)
            write(piece)
            start += len(piece)
            size -= len(piece)

    async def piece(self, name, start, size):
        if not self.ranged:
            return await self.from_whole(self.folder + name, start, size)
        span = (("Range", "bytes=%d-%d" % (start, start + size - 1)),)
        response = await self.client.request("GET", self.folder + name, span)
        if response.status >= 500 or response.status == _TOO_MANY_REQUESTS:
            raise LinkError("bundle: server answers %d" % response.status)
        if response.status not in (_OK, _PARTIAL_CONTENT) or not 0 < len(response.body) <= size:
            raise ConfigError("bundle: server answers %d to a range of %s" % (response.status, name))
        # The first piece is the whole of `head`, so its content is right even if the server ignored the range.
        self.ranged = response.status == _PARTIAL_CONTENT
        return response.body

    async def from_whole(self, name, start, size):
        whole = self.whole
        if not whole or whole.name != name or whole.at > start:
            client = self.client
            client.close()
            await client.connect()
            # Imported only now, because the code that dials was in memory until now.
            from firmware.update_whole import Whole

            self.whole = whole = Whole(client, name)
            await whole.open()
        return await whole.piece(start, size)


class _Root:
    """Checks the first bytes of a root certificate that is passed on to `write`. The heap may have no block for all of
    it. Its digest proves that the owner signed it, whose command has parsed it; at startup TLS parses it."""

    def __init__(self, path, size, write):
        self.path = path
        self.size = size
        self.to = write
        self.head = b""

    def write(self, piece):
        if len(self.head) < 5:
            self.head += bytes(piece[: 5 - len(self.head)])
        self.to(piece)

    def check(self):
        """ConfigError if it does not begin like DER of its size (X.690 section 8.1)."""
        rest = self.size - 4
        if rest > _LARGEST_ROOT or self.head != bytes((0x30, 0x82, rest >> 8, rest & 0xFF, 0x30)):
            raise ConfigError("bundle: %s is no certificate in DER form" % self.path)


async def _manifest(reader, key, path):
    """Write the manifest to the file `path`. ConfigError: too large, or not signed with the owner's key."""
    mac, digits = bytes(await reader.piece("head", 0, 80)).decode().split()
    size = int(digits)
    if size > _MOST:
        raise ConfigError("bundle: manifest too large")
    key = key.reveal().encode()
    key += bytes(64 - len(key))
    inner = hashlib.sha256(bytes([b ^ 0x36 for b in key]))
    with open(path, "wb") as f:
        await reader.copy("manifest", 0, size, inner, f.write)
    outer = hashlib.sha256(bytes([b ^ 0x5C for b in key]))
    outer.update(inner.digest())
    if binascii.hexlify(outer.digest()).decode() != mac:
        raise ConfigError("bundle: not signed with update.key")


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass


def _clear(folder):
    """Create the folder, or remove everything in it."""
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
