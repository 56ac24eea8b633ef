"""Small durable records on the flash.

A record is written to a new file, which is renamed over the old one, so that a power cut at any moment leaves the old
record or the new one (littlefs renames atomically). Records are small: each is read into memory whole.
"""

import json
import os

BOOT_RECORD = "boot.json"
SLOT_RECORD = "slot.json"
"""Both are explained in boot.py, which reads them before anything of ours is imported."""


class Store:
    """Records below `folder` ("" is the root of the flash)."""

    def __init__(self, folder=""):
        self.folder = folder

    def load(self, name):
        """The record, an empty one when there is none or it cannot be read."""
        try:
            with open(self.folder + name) as f:
                return json.load(f)
        except (OSError, ValueError):
            return {}

    def save(self, name, record):
        """Write the record; False when the flash refuses."""
        path = self.folder + name
        try:
            with open(path + ".new", "w") as f:
                json.dump(record, f)
            os.rename(path + ".new", path)
        except OSError:
            return False
        return True

    def mark_good(self):
        """This boot was good: forget the early crashes before it. False when the flash refuses."""
        record = self.load(BOOT_RECORD)
        record["early"] = 0
        return self.save(BOOT_RECORD, record) and self.confirm_update(False)

    def confirm_update(self, online):
        """End the trial of the copy that runs. With `online` in the record it has to have been online; otherwise a
        start that lasted is enough."""
        slot = self.load(SLOT_RECORD)
        if "tries" not in slot or slot.get("online", False) > online:
            return True
        del slot["tries"]
        return self.save(SLOT_RECORD, slot)
