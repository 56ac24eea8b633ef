"""The host's side of `firmware/sensors/ds18b20.py`; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MEANING = "a temperature, by a DS18B20; several can share a pin"
MEASURES = "degrees Celsius"
ABOUT = {
    "gpio": "Which GPIO is its data line wired to? It needs a resistor of 4.7 kΩ to 3.3 V.",
    "address": "What is its address? 16 digits, as realer doctor shows them; nothing if it is alone on the pin.",
}
KNOBS = ("room",)
WIRE = {"address": "28ff000000000001"}
_CONVERSION_MS = 750
_RESET = 0x0550
"""What it shows before its first conversion: 85 degrees."""


def one_wire(
    wires: Sequence[tuple[Mapping[str, Any], str | None]], plant: Any, op: str, value: int, now_ms: float
) -> int:
    """The sensors on one bus: `reset` whether one is there, `write` a byte, `read` the next one, `scan` the `value`-th
    address, 0: there is none."""
    there = [wire for wire, fault in wires if not fault]
    bus = plant.kept.setdefault(("one_wire", wires[0][0]["gpio"]), {"written": b"", "read": 0, "shown": {}})
    if op == "reset":
        bus["written"], bus["read"] = b"", 0
        return int(bool(there))
    if op == "scan":
        return int(there[value]["address"], 16) if value < len(there) else 0
    if op == "write":
        bus["written"] += bytes((value,))
        if bus["written"] == b"\xcc\x44":
            for wire in there:
                new = round(plant.sensor_c * 16) & 0xFFFF
                bus["shown"][wire["address"]] = (_now(bus, wire, now_ms), new, now_ms + _CONVERSION_MS)
        return 0
    asked = bus["written"]
    found = 0xFF
    for wire in there:
        if asked in (b"\xcc\xbe", b"\x55" + bytes.fromhex(wire["address"]) + b"\xbe"):
            data = _now(bus, wire, now_ms).to_bytes(2, "little") + b"\x4b\x46\x7f\xff\x0c\x10"
            found &= (data + bytes((crc8(data),)))[bus["read"] % 9]
    bus["read"] += 1
    return found


def _now(bus: Mapping[str, Any], wire: Mapping[str, Any], now_ms: float) -> int:
    """What the scratchpad holds: of a conversion that is under way the value before it."""
    before, new, ready_ms = bus["shown"].get(wire["address"], (_RESET, _RESET, 0))
    return int(new if now_ms >= ready_ms else before)


def crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def doctor(row: Any, board: Any) -> Any:
    bus = board.OneWire(board.Pin(row["gpio"]))
    found = bus.scan()
    names = ["".join(["%02x" % byte for byte in rom]) for rom in found]
    address = row.get("address")
    if not found or (address and address.lower() not in names) or (not address and len(found) > 1):
        do = "check its wires and the resistor of 4.7 k to 3.3 V"
        if found:
            do = "set its own address"
        raise board.Wrong("on the bus there is %s" % (", ".join(names) or "nothing"), do)
    rom = found[names.index(address.lower())] if address else found[0]
    bus.reset()
    bus.write(b"\xcc\x44")
    board.sleep(0.8)
    bus.select_rom(rom)
    bus.writebyte(0xBE)
    data = bytearray(9)
    bus.readinto(data)
    raw = data[0] | data[1] << 8
    celsius = (raw - 65536 if raw & 0x8000 else raw) / 16
    return "%s, %.1f degrees" % ("".join(["%02x" % byte for byte in rom]), celsius)
