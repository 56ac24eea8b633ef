"""The host's side of `firmware/sensors/bme280.py`; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from tools.sensors import humidity
from tools.sensors.i2c import PINS

MEANING = "temperature, humidity and air pressure, by a BME280 on an I2C bus"
MEASURES = "degrees Celsius"
ABOUT = PINS | {
    "i2c_address": "What is its address? 0x76; 0x77 where its pin SDO is at 3.3 V.",
    **humidity.ABOUT,
    "pressure": "Does the cloud have a port for its air pressure, too?",
}
PARTS = humidity.PARTS | {
    "pressure": {
        "pin_port": "Which port has its air pressure in the cloud? Its name there, not a GPIO number.",
        "name": "What do you call its air pressure? It is used in the log.",
    }
}
KNOBS = ("room", "humidity", "pressure")
WIRE = {"sda": 21, "scl": 22, "i2c_address": 0x76, "chip_id": 0x60}
_T = (28009, 25654, 50)
_P = (39145, -10750, 3024, 5667, -120, -7, 15500, -14600, 6000)
_H = (75, 376, 0, 286, 50, 30)
_MEASURE_MS = 9.3
_SKIPPED = (0x80000, 0x80000, 0x8000)
_ID, _RESET, _CTRL_HUM, _STATUS, _CTRL_MEAS, _DATA = 0xD0, 0xE0, 0xF2, 0xF3, 0xF4, 0xF7
_WRITABLE = (_RESET, _CTRL_HUM, _CTRL_MEAS, 0xF5)


def i2c(wire: Mapping[str, Any], plant: Any, asked: bytes | int, now_ms: float) -> bytes | int | None:
    """Registers: a first byte chooses one, more of them are pairs of register and value; reading goes on behind it."""
    key = ("i2c", wire["sda"], wire["i2c_address"])
    state = plant.kept.setdefault(key, {})
    if not state:
        state |= {"at": 0, "registers": _fresh(wire["chip_id"]), "humidity": 0, "ready_ms": None}
    registers = state["registers"]
    _settle(state, plant, now_ms)
    if isinstance(asked, int):
        shown = bytes(registers[(state["at"] + i) & 0xFF] for i in range(asked))
        state["at"] += asked
        return shown
    if asked:
        state["at"] = asked[0]
    for register, value in zip(asked[::2], asked[1::2], strict=False):
        if register == _RESET and value == 0xB6:
            plant.kept[key] = {}
        elif register in _WRITABLE:
            registers[register] = value
            if register == _CTRL_MEAS:
                # Only now does what was written to the humidity's register count.
                state["humidity"] = registers[_CTRL_HUM] & 7
                state["ready_ms"] = now_ms + _MEASURE_MS if value & 3 in (1, 2) else None
                registers[_STATUS] = 8 if state["ready_ms"] else 0
    return len(asked)


def _fresh(chip_id: int) -> bytearray:
    registers = bytearray(256)
    registers[0x88:0xA0] = struct.pack("<HhhHhhhhhhhh", *_T, *_P)
    h1, h2, h3, h4, h5, h6 = _H
    registers[0xA1] = h1
    registers[0xE1:0xE8] = struct.pack("<hBbBbb", h2, h3, h4 >> 4, (h4 & 15) | (h5 & 15) << 4, h5 >> 4, h6)
    registers[_ID] = chip_id
    _show(registers, *_SKIPPED)
    return registers


def _show(registers: bytearray, pressure: int, temperature: int, humidity: int) -> None:
    registers[_DATA : _DATA + 3] = (pressure << 4).to_bytes(3, "big")
    registers[_DATA + 3 : _DATA + 6] = (temperature << 4).to_bytes(3, "big")
    registers[_DATA + 6 : _DATA + 8] = humidity.to_bytes(2, "big")


def _settle(state: dict[str, Any], plant: Any, now_ms: float) -> None:
    """Play what happened up to now."""
    if state["ready_ms"] is None or now_ms < state["ready_ms"]:
        return
    state["ready_ms"] = None
    registers = state["registers"]
    registers[_STATUS] = 0
    settings = registers[_CTRL_MEAS]
    registers[_CTRL_MEAS] = settings & ~3
    raw_t = _inverse(lambda raw: _celsius(raw)[0], plant.sensor_c, 20)
    fine = _celsius(raw_t)[1]
    raw_p = _inverse(lambda raw: -_pascals(raw, fine), -plant.pressure_hpa * 100, 20)
    raw_h = _inverse(lambda raw: _percent(raw, fine), plant.humidity, 16)
    wanted = (settings >> 2 & 7, settings >> 5, state["humidity"])
    shown = (raw_p, raw_t, raw_h)
    _show(registers, *(raw if on else none for raw, on, none in zip(shown, wanted, _SKIPPED, strict=True)))


def _inverse(shown: Callable[[int], float], wanted: float, bits: int) -> int:
    """What a converter of so many bits reads where `shown`, which grows with it, comes to `wanted`."""
    low, high = 0, (1 << bits) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) >= wanted else (middle + 1, high)
    return low


# The data sheet's compensation in floats of 53 bits (section 8.1): not the one of the firmware.


def _celsius(raw: int) -> tuple[float, float]:
    """(degrees, t_fine)"""
    t1, t2, t3 = _T
    fine = (raw / 16384 - t1 / 1024) * t2 + (raw / 131072 - t1 / 8192) ** 2 * t3
    return fine / 5120, fine


def _pascals(raw: int, fine: float) -> float:
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = _P
    a = fine / 2 - 64000
    b = (a * a * p6 / 32768 + a * p5 * 2) / 4 + p4 * 65536
    a = (1 + (p3 * a * a / 524288 + p2 * a) / 524288 / 32768) * p1
    p = (1048576 - raw - b / 4096) * 6250 / a
    return p + (p9 * p * p / 2147483648 + p * p8 / 32768 + p7) / 16


def _percent(raw: int, fine: float) -> float:
    h1, h2, h3, h4, h5, h6 = _H
    a = fine - 76800
    b = h2 / 65536 * (1 + h6 / 67108864 * a * (1 + h3 / 67108864 * a))
    a = (raw - (h4 * 64 + h5 / 16384 * a)) * b
    return a * (1 - h1 * a / 524288)


def doctor(row: Any, board: Any) -> Any:
    bus, address = board.i2c(row, 0x76)
    chip = bus.readfrom_mem(address, 0xD0, 1)[0]
    if chip != 0x60:
        text = "a BMP280, which measures no humidity" if chip in (0x56, 0x57, 0x58) else "not a BME280"
        raise board.Wrong("chip id 0x%02x: %s" % (chip, text), "use a BME280; does it have another address?")
    calibration = bus.readfrom_mem(address, 0x88, 6)
    t1 = calibration[0] | calibration[1] << 8
    t2, t3 = [
        n - 65536 if n & 0x8000 else n for n in [calibration[i] | calibration[i + 1] << 8 for i in (2, 4)]
    ]
    bus.writeto(address, b"\xf2\x01\xf4\x25")
    board.sleep(0.015)
    data = bus.readfrom_mem(address, 0xFA, 3)
    raw = data[0] << 12 | data[1] << 4 | data[2] >> 4
    fine = (raw / 16384 - t1 / 1024) * t2 + (raw / 131072 - t1 / 8192) ** 2 * t3
    return "%.1f degrees" % (fine / 5120)
