"""A record as bytes: two of length, four of checksum, then the payload. This module knows no files.

Neither an erased flash (all ones) nor a zeroed one reads as a record.
"""

import binascii
import struct


def frame(payload):
    """The bytes of one record. `payload`: at most 65535 bytes."""
    return struct.pack("<HI", len(payload), checksum(payload)) + payload


def checksum(payload):
    # The length counts too, and an empty payload has no checksum of zeros.
    return binascii.crc32(payload, len(payload) + 1)
