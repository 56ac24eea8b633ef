"""Copies of this repository's device code with something changed."""

import shutil

from tools.repository import ROOT


def changed_tree(folder, texts):
    """A copy in `folder`; `texts`: what other files have instead, by path."""
    for part in ("firmware", "lib"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("boot.py", "main.py"):
        shutil.copy(ROOT / part, folder / part)
    for path, text in texts.items():
        (folder / path).write_text(text)
    return folder


def replaced(path, *pairs):
    """The text of a file with each (old, new); the old has to be there once."""
    text = (ROOT / path).read_text()
    for old, new in pairs:
        assert text.count(old) == 1, f"{path} has {text.count(old)} times: {old}"
        text = text.replace(old, new)
    return text
