"""`realer thinger_check`: try a device at a real Thinger.io account: is it connected, and what are its resources?

It only reads, unless `--relay NAME` asks for one relay to be switched on and off again. The token, of the account or of
the device, comes from the environment variable THINGER_TOKEN or from a prompt, never from the command line.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import ssl
from pathlib import Path
from typing import Any

from rich.console import Console

from tools import common
from tools.cloud.thinger_client import Account, NoAnswer

_REMEDIES = {
    0: "Is --url right, and this computer online? A private server with a root of its own needs --ca.",
    401: "The token is wrong, has expired, or may not do this: make one in the console, under Access Tokens.",
    404: "Is the device connected, and are --user and --device those of its configuration?",
}
_KINDS = {1: "run", 2: "input", 3: "output", 4: "input and output"}


def main(argv: list[str] | None = None) -> int:
    parser = common.parser("thinger_check", "Try a device at a real Thinger.io account.")
    parser.add_argument("--url", default="https://api.thinger.io", help="REST address; default: %(default)s")
    parser.add_argument("--user", required=True, help="the account, as in cloud.user")
    parser.add_argument("--device", required=True, help="the device, as in cloud.device_id")
    parser.add_argument(
        "--relay", metavar="NAME", help="switch this relay on and off again: mind what is wired to it"
    )
    parser.add_argument("--ca", type=Path, metavar="PEM", help="root certificate of a private server")
    options = parser.parse_args(argv)
    if not options.url.startswith("https://"):
        parser.error("--url must begin with https://, or others could read the token")
    token = os.environ.get("THINGER_TOKEN") or getpass.getpass("Token (not shown): ")
    try:
        tls = ssl.create_default_context(cafile=options.ca)
    except OSError as error:
        raise common.Failed(f"{options.ca}: {error.strerror or error}", "A PEM file is needed.") from None
    try:
        return asyncio.run(_check(options, token.strip(), tls, common.console()))
    except NoAnswer as error:
        raise common.Failed(str(error), _REMEDIES.get(error.status, "")) from None


async def _check(options: argparse.Namespace, token: str, tls: ssl.SSLContext, console: Console) -> int:
    async with Account(options.url, options.user, options.device, tls, token) as account:
        await _connection(account, console)
        kinds = await account.resources()
        for name, about in sorted(kinds.items()):
            shown = None if about["fn"] == 1 else await account.shown(name)
            console.print(
                f"  {name:16} {_KINDS.get(about['fn'], '?'):8} {'' if shown is None else json.dumps(shown)}"
            )
        if "status" in kinds:
            console.print(f"status: {json.dumps(await account.read('status'))}")
        if options.relay:
            await _switch(account, options.relay, console)
    console.print("all answered as expected")
    return 0


async def _connection(account: Account, console: Console) -> None:
    try:
        stats = await account.stats()
    except NoAnswer as error:
        if error.status != 401:
            raise
        console.print("stats: not available with a device's token")
        return
    console.print(f"connected: {stats['connected']}, from {stats['ip_address']}")
    if not stats["connected"]:
        raise common.Failed(
            "the device is not connected", "Look at its log: host, user, device_id, credential, ca_files."
        )


async def _switch(account: Account, relay: str, console: Console) -> None:
    before: Any = (await account.shown(relay))["in"]
    for value in (not before, before):
        await account.write(relay, value)
        seen = (await account.shown(relay))["in"]
        if seen != value:
            raise common.Failed(f"{relay} was set to {value} and shows {seen}", "Look at the device's log.")
        console.print(f"{relay}: {value}")
    try:
        await account.write(relay, "nonsense")
    except NoAnswer as error:
        console.print(f"{relay}: invalid values are refused with HTTP {error.status}")
    else:
        raise common.Failed(f"{relay} accepted an invalid value", "Does the device run this firmware?")
