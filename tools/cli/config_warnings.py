"""Warnings of the check: settings that the device accepts and that make no sense, or endanger what is connected.

Pure; it looks at a configuration that the device has accepted.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from tools import boards, kinds
from tools.boards import Board

Doubt = tuple[str, Any, str]
"""Path, value, what would make sense."""

_PLACEHOLDER = re.compile(
    r"(.)\1*|<.*>|your[-_ ].*|.*(replace|change)[-_ ]?me.*|((client|wi-?fi)[-_ ]?)?(secret|password)|todo.*",
    re.IGNORECASE,
)
CLOUD_KINDS = ("thermistor", "ldr_sensor")
"""The kinds of sensors that the Realer cloud's documentation has."""
_ASKED_S = 60
_HEATS = re.compile(r"heat|boil|oven|kiln|stove|radiator|heiz|ofen", re.IGNORECASE)


def doubts(config: dict[str, Any], board: Board) -> Iterator[Doubt]:
    """All there are; none in a configuration with errors, of which nothing is left."""
    outputs = config.get("outputs", [])
    if config.get("wifi", 0) is None and not config.get("lan"):
        portal = ", and the setup portal never opens" if config.get("portal") else ""
        yield "wifi", None, f"wifi or lan: without them the network is assumed to be up{portal}"
    if config.get("outputs") == config.get("sensors") == []:
        yield "outputs", outputs, "an output or a sensor: without them there is nothing to do"
    groups = [output["interlock"] for output in outputs]
    sensors = {sensor["pin_port"]: sensor for sensor in config.get("sensors", [])}
    for i, output in enumerate(outputs):
        found = list(_switch(output, groups.count(output["interlock"]) == 1))
        kind = kinds.output(output["mode"])
        if hasattr(kind, "doubts"):
            sensor = sensors.get(output.get("sensor"))
            found += kind.doubts(output, sensor, sensor and kinds.sensor(sensor["kind"]).MEASURES)
        for key, allowed in found:
            yield f"outputs[{i}].{key}", output[key], allowed
        for j, entry in enumerate(output.get("schedule", ())):
            begins = [(other["days"], other["hour"], other["minute"]) for other in output["schedule"][j:]]
            if begins[0] in begins[1:]:
                later = j + 1 + begins[1:].index(begins[0])
                yield (
                    f"outputs[{i}].schedule[{j}]",
                    entry,
                    f"a time of its own: schedule[{later}] takes its place",
                )
        for path, relay in kinds.relays(output).items():
            for key, allowed in pin(relay, board):
                yield f"outputs[{i}]{path}.{key}", relay[key], allowed
    yield from _dimmers(outputs, board)
    if config.get("cloud", {}).get("api") != "thinger":
        yield from _unknown_kinds(config.get("sensors", []))
    yield from _silence(config)
    lamp = (config.get("led") or {}).get("gpio")
    if board.kit and lamp == board.kit.ws2812:
        yield "led.gpio", lamp, "another pin: the LED there is a WS2812, which a level cannot switch"
    yield from _names(outputs, config.get("sensors", []))
    yield from _texts(config)
    yield from _zone((config.get("time") or {}).get("zone", ""))


def _names(*lists: list[dict[str, Any]]) -> Iterator[Doubt]:
    """What is called like another one, which the log cannot tell apart."""
    for section, items in zip(("outputs", "sensors"), lists, strict=True):
        names = [item["name"] for item in items]
        for i, name in enumerate(names):
            if name != "unnamed" and name in names[:i]:
                first = f"{section}[{names.index(name)}]"
                yield (
                    f"{section}[{i}].name",
                    name,
                    f"a name of its own: the log could not tell it from {first}",
                )


def _texts(config: dict[str, Any]) -> Iterator[Doubt]:
    """What a person sees as right and a server, or the Wi-Fi, does not."""
    networks = (config.get("wifi") or {}).get("networks", [])
    secrets = {
        f"wifi.networks[{i}].password": network["password"].reveal() for i, network in enumerate(networks)
    }
    secrets |= dict(_secrets(config))
    texts = {f"wifi.networks[{i}].ssid": network["ssid"] for i, network in enumerate(networks)} | {
        f"{section}[{i}].pin_port": str(item["pin_port"])
        for section in ("outputs", "sensors")
        for i, item in enumerate(config.get(section, []))
    }
    for path, text in (texts | secrets).items():
        if text != text.strip():
            yield path, "a space at its beginning or end", "the same without it, unless it belongs there"
        elif any(unicodedata.category(letter) in ("Cf", "Zl", "Zp") for letter in text):
            yield path, "an invisible character, as in text copied from a web page", "the same without it"
    for path, secret in secrets.items():
        if secret and _PLACEHOLDER.fullmatch(secret):
            yield path, "what looks like a placeholder", "your own value"


def _zone(rule: str) -> Iterator[Doubt]:
    if east := re.fullmatch(r"(?i)(?:utc|gmt)\+?([1-9]\d?)", rule):
        ahead = f"<+{east[1]:0>2}>-{east[1]}"
        yield "time.zone", rule, f"{ahead}, if it is {east[1]} h ahead of UTC: such a rule counts westwards"


def _silence(config: dict[str, Any]) -> Iterator[Doubt]:
    """A silence that is over before the cloud was asked twice: each request that fails would switch the outputs.
    Thinger.io is asked as often as it takes."""
    cloud, silence_s = config.get("cloud") or {}, (config.get("safety") or {}).get("silence_s", 0)
    polls = cloud.get("transport") in ("https", "auto")
    least_s = max(_ASKED_S, 3 * cloud["poll_s"] if polls else 0)
    if 0 < silence_s < least_s and cloud.get("api") != "thinger":
        how = "three times poll_s" if least_s > _ASKED_S else "the time of two requests"
        yield (
            "safety.silence_s",
            silence_s,
            f"{least_s} or more, {how}: one request that fails would lead to the safe state",
        )


def _dimmers(outputs: list[dict[str, Any]], board: Board) -> Iterator[Doubt]:
    """More of them than the chip has channels and timers for: the last ones stay faulty."""
    frequencies = [output["frequency"] for output in outputs if "frequency" in output]
    channels, timers = map(int, board.fact("pwm").split())
    if len(frequencies) > channels:
        yield "outputs", f"{len(frequencies)} with mode pwm", f"at most {channels} on an {board.name}"
    if len(set(frequencies)) > timers:
        wrong = f"{len(set(frequencies))} values of frequency"
        yield "outputs", wrong, f"at most {timers} on an {board.name}"


def _unknown_kinds(sensors: list[dict[str, Any]]) -> Iterator[Doubt]:
    """Values whose kind no catalog of the Realer cloud was ever seen with."""
    for i, sensor in enumerate(sensors):
        more = {key: value for key, value in sensor.items() if isinstance(value, dict)}
        for path, kind, item in [
            ("", sensor["kind"], sensor),
            *((f".{key}", key, more[key]) for key in more),
        ]:
            if kind not in CLOUD_KINDS and "cloud_kind" not in item:
                words = f"cloud_kind too, with what the cloud's catalog calls it ({', '.join(CLOUD_KINDS)})"
                yield (
                    f"sensors[{i}]{path or '.kind'}",
                    kind,
                    f"{words}: without it its readings stay on the device",
                )


def _switch(output: dict[str, Any], alone: bool) -> Iterator[tuple[str, str]]:
    limit = output["max_on_s"]
    if limit and output["min_on_s"] > limit:
        yield "min_on_s", "at most max_on_s, which overrules it"
    if "interlock_wait_ms" in output and output["interlock"] is None and len(kinds.relays(output)) == 1:
        yield "interlock_wait_ms", "together with interlock"
    if limit and output["safe"] == "on":
        yield "max_on_s", '0: with safe "on" it would still go off'
    if alone and output["interlock"] is not None:
        yield "interlock", "a group that another output has too"
    heats = output["action"] == "heat" if "action" in output else bool(_HEATS.search(output["name"]))
    for key in ("safe", "boot"):
        if heats and output[key] == "on" and not limit:
            yield key, "off, or with mode setpoint a number to fall back to: on would heat without limit"


def pin(output: Mapping[str, Any], board: Board) -> Iterator[tuple[str, str]]:
    """Whether the chip itself may close the relay of an output at reset."""
    gpio = output.get("gpio", -1)
    active = output.get("active", "high")
    free = boards.spans(board.free)
    for key, on in (("pulled_up", "high"), ("pulled_down", "low")):
        if gpio in board.gpios(key) and on == active:
            words = f"at reset the chip pulls this one {key[7:]}, and the relay may close"
            yield "gpio", f"{free}: {words}; or an external resistor that pulls the other way"
    if gpio in board.gpios("glitching"):
        yield "gpio", f"{free}: at power-up the chip drives this one for some microseconds"


def _secrets(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    cloud = config.get("cloud") or {}
    for key in ("client_secret", "credential"):
        if key in cloud:
            yield f"cloud.{key}", cloud[key].reveal()


def shown(value: Any) -> str:
    """A value that is no secret, as found."""
    return value if isinstance(value, str) and " " in value else json.dumps(value)
