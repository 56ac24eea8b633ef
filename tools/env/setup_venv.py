"""Makes the virtual environment of this repository, with nothing but Python itself.

It checks the version of Python and installs what `pyproject.toml` pins: the command `realer` with its packages and
those of the group `dev`, or with `--group` those of another one beside them. `make setup` runs it with the system's own
Python: standard library only, and nothing newer than Python 3.6 before the version check.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLDEST = (3, 11)


def pinned(pyproject: Path, group: str) -> "list[str]":
    """The requirement lines of one dependency group (PEP 735, without include-group)."""
    import tomllib  # noqa: PLC0415 - absent before Python 3.11, and the version check must come first

    return tomllib.loads(pyproject.read_text(encoding="utf-8"))["dependency-groups"][group]


def quiet(*argv: str) -> None:
    """Run a command; on failure show what it printed and stop."""
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit("%s\nfailed: %s" % (done.stdout, " ".join(argv)))


def ensure_venv_module() -> None:
    """Debian packages `ensurepip` apart from Python: install it when we may, else say the command."""
    if importlib.util.find_spec("ensurepip"):
        return
    package = "python3-venv"
    if not shutil.which("apt-get"):
        sys.exit("This Python cannot make virtual environments: install its `venv` and `ensurepip` modules.")
    if os.geteuid() != 0:
        sys.exit("This Python cannot make virtual environments. Run: sudo apt-get install -y %s" % package)
    print("setup: installing %s" % package, flush=True)
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    quiet("apt-get", "-qq", "update")
    quiet("apt-get", "-qq", "install", "-y", "--no-install-recommends", package)


def works(python: Path) -> bool:
    """Whether the environment's interpreter starts: not when the system's Python was replaced."""
    return python.exists() and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--group", default="dev", help="dependency group to install (default: %(default)s)")
    args = parser.parse_args()
    if sys.version_info < OLDEST:
        found = "%d.%d" % sys.version_info[:2]
        sys.exit(
            "Python %d.%d or newer is needed, this is %s: try `make PYTHON=python3.12`." % (OLDEST + (found,))
        )
    ensure_venv_module()
    python = args.venv / "bin" / "python"
    if not works(python):
        print("setup: making %s" % args.venv.name, flush=True)
        quiet(sys.executable, "-m", "venv", "--clear", str(args.venv))
    packages = pinned(ROOT / "pyproject.toml", args.group)
    if args.group == "dev":
        packages += ["--editable", str(ROOT)]
    print("setup: installing the pinned packages of %s" % args.group, flush=True)
    quiet(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages)


if __name__ == "__main__":
    main()
