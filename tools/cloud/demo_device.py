"""The device that the demo, the smoke test and most examples use, and its configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tools.cloud.entities import Command, Device, Sensor
from tools.cloud.thinger_model import Thinger
from tools.repository import ROOT

CLIENT_ID = "cdv_00000000000000000000000001"
CLIENT_SECRET = "test-secret-not-real"
DEVICE_ID = 12345
KEYS = {"device_id": DEVICE_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
"""As a dashboard shows them. They are keys to the simulation and to nothing else."""

SSID, WIFI_PASSWORD = "bench", "test-password-not-real"
CA_FILE = "certs/ca.der"
UPDATE_PORT = "99"
"""Where the command for updates over the air is, where there is one."""
_EXAMPLE = ROOT / "config.example.json"

THINGER_HOST = "iot.realer.test"
THINGER_USER, THINGER_PASSWORD = "alvarolb", "test-password-not-real"
THINGER_DEVICE, THINGER_CREDENTIAL = "nodemcu", "test-secret-not-real"


def demo_device() -> Device:
    """Device 12345: a pump on port "6", a thermostat on "9", a thermistor on "14", daylight on "15"."""
    return Device(
        DEVICE_ID,
        CLIENT_ID,
        CLIENT_SECRET,
        commands=[Command(1, "6"), Command(2, "9", value="18.5", limits=(5, 35, 0.5))],
        sensors=[Sensor(1, "14"), Sensor(2, "15", kind="ldr_sensor", qc="illuminance", mu="lux:0")],
    )


def update_command() -> Command:
    """What asks the device for a bundle of firmware by its number."""
    return Command(9, UPDATE_PORT, value="0", limits=(0, 999999, 1))


def demo_config(addresses: Mapping[str, Any], transport: str) -> dict[str, Any]:
    """The example configuration, for a device of this site (see Site.addresses)."""
    config = json.loads(_EXAMPLE.read_text())
    config["wifi"] |= {
        "networks": [{"ssid": SSID, "password": WIFI_PASSWORD}],
        "dns": [f"127.0.0.1:{addresses['dns_port']}"],
    }
    config["time"] = {"servers": [f"ntp.realer.test:{addresses['ntp_port']}"]}
    config["cloud"] |= {
        "transport": transport,
        "base_url": addresses["base_url"],
        "device_id": str(DEVICE_ID),
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "ca_files": [CA_FILE],
        "poll_s": 2,
        "probe_s": 5,
    }
    config["sensors"][0]["period_s"] = 1
    for output in config["outputs"]:
        output["min_off_s"] = min(output["min_off_s"], 1)
    return config


def demo_account(cloud: Thinger) -> None:
    """The same board as a device of the simulated Thinger.io, under the names of its documentation."""
    cloud.accounts[THINGER_USER] = THINGER_PASSWORD
    cloud.add_device(THINGER_USER, THINGER_DEVICE, THINGER_CREDENTIAL, "NodeMCU With ESP8266")
