"""The encoding of a record: length (2 bytes), CRC-32 (4 bytes), both little-endian, then the payload.

Neither erased flash (all ones) nor zeroed flash reads as a record.
"""

import binascii
import struct


def frame(payload):
    """Return one record as bytes. `payload`: at most 65535 bytes."""
    return struct.pack("<HI", len(payload), checksum(payload)) + payload


def checksum(payload):
    """Return the CRC-32 of a record with this payload."""
    # Seeded with the length, so that the checksum covers it and that of an empty payload is not zero.
    return binascii.crc32(payload, len(payload) + 1)
