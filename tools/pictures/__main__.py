"""`python -m tools.pictures`: write the pictures anew."""

from __future__ import annotations

import sys

from tools.repository import ROOT, import_device_code


def main() -> int:
    import_device_code()
    from tools import pictures  # noqa: PLC0415 - once the device's packages can be imported

    for path, text in pictures.made().items():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
