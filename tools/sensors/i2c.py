"""What the kinds on an I2C bus have in common on the host."""

from __future__ import annotations

PINS = {
    "sda": "Which GPIO is its SDA wired to? Several sensors can share both pins.",
    "scl": "Which GPIO is its SCL wired to?",
}
