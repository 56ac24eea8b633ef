"""Small JSON records on the flash.

A record is written to a new file, which then replaces the old one. Renaming is atomic on littlefs, so a power cut at
any moment leaves either the old or the new record.
"""

import json
import os

BOOT_RECORD = "boot.json"
SLOT_RECORD = "slot.json"
"""boot.py explains both. It reads them before any module of the firmware is imported."""


class Store:
    """Records in `folder`, "" for the root of the flash, else with a slash at its end."""

    def __init__(self, folder=""):
        self.folder = folder

    def load(self, name):
        """Return the record, an empty dict if there is none or it cannot be read, as boot.py does."""
        try:
            with open(self.folder + name) as f:
                return dict(json.load(f))
        except (OSError, ValueError, TypeError):
            return {}

    def save(self, name, record):
        """Write the record. Return False if the flash refuses."""
        path = self.folder + name
        try:
            with open(path + ".new", "w") as f:
                json.dump(record, f)
            os.rename(path + ".new", path)
        except OSError:
            return False
        return True

    def mark_good(self):
        """Mark this boot as good, which resets the count of early crashes. Return False if the flash refuses."""
        record = self.load(BOOT_RECORD)
        record["early"] = 0
        return self.save(BOOT_RECORD, record) and self.confirm_update(False)

    def confirm_update(self, online):
        """Confirm the copy that runs, if it is on trial. If the slot record has `online`, only a call with `online`
        True does that; otherwise a good boot is enough. Return False if the flash refuses."""
        slot = self.load(SLOT_RECORD)
        if "tries" not in slot or slot.get("online", False) > online:
            return True
        del slot["tries"]
        return self.save(SLOT_RECORD, slot)
