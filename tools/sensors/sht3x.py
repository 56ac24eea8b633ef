"""The host's side of `firmware/sensors/sht3x.py`; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.sensors import humidity
from tools.sensors.i2c import PINS

MEANING = "temperature and humidity, by a SHT30, SHT31 or SHT35 on an I2C bus"
MEASURES = "degrees Celsius"
ABOUT = PINS | {
    "i2c_address": "What is its address? 0x44; 0x45 where its pin ADDR is at 3.3 V.",
    **humidity.ABOUT,
}
PARTS = humidity.PARTS
KNOBS = ("room", "humidity")
WIRE = {"sda": 21, "scl": 22, "i2c_address": 0x44}
_MEASURE = {b"\x24\x00": 15.5, b"\x24\x0b": 6.5, b"\x24\x16": 4.5}
"""By single shot command, without clock stretching, how long it takes at most."""


def i2c(wire: Mapping[str, Any], plant: Any, asked: bytes | int, now_ms: float) -> bytes | int | None:
    """What becomes of bytes that are written, how many it acknowledges, or of `asked` ones that are read: None, it does
    not answer, as long as it measures, and where there is nothing to be read."""
    state = plant.kept.setdefault(("i2c", wire["sda"], wire["i2c_address"]), {"ready_ms": None})
    if isinstance(asked, bytes):
        state["ready_ms"] = now_ms + _MEASURE[asked] if asked in _MEASURE else None
        return len(asked)
    if state["ready_ms"] is None or now_ms < state["ready_ms"]:
        return None
    state["ready_ms"] = None
    shown = b""
    for raw in (round((plant.sensor_c + 45) * 65535 / 175), round(plant.humidity * 65535 / 100)):
        pair = raw.to_bytes(2, "big")
        shown += pair + bytes((crc8(pair),))
    return (shown + bytes([0xFF] * asked))[:asked]


def crc8(data: bytes) -> int:
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) & 0xFF ^ 0x31 if crc & 0x80 else crc << 1
    return crc


def doctor(row: Any, board: Any) -> Any:
    bus, address = board.i2c(row, 0x44)
    bus.writeto(address, b"\x24\x00")
    board.sleep(0.02)
    data = bus.readfrom(address, 6)
    crc = 0xFF
    for byte in data[:3]:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x31 if crc & 0x80 else 0)) & 0xFF
    if crc:
        raise board.Wrong("wrong checksum", "check its wires; a long cable needs smaller resistors")
    celsius, percent = [data[i] << 8 | data[i + 1] for i in (0, 3)]
    return "%.1f degrees, %.1f %%" % (celsius * 175 / 65535 - 45, percent * 100 / 65535)
