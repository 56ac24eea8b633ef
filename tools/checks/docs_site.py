"""Hooks of mkdocs (mkdocs.yml): what the site needs and GitHub does not.

Pages outside of `docs/` get a place in the site, links to them are rewritten, and headings get the anchors that GitHub
gives them. A link to a file that is not in the site stays as it is, and mkdocs refuses it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from tools.checks.docs import ROOT, slug

OUTSIDE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"} | {
    f"lib/{path.parent.name}/README.md": f"lib/{path.parent.name}.md" for path in ROOT.glob("lib/*/README.md")
}
"""Page of the repository -> page of the site. All others are those in `docs/`."""
_SEARCH = "assets/search.js"
_ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
"""What the plugin `offline` would load for the search; ours is `docs_search.js`."""


def on_config(config: Any) -> Any:
    config.mdx_configs.setdefault("toc", {})["slugify"] = slug
    return config


def on_files(files: Files, config: Any) -> Files:
    for source, target in OUTSIDE.items():
        files.append(File.generated(config, target, content=(ROOT / source).read_text(encoding="utf-8")))
    script = Path(__file__).with_name("docs_search.js").read_text(encoding="utf-8")
    files.append(File.generated(config, _SEARCH, content=script))
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


def on_post_page(output: str, page: Any, **_: Any) -> str:
    return output.replace(_ELSEWHERE, os.path.relpath(_SEARCH, Path(page.file.dest_uri).parent))


def on_post_template(output: str, template_name: str, **_: Any) -> str:
    return output.replace(_ELSEWHERE, _SEARCH)
