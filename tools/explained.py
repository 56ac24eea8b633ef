"""What `make config` says about the keys it asks for. Owns words and order; what a key may hold, the rules own."""

from __future__ import annotations

_ACCOUNT = {
    "transport": "How the device talks to it: https asks every few seconds; mqtt hears at once; auto prefers mqtt and\n"
    "polls where that does not work.",
    "base_url": "Where the cloud is.",
    "device_id": "These three stand in the dashboard, at the control device's keys.",
    "client_id": "",
    "client_secret": "It is not shown while you type.",
}

ABOUT: dict[str, dict[str, str]] = {
    "config": {"name": "What you call this device. It stands in its log."},
    "networks": {
        "ssid": "Name of the Wi-Fi network. An ESP32 knows 2.4 GHz only.",
        "password": "Its password; nothing for an open network.",
    },
    "cloud": {
        "api": "The cloud's language: what your account or its documentation says.",
    },
    "auto": _ACCOUNT,
    "bootstrap": _ACCOUNT,
    "realer": _ACCOUNT,
    "realino": _ACCOUNT,
    "thinger": {
        "host": "Where devices log in; your own server, if you have one.",
        "user": "Name of your Thinger.io account.",
        "device_id": "The device's id and credential stand in the console, at the device.",
        "credential": "It is not shown while you type.",
    },
    "sensors": {
        "pin_port": "The port's name in the cloud. Not a GPIO number.",
        "name": "What you call it. It stands in the log.",
        "gpio": "The pin in the middle of its divider.",
        "side": "Where the sensor sits in the divider: low = from the pin to ground, high = from 3.3 V to the pin.",
        "divider_ohm": "The other resistor of the divider, in ohms; measured is better than printed.",
        "kind": "thermistor: NTC, a temperature. ldr_sensor: photoresistor, a brightness.",
    },
    "thermistor": {
        "beta": "From its data sheet, often 3380, 3435 or 3950.",
        "r25_ohm": "Its resistance at 25 °C, in ohms.",
    },
    "outputs": {
        "pin_port": "The port's name in the cloud. Not a GPIO number.",
        "name": "What you call it. It stands in the log.",
        "gpio": "The pin that drives the relay.",
        "active": "The level at which the relay pulls; many relay boards with an optocoupler pull at low.",
        "mode": "switch: the cloud says 0 or 1. setpoint: the cloud says a temperature, and the device regulates.",
        "safe": "What it does without authorization, in a fault, on a silent network: off, on, hold (as it is), or\n"
        "for a setpoint the number to fall back to. A heater goes off or to frost protection; a lock is your choice.",
    },
    "setpoint": {
        "sensor": "pin_port of the sensor it regulates by.",
        "min": "Lowest setpoint that is obeyed, in the sensor's unit.",
        "max": "Highest one.",
        "step": "Setpoints are multiples of this from min on; 0: any.",
        "hysteresis": "How far it may stray before the relay switches.",
        "action": "heat: on when it is too cold. cool: on when it is too warm.",
    },
    "buttons": {
        "gpio": "The button's pin.",
        "toggles": "pin_port of the output that it toggles.",
        "active": "The level while it is pressed: low for a button to ground.",
        "pull": "Resistor inside the chip: up for a button to ground. GPIO 34 to 39 have none.",
    },
    "led": {"gpio": "2 on most boards.", "active": "The level at which it shines."},
    "safety": {
        "silence_s": "Seconds without an answer from the cloud before the safe state; 0: only the authorization counts."
    },
}
"""Section -> key -> explanation, in the order of asking. A key that is not here keeps its default, if it has one."""
