"""What to freeze into a MicroPython image of your own: all of the firmware, beside what the stock image has.

`make image` builds it; by hand: `make -C ports/esp32 BOARD=ESP32_GENERIC FROZEN_MANIFEST=/path/to/manifest.py`.
Frozen code takes no heap. Only `config.json` and the certificates are then on the board's flash.
"""
# ruff: noqa: F821  (`include`, `package` and `module` are given by MicroPython's manifestfile.py)

from pathlib import Path

include("$(PORT_DIR)/boards/manifest.py")
module("boot.py", opt=3)
module("main.py", opt=3)
package("firmware", opt=3)
for init in sorted(Path("lib").glob("*/__init__.py")):
    package(init.parent.name, base_path="lib", opt=3)
