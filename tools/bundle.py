"""`python -m tools.bundle NUMBER --out FOLDER`: this firmware as a bundle for updates over the air.

Owns the bundle's form, which `firmware/update.py` describes, and its signature with the key that the devices' own
configuration holds as `update.key`. FOLDER is then served by any HTTPS server. Shows no key.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import hmac
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from tools import cli, payload
from tools.layers import ROOT
from tools.mpy import CompileError

KEY_BYTES = range(16, 65)


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


def version_of(tree: Path) -> str:
    """VERSION of the tree's firmware."""
    for node in ast.parse((tree / "firmware" / "version.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "VERSION":
            return ast.literal_eval(node.value)
    raise cli.Failed(f"{tree}/firmware/version.py has no VERSION")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bundle",
        description="Build a signed bundle for updates over the air. A device takes it when its update command is set"
        " to NUMBER.",
    )
    parser.add_argument(
        "number", type=int, nargs="?", metavar="NUMBER", help="1..999999, one that was never used before"
    )
    parser.add_argument("--config", type=Path, default=Path(payload.CONFIG), help="whose update.key signs it")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="what the server serves")
    parser.add_argument("--tree", type=Path, default=ROOT, help="device tree; default: this one")
    options = parser.parse_args(argv)
    if options.number is None or options.out is None:
        parser.error("NUMBER or FOLDER is missing, as in: make bundle NUMBER=7 OUT=served/firmware")
    folder = options.out / str(options.number)
    if not 0 < options.number < 1_000_000:
        raise cli.Failed("NUMBER has to be 1..999999")
    if folder.exists():
        raise cli.Failed(
            f"{folder} is there already", "A number means one bundle for ever: take the next one."
        )
    try:
        files = build(
            options.number, version_of(options.tree), payload.slot_files(options.tree), _key(options.config),
            payload.conditions(options.tree),
        )  # fmt: skip
    except CompileError as error:
        raise cli.Failed(f"does not compile: {error}") from None
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    print(f"{folder}: {sum(map(len, files.values())):,} bytes")
    print(f"sha256 of the manifest: {hashlib.sha256(files['manifest']).hexdigest()}")
    return 0


def _key(config: Path) -> bytes:
    try:
        key = json.loads(config.read_text())["update"]["key"].encode()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise cli.Failed(
            f"{config} has no update.key", "Put one there: 16 to 64 characters that nobody guesses."
        ) from None
    if len(key) not in KEY_BYTES:
        raise cli.Failed("update.key has to have 16 to 64 characters")
    return key


if __name__ == "__main__":
    sys.exit(cli.run(main))
