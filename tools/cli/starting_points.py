"""Complete configurations to begin with, by what is connected, and why each value is what it is: for `realer new`.

A `gpio` is the name of a part of the example configuration, whose pin each board's profile proposes, or None for any
other pin that is free. What is not written here has the default of the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Item = dict[str, tuple[Any, str]]
"""Key -> (value, why); "" where the value explains itself."""


@dataclass(frozen=True)
class StartingPoint:
    """`what`: one line about it; `protect`: what must protect people and things beside this device."""

    what: str
    protect: str
    outputs: tuple[Item, ...]
    sensors: tuple[Item, ...] = ()
    buttons: tuple[Item, ...] = ()
    silence_s: tuple[int, str] = (300, "")

    @property
    def sections(self) -> dict[str, tuple[Item, ...]]:
        return {"outputs": self.outputs, "sensors": self.sensors, "buttons": self.buttons}


_ROOM: Item = {
    "pin_port": ("14", "the port that the cloud's catalog has for this sensor"),
    "name": ("room", ""),
    "kind": ("thermistor", "10 kΩ NTC; ds18b20, dht22, sht3x and bme280 do as well"),
    "gpio": ("room", "a pin of ADC1"),
    "min": (-20, "below this the wire is broken, not the room cold: the heater goes off"),
    "max": (60, "above this the sensor has a short circuit"),
}

STARTING_POINTS: dict[str, StartingPoint] = {
    "heater": StartingPoint(
        "a room thermostat: a heater behind a relay, and a thermistor",
        "a thermal cut-out in the heater, which works with this device unplugged",
        outputs=(
            {
                "pin_port": ("9", "the port that the cloud's catalog has for this command"),
                "name": ("heater", ""),
                "gpio": ("heater", ""),
                "mode": ("setpoint", "the cloud sets the temperature, the device regulates"),
                "sensor": ("14", "the port of the thermistor"),
                "safe": (8.0, "without a cloud the room stays free of frost; off would let pipes freeze"),
                "min": (5, "lower is refused"),
                "max": (25, "higher is always refused"),
                "step": (0.5, ""),
                "hysteresis": (0.5, "wider switches less often"),
                "min_on_s": (60, "spares the relay"),
                "min_off_s": (
                    120,
                    "spares it, also where a loose wire makes the reading jump; a compressor needs 180",
                ),
                "stall_s": (3600, "an hour of heat must warm a room"),
                "stall_delta": (0.5, "by this much, or the sensor has fallen off the wall"),
                "stall_action": ("off", "then heating on would only be dangerous"),
            },
        ),
        sensors=(_ROOM,),
        silence_s=(1800, "half an hour without an answer, then 8 °C: a heater has time"),
    ),
    "pump": StartingPoint(
        "a pump behind a relay, a float switch, and a button",
        "a float switch or dry-run protection in the pump's own supply",
        outputs=(
            {
                "pin_port": ("6", "the port that the cloud's catalog has for this command"),
                "name": ("pump", ""),
                "gpio": ("pump", ""),
                "safe": ("off", "an unattended pump can flood something or run dry"),
                "min_on_s": (5, "a motor draws most when it starts"),
                "min_off_s": (20, "the same"),
                "max_on_s": (1800, "half an hour, then somebody has to ask again"),
                "after_lapse": (
                    "wait",
                    "a pump that was on before an outage does not start by itself after it",
                ),
            },
        ),
        sensors=(
            {
                "pin_port": ("20", "the port that the cloud's catalog has for this sensor"),
                "name": ("tank full", ""),
                "kind": ("digital", "a float switch from the pin to GND"),
                "gpio": (None, ""),
                "keep": (True, "a full tank is reported even after a power cut"),
            },
        ),
        buttons=({"gpio": ("button", "from the pin to GND"), "toggles": ("6", "works without any network")},),
        silence_s=(120, "two minutes without an answer, then off"),
    ),
    "lock": StartingPoint(
        "a door strike that opens for three seconds, a door contact, and an exit button",
        "a way out by hand, without power: a lever or a panic bar",
        outputs=(
            {
                "pin_port": ("6", "the port that the cloud's catalog has for this command"),
                "name": ("door", ""),
                "gpio": ("pump", ""),
                "mode": ("pulse", "the relay goes off by itself, whatever happens to the network"),
                "pulse_ms": (3000, "time to push the door"),
                "safe": ("off", "locked; a strike that opens without current needs the same"),
                "min_off_s": (2, "its coil cools down"),
            },
        ),
        sensors=(
            {
                "pin_port": ("20", "the port that the cloud's catalog has for this sensor"),
                "name": ("door open", ""),
                "kind": ("digital", "a reed contact from the pin to GND"),
                "active": ("high", "the contact is closed while the door is"),
                "gpio": (None, ""),
                "keep": (True, "an opened door is reported even after a power cut"),
            },
        ),
        buttons=(
            {
                "gpio": ("button", "inside, from the pin to GND"),
                "toggles": ("6", "works without any network"),
            },
        ),
        silence_s=(60, "a minute without an answer, then only the button opens"),
    ),
    "greenhouse": StartingPoint(
        "frost protection, a vent and watering: a heater, a motor with two relays, a valve, and a DS18B20",
        "a thermal cut-out in the heater, limit switches in the vent's motor, a valve that closes without current",
        outputs=(
            {
                "pin_port": ("9", "the port that the cloud's catalog has for this command"),
                "name": ("heater", ""),
                "gpio": ("heater", ""),
                "mode": ("setpoint", "the cloud sets the temperature, the device regulates"),
                "sensor": ("14", "the port of the thermometer"),
                "safe": (5.0, "plants survive an outage in winter"),
                "min": (2, ""),
                "max": (20, "higher is always refused"),
                "min_on_s": (60, "spares the relay"),
                "min_off_s": (120, ""),
                "stall_s": (7200, "two hours of heat must show"),
                "stall_action": ("warn", "a warning only: off would let plants freeze"),
            },
            {
                "pin_port": ("7", ""),
                "name": ("vent", ""),
                "gpio": ("pump", "the relay that opens"),
                "mode": ("cover", "0 is closed, 100 is open"),
                "close": ({"gpio": None}, "the relay that closes; never on together with the other one"),
                "open_s": (60, "measure it: the position is computed from the time the motor ran"),
                "safe": (30, "a gap: too warm is as bad as too cold"),
            },
            {
                "pin_port": ("6", ""),
                "name": ("water", ""),
                "gpio": (None, ""),
                "safe": ("off", ""),
                "max_on_s": (600, "ten minutes, then somebody has to ask again"),
                "after_lapse": ("wait", "watering does not go on by itself after an outage"),
            },
        ),
        sensors=(
            {
                "pin_port": ("14", "the port that the cloud's catalog has for this sensor"),
                "name": ("air", ""),
                "kind": ("ds18b20", "4.7 kΩ from the pin to 3V3"),
                "gpio": (None, ""),
                "cloud_kind": ("thermistor", "the catalog's word for a temperature"),
                "min": (-30, "below this the wire is broken"),
                "max": (70, ""),
            },
        ),
        silence_s=(1800, "half an hour without an answer, then the safe states"),
    ),
}
