"""Fetches an ejabberd, whose MQTT 5 the tests use beside mosquitto's, and says how to start it.

It is unpacked from the machine's own package mirror into `.cache/ejabberd/` (Debian family, no root needed), with the
Erlang that it runs on. `node` never uses the network.
"""

from __future__ import annotations

import os
from pathlib import Path

from tools.common import Failed
from tools.env import aptroot
from tools.repository import ROOT

CACHE = ROOT / ".cache" / "ejabberd"
_ERTS = "usr/lib/erlang/erts-*/bin/erlexec"


def node(name: str, home: Path, distribution: int) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of a node with `home/ejabberd.yml`; Erlang code to be evaluated after its start may
    follow. `name`: such as a@127.0.0.1. Its records and logs are in `home`. `distribution`: port for other nodes,
    without Erlang's own daemon: the same for all nodes of a cluster, of which each has an address of its own. Raises
    Failed."""
    root = CACHE / "root"
    found = sorted(root.glob(_ERTS))
    if not found:
        raise Failed("no ejabberd here", "Run realer fetch ejabberd.")
    libraries = sorted(path.parent for path in (root / "usr/lib").glob("*/ejabberd-*"))
    if not libraries:
        raise Failed(
            "the ejabberd in .cache is not whole", "Remove .cache/ejabberd, and run realer fetch ejabberd."
        )
    environment = os.environ | {
        "ROOTDIR": str(root / "usr/lib/erlang"), "BINDIR": str(found[0].parent), "EMU": "beam",
        "PROGNAME": "erl", "HOME": str(home), "ERL_LIBS": str(libraries[0]),
        "LD_LIBRARY_PATH": f"{libraries[0]}:{root / 'lib' / libraries[0].name}",
        "EJABBERD_CONFIG_PATH": str(home / "ejabberd.yml"), "EJABBERD_LOG_PATH": str(home / "ejabberd.log"),
        "SPOOL_DIR": str(home / "spool"),
    }  # fmt: skip
    interface = name.partition("@")[2].replace(".", ",")
    argv = [
        str(found[0]), "-noinput", "-name", name, "-start_epmd", "false", "-erl_epmd_port", str(distribution),
        "-kernel", "inet_dist_use_interface", f"{{{interface}}}", "-setcookie", "test-secret-not-real",
        "-mnesia", "dir", f'"{home / "spool"}"', "-s", "ejabberd",
    ]  # fmt: skip
    return argv, environment


def fetch(cache: Path = CACHE, etc: Path = aptroot.ETC) -> Path:
    """Make sure that it is there. Raises Failed."""
    with aptroot.only_one_at_a_time(cache, "ejabberd"):
        if not sorted((cache / "root").glob(_ERTS)):
            aptroot.fetch("ejabberd", "ejabberd", cache, etc)
    return cache / "root"
