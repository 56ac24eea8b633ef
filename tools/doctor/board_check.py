"""Runs on the board, first: the image, the memory, the pins. `wifi_check.py` and `network_check.py` follow.

Each line is ok, note or problem, with what to do about it. The check reads config.json on the board, drives no pin,
writes no file, and needs MicroPython 1.24 on an ESP32. It does not import the firmware, so it does not share its
errors.
"""

import gc
import json
import math
import os
import sys
import time
from machine import ADC, WDT, Pin, SoftI2C, dht_readinto

from onewire import OneWire

MOST_MV = 3050
"""mV; a higher reading means that the input is at the supply. `realer doctor` sets it for the board's chip."""
CLOUD_KINDS = ("thermistor", "ldr_sensor")
DOCTORS = {}
"""The check of each kind of sensor, which `realer doctor` inserts here from `tools/sensors`."""
tally = {"ok": 0, "note": 0, "problem": 0}


def say(level, what, text, do=""):
    tally[level] += 1
    print("%-8s %-12s %s" % (level, what, text))
    if do:
        print("         %-12s -> %s" % ("", do))


def demand(good, what, text, do, bad="problem"):
    """Report `text`, as ok if `good`, else with the level `bad` and the remedy `do`."""
    say("ok" if good else bad, what, text, "" if good else do)


def config():
    """The content of config.json, None if it cannot be used."""
    try:
        with open("config.json") as file:
            found = json.loads(file.read().lstrip("\ufeff"))
        if isinstance(found, dict):
            return found
        say("problem", "config", "config.json is not an object", "realer config, then realer deploy")
    except OSError:
        say("problem", "config", "there is no config.json on the board", "realer config, then realer deploy")
    except ValueError:
        do = "realer check_config config.json, then realer deploy"
        say("problem", "config", "config.json is not JSON", do)
    return None


def board():
    version = sys.implementation[1][:3]
    demand(
        version >= (1, 24, 0), "board", "MicroPython %d.%d.%d" % version, "realer flash with 1.24 or newer"
    )
    gc.collect()
    free = gc.mem_free()
    text = "%d bytes free for Python, with all that its heap can grow by" % free
    demand(free > 60000, "memory", text, "use a stock image")
    block, _, blocks, unused = os.statvfs("/")[:4]
    free = block * unused // 1024
    text = "%d of %d KB free" % (free, block * blocks // 1024)
    demand(free > 200, "flash", text, "remove files that are not needed")


class Wrong(Exception):
    """A part has a fault. Arguments: what is wrong, and what to do about it."""


def millivolts_of(row):
    adc = ADC(Pin(row.get("gpio")), atten=ADC.ATTN_11DB)
    return sum([adc.read_uv() for _ in range(32)]) / 32000


def dht(row):
    """The five bytes that a DHT sends. Raises Wrong."""
    data = bytearray(5)
    try:
        dht_readinto(Pin(row["gpio"]), data)
    except OSError:
        raise Wrong("no answer", "check its wires, and the resistor of 10 k to 3.3 V")
    if sum(data[:4]) & 255 != data[4]:
        raise Wrong("wrong checksum", "check its wires; a long one needs a smaller resistor")
    return data


_ON_I2C = {
    0x23: "BH1750", 0x27: "PCF8574", 0x38: "AHT20", 0x3C: "display SSD1306", 0x40: "SHT21, Si7021 or INA219",
    0x44: "SHT3x", 0x45: "SHT3x", 0x48: "ADS1115 or TMP102", 0x50: "EEPROM", 0x57: "EEPROM",
    0x68: "clock DS3231 or MPU-6050", 0x76: "BME280 or BMP280", 0x77: "BME280 or BMP280",
}  # fmt: skip
_EVERYBODY = 100


def i2c(row, usual):
    """(bus, address) of a sensor on I2C. `usual`: address if none is configured. Raises Wrong if nothing is there."""
    bus = SoftI2C(scl=Pin(row["scl"]), sda=Pin(row["sda"]), freq=100000)
    found, address = bus.scan(), row.get("i2c_address") or usual
    if len(found) > _EVERYBODY:
        do = "check sda for a short circuit; unplug one after the other"
        raise Wrong("the data line of the bus is held low", do)
    names = ["0x%02x (%s)" % (at, _ON_I2C.get(at, "unknown")) for at in found]
    text = "on the bus there is %s" % (", ".join(names) or "nothing")
    if address not in found:
        do = "check its wires (are sda and scl swapped?) and the resistors to 3.3 V"
        raise Wrong("nothing answers at 0x%02x; %s" % (address, text), "correct i2c_address" if found else do)
    if (row["sda"], row["scl"]) not in buses:
        buses.append((row["sda"], row["scl"]))
        say("ok", pin_of(row), text)
    return bus, address


buses = []
"""I2C buses that were reported already, as (sda, scl)."""


def pin_of(row):
    return "GPIO %s" % (row.get("gpio") if "gpio" in row else "%s, %s" % (row.get("sda"), row.get("scl")))


def divider(row):
    """(millivolts at the pin, ohms) of a sensor in a voltage divider. Raises Wrong."""
    millivolts = millivolts_of(row)
    supply = row.get("supply_mv", 3300)
    if not 150 < millivolts < min(supply - 5, MOST_MV):
        open_end = (millivolts < 200) == (row.get("side", "low") == "high")
        wire = "an open circuit" if open_end else "a short circuit"
        do = "check wires and divider_ohm; is side right? (low: the sensor is between pin and ground)"
        raise Wrong("%d mV, as with %s" % (millivolts, wire), do)
    ratio = millivolts / (supply - millivolts)
    if row.get("side", "low") == "high":
        ratio = 1 / ratio
    return millivolts, row.get("divider_ohm", 10000) * ratio


def sensor(row):
    """Report the reading of a sensor, by the check of its kind."""
    name = pin_of(row)
    try:
        say("ok", name, "%s: %s" % (row.get("name"), DOCTORS[row["kind"]](row, Board)))
        if Board.api != "thinger" and row.get("cloud_kind", row["kind"]) not in CLOUD_KINDS:
            text = "%s: the Realer cloud may not know the kind %s" % (row.get("name"), row["kind"])
            do = "give it a cloud_kind that the cloud's catalog has, if its readings are to reach the cloud"
            say("note", name, text, do)
    except Wrong as wrong:
        say("problem", name, "%s: %s" % (row.get("name"), wrong.args[0]), wrong.args[1])


class Board:
    """What the check of a kind of sensor may use."""

    api = None
    ADC, OneWire, Pin, Wrong, log, most_mv, sleep = ADC, OneWire, Pin, Wrong, math.log, MOST_MV, time.sleep
    dht, divider, millivolts = staticmethod(dht), staticmethod(divider), staticmethod(millivolts_of)
    i2c = staticmethod(i2c)


def output(row):
    gpios = [row["gpio"]] + [
        part["gpio"] for part in row.values() if isinstance(part, dict) and "gpio" in part
    ]
    # An output with a second relay, such as a shutter, has both off while it does not move.
    safe = row.get("safe", "off") if len(gpios) == 1 else "off"
    for gpio in gpios:
        on = Pin(gpio).value() == (row.get("active", "high") == "high")
        good = on == (safe == "on") or safe not in ("on", "off")
        text = "%s is %s" % (row.get("name"), "on" if on else "off")
        do = "outputs are in their safe state now: see active and safe, and the wiring"
        demand(good, "GPIO %d" % gpio, text, do, "note")


def button(row):
    pull = {"up": Pin.PULL_UP, "down": Pin.PULL_DOWN}.get(row.get("pull", "up"))
    pressed = Pin(row["gpio"], Pin.IN, pull).value() == (row.get("active", "low") == "high")
    text = "button is %spressed" % ("" if pressed else "not ")
    do = "if nobody presses it: see active, pull and the wiring"
    demand(not pressed, "GPIO %d" % row["gpio"], text, do, "note")


def pins(found):
    Board.api = (found.get("cloud") or {}).get("api")
    for key, check in (("sensors", sensor), ("outputs", output), ("buttons", button)):
        for row in found.get(key) or ():
            try:
                check(row)
            except (OSError, ValueError, TypeError, KeyError, ZeroDivisionError) as error:
                do = "realer check_config config.json"
                say("problem", pin_of(row), "%s: %s" % (row.get("name"), error), do)


found = config()
# A watchdog that the firmware started cannot be stopped: this one takes its place.
attend = WDT(0, 120000).feed if found and found.get("watchdog_s", 60) else gc.collect
board()
if found:
    pins(found)
