"""Which device is simulated, at which cloud: the configuration, what the cloud knows of it, and what it serves.

`full` uses every kind of limit once; `drawn` draws everything at random. A configuration that the check refuses is no
setting, nor is one in which a quiet time could not end well.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from tools.cloud.demo_device import CLIENT_ID, CLIENT_SECRET, DEVICE_ID
from tools.cloud.entities import Command, Device, Plan, Sensor, Served
from tools.kinds import span
from tools.sim.sim_device import demo_config

GENERATIONS = {
    "realer": ("https", "mqtt", "auto"),
    "bootstrap": ("https", "mqtt", "auto"),
    "auto": ("https", "mqtt", "auto"),
    "realino": ("https",),
}
_OUTPUT_GPIOS = (16, 17, 18, 19, 21, 22, 23, 25, 26, 13)
_ADC_GPIOS = {"thermistor": (34, 36, 32), "ldr_sensor": (35, 39, 33)}
"""The first of each is where the plant has one; the others lie beside it."""


@dataclass
class Setting:
    """`config`: raw; `device`: in the cloud; `served`: the cloud's generations; `aliases`: GPIOs of sensors that lie
    beside the one that the plant has."""

    config: dict[str, Any]
    device: Device
    served: Served = field(default_factory=Served)
    plan: Plan = field(default_factory=Plan)
    aliases: dict[int, int] = field(default_factory=dict)

    @property
    def transport(self) -> str:
        return self.config["cloud"]["transport"]

    @property
    def name(self) -> str:
        return f"{self.config['cloud']['api']}-{self.transport}"


def full(transport: str, chatty: bool) -> Setting:
    """Two plain outputs, two that exclude each other, one that holds. `chatty`: every reading is reported, so that the
    outbox overflows in a longer outage."""
    config = demo_config(poll_s=60, probe_s=60, transport=transport)
    pump, heater = config["outputs"]
    pump |= {"min_on_s": 20, "min_off_s": 30, "max_on_s": 1200}
    up = {"pin_port": "7", "name": "up", "gpio": 18, "interlock": "shutter", "min_off_s": 5}
    down = {"pin_port": "8", "name": "down", "gpio": 19, "interlock": "shutter", "min_off_s": 5}
    lock = {"pin_port": "10", "name": "lock", "gpio": 21, "safe": "hold"}
    config["outputs"] = [pump, heater, up, down, lock]
    config["buttons"] = []
    for sensor in config["sensors"]:
        sensor |= {"period_s": 60, "samples": 1, "heartbeat_s": 3600, "keep": sensor["kind"] == "thermistor"}
        if chatty:
            sensor["deadband"] = 0
    commands = [Command(1, "6"), Command(2, "9", value="18.5", limits=(5, 35, 0.5))]
    commands += [Command(3, "7"), Command(4, "8"), Command(5, "10")]
    sensors = [Sensor(1, "14"), Sensor(2, "15", kind="ldr_sensor", qc="illuminance", mu="lux:0")]
    return Setting(config, Device(DEVICE_ID, CLIENT_ID, CLIENT_SECRET, commands=commands, sensors=sensors))


def drawn(chance: random.Random) -> Setting:
    """One to eight outputs, none to six sensors, any generation and transport, and what the plan allows."""
    api = chance.choice(tuple(GENERATIONS))
    config = demo_config(
        api=api, transport=chance.choice(GENERATIONS[api]), poll_s=chance.choice((20, 60)), probe_s=60
    )
    config["buttons"] = []
    config["safety"] = {"silence_s": chance.choice((180, 300, 900, 0))}
    sensors, aliases = _sensors(chance)
    warm = [sensor["pin_port"] for sensor in sensors if sensor["kind"] == "thermistor"]
    gpios = chance.sample(_OUTPUT_GPIOS, chance.randint(1, 8))
    # Covers need fine steps of time, and make a run slow.
    spare = [gpio for gpio in _OUTPUT_GPIOS if gpio not in gpios] if chance.random() < 0.2 else []
    config["outputs"] = [_output(chance, i, gpio, warm, spare) for i, gpio in enumerate(gpios)]
    config["sensors"] = sensors
    config["time"] = {
        "servers": ["ntp.realer.test", "ntp2.realer.test"],
        "zone": "CET-1CEST,M3.5.0,M10.5.0/3",
    }
    for output in config["outputs"]:
        if output["mode"] != "pulse" and output["safe"] != "hold" and chance.random() < 0.2:
            low, high, _ = span(output) or (0, 1, 1)
            output["schedule"] = [
                {
                    "days": chance.choice(("daily", "weekend", "mo")),
                    "hour": hour,
                    "value": chance.choice((low, high)),
                }
                for hour in chance.sample(range(24), 3)
            ]
    commands = [
        Command(i + 1, output["pin_port"], **_range(chance, output))
        for i, output in enumerate(config["outputs"])
    ]
    rows = [
        Sensor(i + 1, s["pin_port"]) if s["kind"] == "thermistor"
        else Sensor(i + 1, s["pin_port"], kind="ldr_sensor", qc="illuminance", mu="lux:0")
        for i, s in enumerate(sensors)
    ]  # fmt: skip
    served = Served(bootstrap=api == "bootstrap" or (api == "auto" and chance.random() < 0.4))
    if api == "realino" or (api == "auto" and not served.bootstrap and chance.random() < 0.4):
        # Its documentation shows two forms of login; where both are there, a device may use either.
        served = Served(iot=False, realino=chance.choice((("basic",), ("body",), ("basic", "body"))))
    plan = Plan(
        session_s=chance.choice((900, 3600)),
        max_batch=chance.choice((5, 20)),
        # Both ways of a cover and an overrun fit into the longer one.
        desired_s=300 if any("close" in output for output in config["outputs"]) else chance.choice((60, 300)),
        min_interval_s=chance.choice((0.0, 0.0, 5.0)),
        retry_after=chance.random() < 0.5,
    )
    device = Device(DEVICE_ID, CLIENT_ID, CLIENT_SECRET, commands=commands, sensors=rows)
    return Setting(config, device, served, plan, aliases)


def _sensors(chance: random.Random) -> tuple[list[dict[str, Any]], dict[int, int]]:
    found: list[dict[str, Any]] = []
    aliases: dict[int, int] = {}
    for kind, gpios in _ADC_GPIOS.items():
        for gpio in gpios[: chance.choice((0, 1, 1, 2, 3))]:
            aliases[gpio] = gpios[0]
            found.append({
                "pin_port": str(20 + len(found)), "name": f"{kind[:5]} {len(found)}", "gpio": gpio, "kind": kind,
                "side": "low", "period_s": 60, "samples": 1, "heartbeat_s": chance.choice((600, 3600)),
                "keep": chance.random() < 0.5,
            })  # fmt: skip
            if chance.random() < 0.25:
                found[-1]["deadband"] = 0
    chance.shuffle(found)
    return found, aliases


def _output(
    chance: random.Random, index: int, gpio: int, warm: list[str], spare: list[int]
) -> dict[str, Any]:
    """`warm`: ports of thermistors; `spare`: GPIOs for a second relay."""
    output: dict[str, Any] = {
        "pin_port": str(index + 1), "name": f"output {index}", "gpio": gpio, "active": chance.choice(("high", "low")),
        "boot": chance.choice(("off", "off", "on")), "after_lapse": chance.choice(("resume", "wait")),
        "min_on_s": chance.choice((0, 0, 10, 60)), "min_off_s": chance.choice((0, 5, 60)),
    }  # fmt: skip
    if warm and chance.random() < 0.4:
        low, step = chance.choice(((5, 0.5), (0, 1), (-10, 0.1)))
        return output | {
            "mode": "setpoint", "sensor": chance.choice(warm), "min": low, "max": low + chance.choice((5, 30)),
            "step": step, "hysteresis": chance.choice((0.2, 0.5, 3)), "action": chance.choice(("heat", "cool")),
            "safe": chance.choice(("off", "on", "hold", float(low))), "max_on_s": chance.choice((0, 0, 1800)),
        }  # fmt: skip
    if spare and chance.random() < 0.5:
        return output | {
            "mode": "cover", "boot": "off", "min_on_s": 0, "min_off_s": chance.choice((0, 2)),
            "close": {"gpio": spare.pop()}, "open_s": chance.randint(40, 80), "close_s": chance.randint(40, 80),
            "step": chance.choice((1, 5)), "safe": chance.choice(("off", "hold", 0, 100, 40)),
            "interlock_wait_ms": chance.choice((100, 500, 2000)),
        }  # fmt: skip
    if chance.random() < 0.1:
        return output | {
            "mode": "pulse", "boot": "off", "min_on_s": 0, "pulse_ms": chance.choice((50, 500, 3000)),
        }  # fmt: skip
    output |= {"mode": "switch", "safe": chance.choice(("off", "off", "on", "hold"))}
    output["max_on_s"] = chance.choice((0, 0, 900)) if output["safe"] != "on" else 0
    if chance.random() < 0.5:
        output |= {"interlock": chance.choice(("left", "right")), "safe": "off", "boot": "off"}
    return output


def _range(chance: random.Random, output: dict[str, Any]) -> dict[str, Any]:
    limits = span(output)
    if not limits:
        return {}
    low, high, step = limits
    value = low + step * chance.randint(0, round((high - low) / step))
    return {"value": f"{value:.1f}", "limits": limits}
