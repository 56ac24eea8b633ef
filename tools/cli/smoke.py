"""`realer smoke`: the demo's scenario without a person, ending with one JSON line of facts.

The steps check what is physical (pins, temperatures) and what the cloud stored, not what the device says about itself;
only `heap_used` comes from its log. MQTT has steps of its own. Exit status 0: every scenario held.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from tools.cli import smoke_thinger
from tools.cloud.brokerprocess import BrokerError
from tools.cloud.entities import Plan
from tools.cloud.model import Served
from tools.env import interpreter
from tools.fixture.options import add_board, board
from tools.fixture.scenario import Facts, Step, StepFailedError, about, heater, must, run
from tools.fixture.system import SystemFixture, ThirdAreaError
from tools.repository import ROOT

_SETPOINT_C = 19.0
_SLACK_C = 1.0  # what a sampled, lagging room overshoots at sixty times its speed
_PRESS_MS = 400  # of a person, which outlasts what stalls the loop of a board on a busy computer

TRANSPORTS = {
    "realer": ("https", "mqtt"), "bootstrap": ("https", "mqtt"), "realino": ("https",), "auto": ("https", "mqtt"),
    "thinger": ("iotmp",),
}  # fmt: skip
"""What each api is played over."""
APIS = {
    "realer": Served(),
    "bootstrap": Served(bootstrap=True),
    "realino": Served(iot=False),
    "auto": Served(bootstrap=True),
}
"""What the configuration may say, and the cloud that each is tried with."""

_READ = {"realer": {"commands", "sensors"}, "realino": {"commands"}}  # Realino's login lists the sensors
PLAN = Plan(credential_s=60, credential_renew_s=22)
"""Credentials are renewed first in the middle of the scenario; from the step `renew` on they live longer."""


def of(api: str) -> dict[str, Any]:
    """The arguments of SystemFixture for that generation of the cloud."""
    return {"edit": lambda config: config["cloud"].update(api=api), "served": APIS[api]}


async def power_up(fixture: SystemFixture, facts: Facts) -> None:
    """From power to the first poll after the catalogs."""
    facts["online_ms"] = round(await fixture.online())
    # Who finds a bootstrap without having known of it asks for its scope too.
    enough = 1 + (_api(fixture) == "auto" and fixture.transport == "mqtt")
    must(len(fixture.model.named("token_issued")) == enough, f"{enough} tokens are enough")
    resources = {event["resource"] for event in fixture.model.named("catalog_read")}
    expected = set(_READ.get(_api(fixture), {"bootstrap", "desired-states"}))
    if fixture.transport == "mqtt":
        expected.add("mqtt routes")
    must(resources == expected, f"{expected} are read, not {resources}")


async def switch(fixture: SystemFixture, facts: Facts) -> None:
    """A desired value reaches the relay, and its report the cloud."""
    at = fixture.want("6", 1)
    await fixture.until("the pump runs", lambda: fixture.on("pump"), 5)
    facts["desired_to_relay_ms"] = round(((fixture.switched("pump", True, at) or at) - at) * 1000, 1)
    await fixture.until("the pump's state is reported", lambda: fixture.reported("6") == "1.0", 8)


async def regulate(fixture: SystemFixture, facts: Facts) -> None:
    """The heater goes on below and off above the setpoint, and on again."""
    fixture.want("9", _SETPOINT_C)
    for on in (True, False, True):
        await heater(fixture, on, 20)
        off_by = fixture.plant.sensor_c - _SETPOINT_C
        must(off_by < _SLACK_C if on else off_by > -_SLACK_C, f"heater {on} at {off_by:+.2f} degrees")
    must(
        abs(fixture.plant.sensor_c - _SETPOINT_C) < 2 * _SLACK_C, f"the room has {fixture.plant.sensor_c:.1f}"
    )
    await fixture.until("the setpoint is reported", lambda: fixture.reported("9") == "19.0", 8)


async def report(fixture: SystemFixture, facts: Facts) -> None:
    """Both sensors have readings in the cloud, near the truth."""
    seen = {item["sensor_id"]: float(item["value"]) for item in fixture.feed("sensor")}
    must(set(seen) == {1, 2}, f"readings of both sensors are stored, not of {sorted(seen)}")
    must(
        abs(seen[1] - fixture.plant.sensor_c) < 3,
        f"{seen[1]} was stored, the room has {fixture.plant.sensor_c:.1f}",
    )


async def expire_token(fixture: SystemFixture, facts: Facts) -> None:
    """A token that ends in mid-run is replaced, and no output changes."""
    at = time.monotonic()
    fixture.expire_token()
    await fixture.until("a fresh token", lambda: len(fixture.model.named("token_issued")) == 2, 8)
    await fixture.online(10)
    must(fixture.switched("pump", False, at) is None, "the pump ran on all the time")


async def renew(fixture: SystemFixture, facts: Facts) -> None:
    """Credentials are replaced before they expire: a new session replaces the old one, and no output changes."""
    at, issued = time.monotonic(), len(fixture.model.named("credential_issued"))
    fixture.model.plan = replace(PLAN, credential_s=3600, credential_renew_s=2700)
    await fixture.until(
        "fresh credentials", lambda: len(fixture.model.named("credential_issued")) > issued, 25
    )
    users = [event["username"] for event in fixture.model.named("credential_issued")]
    await fixture.until(
        "a session with it", lambda: [s["username"] for s in fixture.model.sessions.values()] == users[-1:], 5
    )
    await fixture.online(10)
    facts["renewal_gap_ms"] = round(max(fixture.gaps_ms()))
    must(fixture.switched("pump", False, at) is None, "the pump ran on all the time")


async def lose_authorization(fixture: SystemFixture, facts: Facts) -> None:
    """Without a subscription every output goes to its safe state."""
    at = fixture.subscription(False)
    await fixture.until(
        "the pump stops", lambda: not fixture.on("pump"), 15 if fixture.transport == "mqtt" else 8
    )
    facts["loss_to_safe_ms"] = round(((fixture.switched("pump", False, at) or at) - at) * 1000)
    # The heater's safe state is a setpoint of 8 degrees, and the room is warmer than that.
    await fixture.until("the heater stops", lambda: not fixture.on("heater"), 3)
    fixture.want("9", 20.5)  # what happens in the cloud meanwhile counts later


async def recover(fixture: SystemFixture, facts: Facts) -> None:
    """The subscription is back: the desired values of now are read again and applied."""
    at = fixture.subscription(True)
    await fixture.until("the pump runs again", lambda: fixture.on("pump"), 25)
    facts["recovery_ms"] = round(((fixture.switched("pump", True, at) or at) - at) * 1000)
    await fixture.until("the new setpoint is reported", lambda: fixture.reported("9") == "20.5", 10)
    await fixture.until("the heater works", lambda: fixture.on("heater"), 10)
    await fixture.until("the pump's state is reported", lambda: fixture.reported("6") == "1.0", 8)


async def button(fixture: SystemFixture, facts: Facts) -> None:
    """A press switches at once and stays, though the cloud still says otherwise; its report acknowledges nothing."""
    at = time.monotonic()
    fixture.board.press_button(_PRESS_MS)
    await fixture.until("the pump stops by hand", lambda: not fixture.on("pump"), 2)
    facts["button_to_relay_ms"] = round(((fixture.switched("pump", False, at) or at) - at) * 1000)
    await fixture.until("the pump's state is reported", lambda: fixture.reported("6") == "0.0", 8)
    must("desired_id" not in fixture.feed("command")[-1], "a local change answers no desired value")
    await fixture.online(10)
    must(fixture.switched("pump", True, at) is None, "the old desired value does not undo the button")


async def kick(fixture: SystemFixture, facts: Facts) -> None:
    """The broker ends the session: back with the same credentials, and what was desired meanwhile is done."""
    issued, opened = len(fixture.model.named("credential_issued")), len(fixture.model.named("mqtt_connected"))
    at = fixture.kick()
    await fixture.until("the session is over", lambda: not fixture.model.sessions, 3)
    fixture.want("9", _SETPOINT_C)
    facts["kick_to_online_ms"] = round(await fixture.online(40))
    await fixture.until("the new setpoint is reported", lambda: fixture.reported("9") == f"{_SETPOINT_C}", 8)
    must(len(fixture.model.named("mqtt_connected")) == opened + 1, "one session is enough")
    must(len(fixture.model.named("credential_issued")) == issued, "the same credentials are good enough")
    must(fixture.switched("pump", True, at) is None, "what was switched by hand stays")


async def end(fixture: SystemFixture, facts: Facts) -> None:
    """Ctrl-C at the board: outputs safe, the token revoked."""
    fixture.board.press_button(_PRESS_MS)
    await fixture.until("the pump runs by hand", lambda: fixture.on("pump"), 2)
    await fixture.ctrl_c()
    must(not fixture.on("pump") and not fixture.on("heater"), "outputs are safe at the end")
    must(fixture.model.named("revoked") or _api(fixture) == "realino", "the token is revoked")


def _api(fixture: SystemFixture) -> str:
    return fixture.config["cloud"]["api"]


STEPS: dict[str, tuple[Step, ...]] = {
    "https": (power_up, switch, regulate, report, expire_token, lose_authorization, recover, button, end),
    "mqtt": (power_up, switch, regulate, report, renew, lose_authorization, recover, button, kick, end),
}


async def scenario(fixture: SystemFixture, tell: Callable[[str], None] = lambda text: None) -> Facts:
    """Run all steps on a fixture that has just been switched on; the facts. StepFailedError names the step."""
    facts = await run(fixture, STEPS[fixture.transport], tell)
    violations = len(fixture.model.violations)
    must(not violations, f"{violations} requests broke the contract: {fixture.model.violations[:3]}")
    counts = {"readings_stored": len(fixture.feed("sensor")), "violations": violations}
    if fixture.transport == "mqtt":
        counts["sessions"] = len(fixture.model.named("mqtt_connected"))
    counts |= {"handshakes": fixture.site.server.handshakes, "requests": fixture.site.server.requests}
    return about(fixture) | {"transport": fixture.transport} | facts | counts


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="realer smoke", description="Run the demo's scenario without a person."
    )
    add_board(parser)
    parser.add_argument(
        "--api", choices=TRANSPORTS, default="realer", help="which cloud; default: %(default)s"
    )
    parser.add_argument(
        "--transport", help="https, mqtt; default: one scenario after the other over each that the api has"
    )
    parser.add_argument("--tree", type=Path, default=ROOT, help="device tree to run; default: this one")
    parser.add_argument("--verbose", action="store_true", help="show the log of the device")
    options = parser.parse_args(argv)
    offered = TRANSPORTS[options.api]
    if options.transport not in (None, *offered):
        parser.error(f"{options.api} is played over {', '.join(offered)}")
    played = [_played(transport, options) for transport in offered if options.transport in (None, transport)]
    return 0 if all(played) else 1


def _played(transport: str, options: argparse.Namespace) -> bool:
    """Whether the scenario held over this transport; prints its facts or what was wrong."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    console.print(f"over {transport}")
    try:
        facts = asyncio.run(_play(console, transport, options))
    except (StepFailedError, ThirdAreaError, BrokerError) as error:
        print(f"smoke over {transport}: {error}", file=sys.stderr)
        return False
    print(json.dumps(facts), flush=True)
    return True


async def _play(console: Console, transport: str, options: argparse.Namespace) -> Facts:
    started = time.monotonic()

    def show(event: tuple[Any, ...]) -> None:
        if options.verbose and event[0] == "line":
            console.print("       ", event[1], style="dim")
        elif options.verbose and event[0] in ("third_area", "panic", "reset", "wdt", "crash"):
            console.print("       ", *event, style="red")

    arguments: dict[str, Any] = {"tree": options.tree, "on_event": show} | board(options)
    found = interpreter.find(options.bits)
    if options.api == "thinger":
        async with smoke_thinger.ThingerFixture(found, **arguments) as thinger:
            facts = await smoke_thinger.scenario(thinger, console.print)
    else:
        arguments |= {"transport": transport, "plan": PLAN} | of(options.api)
        async with SystemFixture(found, **arguments) as fixture:
            facts = await scenario(fixture, console.print)
    return facts | {"seconds": round(time.monotonic() - started, 1)}
