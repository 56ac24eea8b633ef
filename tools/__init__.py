"""Host commands. Says what to do where a Python without their packages is asked to run one.

MicroPython gets here too, for what portable tests share with the simulators, and is let through.
"""

import sys

if sys.implementation.name == "cpython":
    import importlib.util

    if sys.version_info < (3, 11) or importlib.util.find_spec("rich") is None:
        sys.exit(
            "error: this Python (%s) is not the one that `make setup` made for this folder\n"
            "Run `make setup` once, then `. .venv/bin/activate`." % sys.executable
        )
