"""`python -m tools.checks.docs [--out FOLDER]`: check the links of all pages, and build them as a site.

The pages are Markdown as GitHub shows it, so an anchor is the one that GitHub gives a heading. `broken` and `uneven`
need nothing but the pages. The site needs mkdocs, which `make docs` installs (group `docs` of pyproject.toml). The site
loads nothing from other hosts; `external` finds what would.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

from tools import common
from tools.repository import ROOT

SITE = ROOT / ".cache" / "site"
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(\s*<?([^()\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s+<?(\S+?)>?\s*$", re.MULTILINE)
_HTML = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=[\"']([^\"']+)[\"']")
_FENCE = re.compile(r"^( *)(```+|~~~+).*?(?:^ *\2`*\s*$|\Z)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


def pages(root: Path = ROOT) -> list[Path]:
    """Every page of the repository."""
    found = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("lib/*/README.md")]
    return sorted(found)


def slug(heading: str, separator: str = "-") -> str:
    """The anchor that GitHub gives a heading: letters, digits, - and _ in lower case, blanks as `separator`."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)


def prose(text: str) -> str:
    """A page without its blocks of code; lines keep their numbers."""
    return _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)


def anchors(text: str) -> set[str]:
    """The anchors of a page. A heading that occurs again gets a number, as on GitHub."""
    found: dict[str, int] = {}
    made = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))
    for heading in re.findall(r"^#{1,6} +(.+?)[ #]*$", prose(text), re.MULTILINE):
        name = slug(re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("*", ""))
        count = found[name] = found.get(name, -1) + 1
        made.add(f"{name}-{count}" if count else name)
    return made


def links(text: str) -> Iterator[str]:
    """The targets of all links and images of a page."""
    text = _CODE.sub("", prose(text))
    for pattern in (_LINK, _REFERENCE, _HTML):
        yield from pattern.findall(text)


def broken(root: Path = ROOT) -> list[str]:
    """Every link within the repository that leads nowhere: "page: target: why"."""
    texts = {path: path.read_text(encoding="utf-8") for path in pages(root)}
    known = {path: anchors(text) for path, text in texts.items()}
    return [
        f"{path.relative_to(root)}: {target}: {why}"
        for path, text in texts.items()
        for target in links(text)
        if (why := _wrong(path, target, root, known))
    ]


def _wrong(page: Path, target: str, root: Path, known: dict[Path, set[str]]) -> str:
    if _SCHEME.match(target):
        return ""
    name, _, anchor = unquote(target).partition("#")
    if name.startswith("/"):
        return "a relative path is needed"
    path = (page.parent / name).resolve() if name else page
    if not path.is_relative_to(root.resolve()):
        return "outside of the repository"
    if not path.is_file():
        return "no such file"
    readme = root.resolve() / "README.md"
    if page.resolve() != readme and (path == readme or (path not in known and "docs" not in path.parts)):
        return "not in the site"
    if anchor and anchor not in known.get(path, set()):
        return "no such heading"
    return ""


def uneven(root: Path = ROOT) -> list[str]:
    """Every row of a table that has not as many cells as its header: "page:line: row"."""
    found = []
    for path in pages(root):
        cells = 0
        for number, line in enumerate(prose(path.read_text(encoding="utf-8")).splitlines(), 1):
            row = re.sub(r"\\\|", "", line).strip()
            count = row.count("|") if row[:1] == "|" else 0
            cells = cells if cells and count else count
            if count != cells:
                found.append(f"{path.relative_to(root)}:{number}: {line.strip()}")
    return found


class _Loads(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        target = given.get(_LOADED.get(tag, "")) or ""
        if re.match(r"(https?:)?//", target) and given.get("rel") not in ("canonical", "next", "prev"):
            self.found.append(target)


def external(site: Path) -> list[str]:
    """What the pages of a site would load from other hosts."""
    found = []
    for path in sorted(site.rglob("*.html")):
        loads = _Loads()
        loads.feed(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)}: {target}" for target in loads.found]
    return found


def build(root: Path, out: Path) -> None:
    """Build the site of mkdocs.yml in `root`. Failed: a warning of mkdocs is an error here."""
    # Not with --quiet: then --strict does not see the warnings.
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--clean",
        "--site-dir",
        str(out.resolve()),
    ]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # news of the theme's makers
    done = subprocess.run(command, cwd=root, env=quiet, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("INFO")]
        raise common.Failed("\n".join(["the site could not be built", *said]))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.checks.docs", description="Check the pages, and build a site of them."
    )
    parser.add_argument("--out", type=Path, default=SITE, help="folder of the site (default: .cache/site)")
    options = parser.parse_args(argv)
    if wrong := broken() + uneven():
        raise common.Failed("\n".join(wrong), "Correct these links and tables.")
    build(ROOT, options.out)
    if wrong := external(options.out):
        raise common.Failed("\n".join(wrong), "A page must load nothing from another host.")
    print(f"site: {options.out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(common.run(main))
