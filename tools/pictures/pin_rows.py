"""What is printed beside the pins of a kit, in the order of its two headers, with the USB connector below.

Sources: the user guides of Espressif's ESP32-DevKitC V4, ESP32-S3-DevKitC-1, ESP32-C3-DevKitM-1 and ESP32-C6-DevKitC-1
("Header Block"); the pinout of DOIT's DevKit V1 with 30 pins and of the Super Mini. The host alone has these rows: a
device needs no more of a kit than `firmware/boards` says.
"""

from __future__ import annotations

ROWS: dict[str, tuple[str, str]] = {
    "esp32-devkitc": (
        "3V3 EN VP VN IO34 IO35 IO32 IO33 IO25 IO26 IO27 IO14 IO12 GND IO13 D2 D3 CMD 5V",
        "GND IO23 IO22 TX RX IO21 GND IO19 IO18 IO5 IO17 IO16 IO4 IO0 IO2 IO15 D1 D0 CLK",
    ),
    "esp32-devkit-v1": (
        "EN VP VN D34 D35 D32 D33 D25 D26 D27 D14 D12 D13 GND VIN",
        "D23 D22 TX0 RX0 D21 D19 D18 D5 TX2 RX2 D4 D2 D15 GND 3V3",
    ),
    "esp32-s3-devkitc-1": (
        "3V3 3V3 RST 4 5 6 7 15 16 17 18 8 3 46 9 10 11 12 13 14 5V GND",
        "GND TX RX 1 2 42 41 40 39 38 37 36 35 0 45 48 47 21 20 19 GND GND",
    ),
    "esp32-c3-devkitm-1": (
        "GND 3V3 3V3 IO2 IO3 GND RST GND IO0 IO1 IO10 GND 5V 5V GND",
        "GND TX RX GND IO9 IO8 GND IO7 IO6 IO5 IO4 GND IO18 IO19 GND",
    ),
    "esp32-c3-supermini": ("0 1 2 3 4 3V3 GND 5V", "21 20 10 9 8 7 6 5"),
    "esp32-c6-devkitc-1": (
        "3V3 RST 4 5 6 7 0 1 8 10 11 2 3 5V GND NC",
        "GND TX RX 15 23 22 21 20 19 18 9 GND 13 12 GND NC",
    ),
}
"""Left and right, from top to bottom, by the name of the kit."""

POWER = {"3V3": "3V3", "5V": "5V", "VIN": "5V", "GND": "GND"}
"""The supply that a printed name stands for."""
