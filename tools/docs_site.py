"""Hooks of mkdocs (mkdocs.yml): what the site needs and GitHub does not.

Pages outside of `docs/` get a place in the site, links to them are rewritten, and headings get the anchors that GitHub
gives them. A link to a file of the repository that is no page stays text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from tools.docs import ROOT, slug

OUTSIDE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"} | {
    f"lib/{path.parent.name}/README.md": f"lib/{path.parent.name}.md" for path in ROOT.glob("lib/*/README.md")
}
"""Page of the repository -> page of the site. All others are those in `docs/`."""


def on_config(config: Any) -> Any:
    config.mdx_configs.setdefault("toc", {})["slugify"] = slug
    return config


def on_files(files: Files, config: Any) -> Files:
    for source, target in OUTSIDE.items():
        files.append(File.generated(config, target, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    place = page.file.src_uri
    sources = {target: source for source, target in OUTSIDE.items()}
    here = Path(sources.get(place, f"docs/{place}")).parent

    def rewritten(found: re.Match[str]) -> str:
        name, _, anchor = found[2].partition("#")
        path = os.path.normpath(here / name)
        target = OUTSIDE.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else "")
        if not target:
            return found[0]
        relative = os.path.relpath(target, Path(place).parent)
        return f"{found[1]}{relative}{'#' + anchor if anchor else ''})"

    return re.sub(r"(\]\()((?![a-z]+:|#|/)[^()\s]+)\)", rewritten, markdown)
