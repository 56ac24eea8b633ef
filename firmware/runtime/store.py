"""Small durable records on the flash: JSON files written beside and renamed over, so that a power cut at any moment leaves
the old record or the new one (littlefs renames atomically). Refuses anything large: a record is read into memory whole.
"""

import json
import os


class Store:
    """Records below `folder` ("" is the root of the flash)."""

    def __init__(self, folder=""):
        self._folder = folder

    def load(self, name, default):
        """The record, or `default` when there is none or it cannot be read."""
        try:
            with open(self._folder + name) as f:
                return json.load(f)
        except (OSError, ValueError):
            return default

    def save(self, name, record):
        """Write the record; raises OSError when the flash refuses."""
        path = self._folder + name
        with open(path + ".new", "w") as f:
            json.dump(record, f)
        os.rename(path + ".new", path)
