"""The simulated cloud: `realer cloud serve`, and from another terminal `realer cloud set 6 1`.

Exit status: 0 done, 1 refused (the message says why), 2 wrong usage, 3 no cloud is running here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from tools import common
from tools.cli import update_bundle
from tools.cloud import admin_client, show
from tools.cloud.broker import MODES as BROKER_MODES
from tools.cloud.certs import KINDS
from tools.cloud.demo_device import CA_FILE, KEYS, UPDATE_PORT, demo_config, demo_device, update_command
from tools.cloud.dns import MODES as DNS_MODES
from tools.cloud.entities import Plan
from tools.cloud.faults import ENDPOINTS
from tools.cloud.ntp import MODES as NTP_MODES
from tools.cloud.site import Site, write_private
from tools.serial import ports

_BUNDLES = "https://api.realer.test:8443"
"""Where its device looks for bundles: realer bundle --serve --listen 8443 --out FOLDER."""
_SWITCH = {"on": True, "off": False}


def main(argv: list[str] | None = None) -> int:
    options = vars(_parser().parse_args(argv))
    verb, file, as_json = options.pop("verb"), options.pop("connection"), options.pop("json")
    console = common.console()
    if verb == "serve":
        admin_client.only_one(file)
        try:
            asyncio.run(_serve(console, file, **options))
        except OSError as error:
            raise ports.taken(options["port"], error) from None
        return 0
    arguments = {
        name: _SWITCH.get(value, value) if name == "on" else value for name, value in options.items()
    }
    if verb == "fault":
        arguments = {"text": " ".join([arguments["endpoint"], *arguments["what"]])}
    elif verb == "faults":
        arguments = {"clear": arguments["clear"] == "clear"}
    try:
        result = admin_client.call(verb, file, **{k: v for k, v in arguments.items() if v is not None})
    except admin_client.NoCloud:
        print("no cloud is running here; start one with realer demo, or realer cloud serve", file=sys.stderr)
        return 3
    except admin_client.Refused as error:
        print(error, file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(result))
    else:
        _print(console, verb, result)
    return 0


def _print(console: Console, verb: str, result: Any) -> None:
    if verb == "show":
        console.print(show.state(result))
    elif verb == "feed":
        console.print(show.feed(result))
    elif verb in ("events", "violations"):
        for event in result:
            console.print(show.line(event))
    elif isinstance(result, list):
        console.print("\n".join(result) or "none", markup=False)
    else:
        console.print("done" if result is None else str(result), markup=False)


async def _serve(
    console: Console, file: Path, port: int, min_interval_s: float, mqtt: bool, update: bool
) -> None:
    """Run a cloud with the demo device until Ctrl-C, one line per event."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, ended.set)
    plan = Plan(min_interval_s=min_interval_s)
    async with Site(port, plan=plan, connection_file=file, mqtt=mqtt) as site:
        device = demo_device()
        if update:
            device.commands.append(update_command())
        site.model.add_device(device)
        site.model.listeners.append(lambda event: console.print(show.line(event)))
        addresses = site.addresses()
        for name in ("base_url", "mqtt_port", "ca_der", "dns_port", "ntp_port"):
            console.print(f"{name:13} {addresses[name]}", markup=False)
        for name, value in KEYS.items():
            console.print(f"{name:13} {value}", markup=False)
        config = demo_config(addresses, "auto" if mqtt and not update else "https")
        if update:
            config["update"] = {"pin_port": UPDATE_PORT, "url": _BUNDLES, "key": update_bundle.new_key()}
        made = write_configuration(file.parent, config, site.certs.certificate)
        console.print(f"a configuration with all this, for any board: {made}", markup=False)
        console.print("serving; end with Ctrl-C")
        await ended.wait()


def write_configuration(folder: Path, config: dict[str, Any], root: bytes) -> Path:
    """Write the demo device's configuration, and its certificate beside it; the file."""
    made = folder / "config.json"
    write_private(made, json.dumps(config, indent=2, ensure_ascii=False) + "\n")
    (folder / CA_FILE).parent.mkdir(parents=True, exist_ok=True)
    (folder / CA_FILE).write_bytes(root)
    return made


def _parser() -> argparse.ArgumentParser:
    parser = common.parser(
        "cloud",
        "The simulated Realer cloud: run one, or control the one that runs here, such as the demo's.",
        epilog="Exit status: 0 done, 1 refused, 2 wrong usage, 3 no cloud is running here.",
    )
    parser.set_defaults(connection=admin_client.CONNECTION_FILE, json=False)
    _add_common(parser)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Verb)
    serve = verbs.add_parser("serve", help="run a cloud here, with the demo device 12345")
    serve.add_argument("--port", type=common.PORT, default=0, help="HTTPS port (default: any free one)")
    serve.add_argument(
        "--min-interval-s",
        type=common.number(0, of=float),
        default=0.0,
        help="shortest time between two requests; earlier ones get 429",
    )
    serve.add_argument(
        "--mqtt",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run a mosquitto as well (default)",
    )
    serve.add_argument(
        "--update", action="store_true", help=f"give the device a command for updates, on port {UPDATE_PORT}"
    )
    _owner_verbs(verbs)
    _world_verbs(verbs)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    """What may stand in front of the verb, and behind it."""
    parser.add_argument(
        "--connection", type=Path, default=argparse.SUPPRESS, help="connection file of the cloud"
    )
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON"
    )


class _Verb(argparse.ArgumentParser):
    """The parser of a verb."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        _add_common(self)


def _owner_verbs(verbs: Any) -> None:
    of_device = argparse.ArgumentParser(add_help=False)
    of_device.add_argument("--device", help="device id (default: the first)")
    setting = verbs.add_parser("set", parents=[of_device], help="set a desired value, as in: set 6 1")
    setting.add_argument("port", help="pin_port, or a command id")
    setting.add_argument("value", help="a decimal number, on or off")
    setting.add_argument("--raw", action="store_true", help="store the text unchecked")
    verbs.add_parser("show", help="devices, desired and reported values, tokens, last feed data")
    feed = verbs.add_parser("feed", parents=[of_device], help="stored feed data in order of arrival")
    feed.add_argument("--last", type=common.number(1), default=20)
    verbs.add_parser("expire-token", parents=[of_device], help="make the device's tokens expire now")
    verbs.add_parser("revoke", parents=[of_device], help="revoke the device's tokens")
    verbs.add_parser(
        "kick", parents=[of_device], help="disconnect the device's MQTT session; it may reconnect"
    )
    for name, text in (
        ("subscription", "every request is answered with 402"),
        ("keys", "invalid_client, tokens revoked"),
    ):
        verbs.add_parser(name, parents=[of_device], help=f"off: {text}").add_argument("on", choices=_SWITCH)
    apply_local = verbs.add_parser(
        "apply-local", parents=[of_device], help="whether a local change becomes the desired value"
    )
    apply_local.add_argument("port")
    apply_local.add_argument("on", choices=_SWITCH)


def _world_verbs(verbs: Any) -> None:
    fault = verbs.add_parser(
        "fault", help="inject a fault, as in: fault feed-data status=503 times=3 (see tools/cloud/faults.py)"
    )
    fault.add_argument(
        "endpoint",
        help=f"{', '.join(ENDPOINTS)}, a path glob; ack, desired or connect (tools/cloud/mqtt_faults.py)",
    )
    fault.add_argument(
        "what", nargs="+", help="status=503, cut=40, chunked, hang, delay=2, times=3, lost, copies, ..."
    )
    verbs.add_parser("faults", help="list the faults, or remove them: faults clear").add_argument(
        "clear", nargs="?", choices=["clear"]
    )
    verbs.add_parser("cert", help="which certificate to present from the next handshake on").add_argument(
        "kind", choices=KINDS
    )
    verbs.add_parser("listener", help="off: connections are refused").add_argument("on", choices=_SWITCH)
    broker = verbs.add_parser(
        "broker", help="the MQTT broker: down refuses connections, freeze does not answer"
    )
    broker.add_argument("mode", choices=BROKER_MODES)
    verbs.add_parser("dns", help="faults of name resolution").add_argument(
        "mode", nargs="?", choices=DNS_MODES
    )
    ntp = verbs.add_parser("ntp", help="faults of the time server")
    ntp.add_argument("mode", nargs="?", choices=NTP_MODES)
    ntp.add_argument("--offset-s", type=float)
    events = verbs.add_parser("events", help="events so far")
    events.add_argument("--since", type=int, default=0, help="only events with a higher number")
    verbs.add_parser("violations", help="requests that broke the contract")
    verbs.add_parser("counters", help="numbers of TLS handshakes and requests")
