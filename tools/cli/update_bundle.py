"""`realer bundle NUMBER --out FOLDER`: this firmware as a bundle for updates over the air.

`firmware/update.py` describes the format. The bundle is signed with the key that the configuration of the devices holds
as `update.key`; `--new-key` draws one. It brings the root certificates of that configuration, and is what boards take
that no longer trust the cloud's certificate. Any HTTPS server can serve FOLDER, and so can `--serve`. No key is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import secrets
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from tools import common
from tools.build import package, payload
from tools.cli import check_config, roots
from tools.cloud.certs import TestCA
from tools.cloud.site import CERTS, USUAL, write_private
from tools.repository import ROOT
from tools.serial import ports

KEY_BYTES = range(16, 65)
ROOTS = "firmware/certs/"
RESCUE = "rescue"


def build(
    number: int, version: str, files: Mapping[str, bytes], key: bytes, conditions: Mapping[str, str]
) -> dict[str, bytes]:
    """The three files of a bundle, by name. `conditions`: of `payload.conditions`."""
    optional = [f"{path}:{conditions[path]}" for path in sorted(files) if path in conditions]
    lines = [" ".join(("realer-firmware", str(number), version, *optional))]
    lines += [
        f"{hashlib.sha256(files[path]).hexdigest()} {len(files[path])} {path}" for path in sorted(files)
    ]
    manifest = "".join(f"{line}\n" for line in lines).encode()
    head = f"{hmac.new(key, manifest, 'sha256').hexdigest()} {len(manifest)}\n".encode()
    return {"head": head, "manifest": manifest, "files": b"".join(files[path] for path in sorted(files))}


def rescue(number: int, key: bytes) -> str:
    """What names the bundle for boards that do not trust their cloud any more."""
    mac = hmac.new(key, b"realer-rescue %d\n" % number, "sha256")
    return f"{mac.hexdigest()} {number}\n"


def _rescue_number(folder: Path) -> int:
    """The bundle that is named there, 0 for none."""
    try:
        return int((folder / RESCUE).read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="realer bundle",
        description="Build a signed bundle for updates over the air. A device installs it when its update command is"
        " set to NUMBER.",
    )
    parser.add_argument(
        "number",
        type=common.number(1, 999999),
        nargs="?",
        metavar="NUMBER",
        help="1..999999, one that was never used before",
    )
    parser.add_argument("--config", type=Path, default=Path(payload.CONFIG), help="whose update.key signs it")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder that the server serves")
    parser.add_argument("--tree", type=Path, default=ROOT, help="device tree; default: this one")
    parser.add_argument(
        "--new-key", action="store_true", help="generate update.key, and write it into --config"
    )
    parser.add_argument("--serve", action="store_true", help="serve FOLDER over HTTPS until Ctrl-C")
    parser.add_argument(
        "--listen", type=common.PORT, default=0, metavar="PORT", help="with --serve: port (default: any)"
    )
    parser.add_argument(
        "--certificate", type=Path, metavar="PEM",
        help="with --serve: certificates and key in one file (default: of the simulated cloud's authority)",
    )  # fmt: skip
    options = parser.parse_args(argv)
    if options.new_key:
        return _write_key(options.config)
    if options.serve:
        if options.out is None:
            parser.error("FOLDER is missing, as in: realer bundle --out served/firmware --serve")
        return _serve(options.out, options.listen, options.certificate)
    if options.number is None or options.out is None:
        parser.error("NUMBER or FOLDER is missing, as in: realer bundle 7 --out served/firmware")
    folder = options.out / str(options.number)
    if folder.exists():
        raise common.Failed(
            f"{folder} already exists", "A number is never used for a second bundle: take the next one."
        )
    try:
        config = check_config.load(options.config)
    except check_config.UnreadableError as error:
        raise common.Failed(error.what, f"{error.do}\nAnother one: --config FILE") from None
    key = _key(options.config, config)
    certificates = roots.of_config(options.config, config)
    code = payload.slot_files(options.tree) | {ROOTS + name: der for name, der in certificates.items()}
    files = build(options.number, package.version(options.tree), code, key, payload.conditions(options.tree))
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    print(f"{folder}: {sum(map(len, files.values())):,} bytes")
    for line, _ in roots.lines(certificates):
        print(f"root certificate {line}")
    if certificates and options.number > _rescue_number(options.out):
        write_private(options.out / RESCUE, rescue(options.number, key))
        (options.out / RESCUE).chmod(0o644)
    print(f"sha256 of the manifest: {hashlib.sha256(files['manifest']).hexdigest()}")
    return 0


def new_key() -> str:
    """192 random bits, as text."""
    return secrets.token_urlsafe(24)


def _write_key(config: Path) -> int:
    draft = check_config.load_object(config)
    if not isinstance(draft.get("update") or {}, dict):
        raise common.Failed(f"{config} is not a configuration", f"See realer check_config {config}")
    update = draft["update"] = draft.get("update") or {}
    if update.get("key"):
        do = "A device accepts only bundles signed with its key. For a new key, remove that one, and deploy afterwards."
        raise common.Failed(f"{config} has an update.key already", do)
    update["key"] = new_key()
    write_private(config, json.dumps(draft, indent=2, ensure_ascii=False) + "\n")
    print(
        f"written: update.key in {config} (only you can read it). Next: realer deploy, so that the board has it too"
    )
    for name in ("pin_port", "url"):
        if name not in update:
            print(f"update.{name} is still missing there")
    return 0


def _serve(folder: Path, port: int, certificate: Path | None) -> int:
    if not folder.is_dir():
        raise common.Failed(
            f"{folder} is not there", "Make a bundle first: realer bundle 7 --out served/firmware"
        )
    context = _context(certificate) if certificate else TestCA(CERTS, USUAL).leaf()
    try:
        asyncio.run(_serving(folder, port, context, certificate is None))
    except OSError as error:
        raise ports.taken(port, error) from None
    return 0


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate)
    except OSError as error:
        do = "Certificates and private key belong in one PEM file."
        raise common.Failed(f"{certificate}: {error.strerror or error}", do) from None
    return context


async def _serving(folder: Path, port: int, context: ssl.SSLContext, simulated: bool) -> None:
    """Answer whole files and ranges (RFC 9110 section 14) of what is in `folder`, until Ctrl-C."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, ended.set)
    async with serving(folder, context, "127.0.0.1" if simulated else None, port) as bound:
        host = "api.realer.test" if simulated else socket.gethostname()
        print(f"update.url    https://{host}:{bound}\nserving {folder}; end with Ctrl-C", flush=True)
        await ended.wait()


@contextlib.asynccontextmanager
async def serving(
    folder: Path, context: ssl.SSLContext, host: str | None = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    """A server of the bundles in `folder`, where devices look for them by default; its port."""
    app = web.Application()
    app.router.add_static("/firmware", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _key(file: Path, config: Any) -> bytes:
    try:
        key: bytes = config["update"]["key"].encode()
    except (LookupError, TypeError, AttributeError):
        do = f"Generate one: realer bundle --new-key --config {file}"
        raise common.Failed(f"{file} has no update.key", do) from None
    if len(key) not in KEY_BYTES:
        raise common.Failed("update.key must have 16 to 64 characters")
    return key
