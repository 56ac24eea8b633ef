"""The device that the demo, the smoke test and most examples use."""

from __future__ import annotations

from tools.cloud.nouns import Command, Device, Sensor
from tools.cloud.thinger_model import Thinger

CLIENT_ID = "cdv_00000000000000000000000001"
CLIENT_SECRET = "test-secret-not-real"
DEVICE_ID = 12345

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
        sensors=[
            Sensor(1, "14"),
            Sensor(2, "15", kind="ldr_sensor", qc="illuminance", mu="lux:0"),
        ],
    )


def demo_account(cloud: Thinger) -> None:
    """The same board as a device of the simulated Thinger.io, under the names of its documentation."""
    cloud.accounts[THINGER_USER] = THINGER_PASSWORD
    cloud.add_device(THINGER_USER, THINGER_DEVICE, THINGER_CREDENTIAL, "NodeMCU With ESP8266")
