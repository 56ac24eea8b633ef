"""What the pages say is there: links, configuration keys, messages, files; and what the site loads."""

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

from firmware.core.config_rules import RULES
from tools import kinds
from tools.checks import docs

ROOT = docs.ROOT
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in docs.pages()}
SECTIONS = {
    "The whole file": "config",
    "wifi": "wifi",
    "wifi.networks[]": "networks",
    "lan": "lan",
    "time": "time",
    "cloud": "cloud",
    "Keys of the Realer clouds": "account",
    "Keys of Thinger.io": "thinger",
    "outputs[]": "outputs",
    "Keys of `schedule`": "schedule",
    "sensors[]": "sensors",
    "Keys of a sensor in a divider": "divider",
    **{f"Keys of `{word}`": word for word in (*kinds.every(), *kinds.parts())},
    "buttons[]": "buttons",
    "Keys of a toggle": "toggle",
    "led": "led",
    "safety": "safety",
    "log": "log",
    "update": "update",
    "portal": "portal",
}
"""Heading of the page -> section of the rules."""


def test_every_link_and_anchor_leads_somewhere():
    assert docs.broken() == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[a](gone.md)", "no such file"),
        ("![a](gone.svg)", "no such file"),
        ("[a](docs/b.md#gone)", "no such heading"),
        ("[a](#gone)", "no such heading"),
        ("[a\nb](gone.md)", "no such file"),
        ("[`a[1]`](gone.md)", "no such file"),
        ("[a]: gone.md", "no such file"),
        ('<img src="gone.png">', "no such file"),
        ("[a](../gone.md)", "outside of the repository"),
        ("[a](/docs/b.md)", "a relative path is needed"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, text: str, why: str):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "b.md").write_text("# B\n")
    (tmp_path / "README.md").write_text(text)
    (found,) = docs.broken(tmp_path)
    assert found.startswith("README.md: ") and found.endswith(why)


@pytest.mark.parametrize("target", ["../tools/a.py", "../README.md"])
def test_a_broken_link_of_the_site_is_found(tmp_path: Path, target: str):
    for name in ("docs/b.md", "README.md", "tools/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "docs/b.md").write_text(f"[a]({target})")
    assert docs.broken(tmp_path) == [f"docs/b.md: {target}: not in the site"]


def test_table_rows_have_as_many_cells_as_their_header():
    assert docs.uneven() == []


def test_a_row_with_a_cell_too_many_is_found(tmp_path: Path):
    table = "| a | b |\n|---|---|\n| `1\\|2` | 3 |\n"
    (tmp_path / "README.md").write_text(table)
    assert docs.uneven(tmp_path) == []
    (tmp_path / "README.md").write_text(table + "| 1|2 | 3 |\n")
    assert docs.uneven(tmp_path) == ["README.md:4: | 1|2 | 3 |"]


def test_the_readme_is_short():
    assert len(PAGES["README.md"].split()) <= 900


def test_pictures_are_small():
    folders = (ROOT / "docs/pictures", ROOT / "docs/screens")
    sizes = {path.name: path.stat().st_size for folder in folders for path in folder.iterdir()}
    assert sizes.pop("dashboard.webp") < 600_000
    assert sizes and max(sizes.values()) < 200_000, sizes


def test_every_page_has_its_place_in_the_navigation():
    _, nav = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")
    places = re.findall(r"(\S+\.md)$", nav, re.MULTILINE)
    own = [name.removeprefix("docs/") for name in PAGES if name.startswith("docs/")]
    engines = [f"lib/{path.parent.name}.md" for path in ROOT.glob("lib/*/README.md")]
    assert sorted(places) == sorted([*own, *engines, "contributing.md", "changelog.md"])


def test_resources_from_other_hosts_are_found(tmp_path: Path):
    loads = [
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="//example.org/a.css">',
    ]
    harmless = (
        '<a href="https://example.org"><link rel="canonical" href="https://example.org/"><img src="a.svg">'
    )
    (tmp_path / "a.html").write_text(harmless + "".join(loads))
    assert docs.external(tmp_path) == ["a.html: https://example.org/a.js", "a.html: //example.org/a.css"]


KINDS = ["sensors." + word for word in kinds.words()]
KINDS += ["outputs." + word for word in kinds.words("outputs") if word != "switch"]
EVERY_RULE = RULES + "".join(importlib.import_module(f"firmware.{name}").RULES for name in KINDS)


def rules_of(section: str) -> dict[str, str]:
    """Key -> rule of one section and of those it refers to by a line of one word, which have no table of their own."""
    lines = re.search(rf"\n\n{section}\n(.*?)\n\n", EVERY_RULE, re.DOTALL)[1].split("\n")
    found = {}
    for line in lines:
        key, _, rule = line.partition(" ")
        if rule:
            found[key] = rule
        elif key != "divider":
            found |= rules_of(key)
    return found


def rows_of(heading: str) -> dict[str, list[str]]:
    """Key -> the other cells of the first table below a heading of the page about the configuration."""
    (text,) = re.findall(
        rf"^##+ {re.escape(heading)}\n(.*?)(?=^##|\Z)",
        PAGES["docs/configuration.md"],
        re.MULTILINE | re.DOTALL,
    )
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.findall(r"^\|.*", text, re.MULTILINE)
    ]
    return {row[0].strip("`"): row[1:] for row in rows[2:]}


def test_every_section_of_the_configuration_is_documented():
    sections = {lines.split("\n")[0] for lines in re.split("\n\n+", EVERY_RULE.strip())}
    # The first four only refer to `account`; the others are part of the sections that refer to them.
    shared = {"auto", "bootstrap", "realer", "realino", "item", "gpio", "fixed"}
    assert set(SECTIONS.values()) == sections - shared


def default_of(rule: str) -> str:
    """As `firmware.core.config` takes it."""
    rule, given, value = rule.partition(" =")
    if given:
        return "none" if value in ("none", "null") else f"`{value}`"
    return f"`{rule.split('|')[0]}`" if rule > ":" and " " not in rule and rule != "object" else "required"


def limits_of(rule: str) -> list[str]:
    """What the page has to say of a value: "1 to 9" for each range, and each word."""
    kind, _, rest = rule.partition(" =")[0].partition(" ")
    words = kind.split("|")
    if rest[:1].isdigit() and not kind.startswith(("ip", "mac")):
        words += rest.split(" ")[0].split("|")
    ranges = [word.split("..") for word in words if ".." in word]
    found = [f"{float(low):.15g} to {float(high):.15g}" for low, high in ranges]
    return found + [f"`{word}`" for word in words if "|" in kind and word.isalpha() and word.islower()]


@pytest.mark.parametrize(("heading", "section"), SECTIONS.items())
def test_every_key_is_documented_with_its_default_and_its_limits(heading: str, section: str):
    rules, rows = rules_of(section), rows_of(heading)
    assert sorted(rows) == sorted(rules)
    for key, rule in rules.items():
        allowed, default, meaning = rows[key]
        assert default == default_of(rule), key
        assert [limit for limit in limits_of(rule) if limit not in allowed] == [], key
        assert meaning, key


def texts(*folders: str) -> str:
    """All texts of the code, one a line; what is filled in is `…`."""
    found = []
    for path in [ROOT / "main.py", *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]:
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        values = [node.value for node in nodes if isinstance(node, ast.Constant)]
        found += [re.sub(r"%[-\d.]*[a-z]", "…", value) for value in values if isinstance(value, str)]
    return "\n".join(found)


def symptoms():
    """(page, heading of a message) of the pages of symptoms."""
    return [
        (name.removeprefix("docs/"), heading)
        for name, text in PAGES.items()
        if name.startswith("docs/symptoms/")
        for heading in re.findall(r"^### (.*)$", text, re.MULTILINE)
    ]


def test_each_message_of_a_symptom_is_in_the_list_and_each_symptom_in_the_table():
    page = PAGES["docs/troubleshooting.md"]
    listed = re.findall(r"^\* \[(.+)\]\((.+)\)$", page.partition("\n## Messages")[2], re.MULTILINE)
    there = [(heading, f"{name}#{docs.slug(heading)}") for name, heading in symptoms()]
    assert sorted(listed) == sorted(there)
    seen = re.findall(r"^\| .* \| \[([^|]*)\]\(([^)|]+)\) \|$", page, re.MULTILINE)
    titles = {name: PAGES[f"docs/{name}"].partition("\n")[0].removeprefix("# ") for name, _ in symptoms()}
    assert {name: title for title, name in seen} == titles


@pytest.mark.parametrize("name", sorted({name for name, _ in symptoms()}))
def test_a_symptom_says_what_is_seen_why_and_what_to_do(name: str):
    parts = re.findall(r"^\*\*(What you see|Why|What to do):\*\*", PAGES[f"docs/{name}"], re.MULTILINE)
    assert parts[:3] == ["What you see", "Why", "What to do"]
    assert set(parts[3:]) == {"What to do"}


def test_every_message_of_troubleshooting_is_one_of_the_firmware():
    output = texts("firmware", "lib")
    headings = [heading for _, heading in symptoms()]
    quoted = [quote for heading in headings for quote in re.findall("`([^`]+)`", heading)]
    assert len(quoted) > 40
    # The firmware puts a message together: each piece between two gaps or colons has to be in one of its texts.
    gap = r"…|: |; |(?=, MQTT)|(?:open|short)(?= circuit)"
    pieces = [piece.strip(" :;,-") for quote in quoted for piece in re.split(gap, quote)]
    kinds = ("dns", "tls")  # of an error, named where it is made
    assert [piece for piece in pieces if piece and piece not in output and piece not in kinds] == []


def test_every_outcome_of_a_deploy_is_one_of_the_command():
    output = (ROOT / "tools/serial/boot_report.py").read_text(encoding="utf-8")
    (table,) = re.findall(
        r"^\| outcome .*?\n\n", PAGES["docs/deploy-and-updates.md"], re.MULTILINE | re.DOTALL
    )
    for quote in re.findall(r"\| .* \| `([^`]+)`", table)[1:]:
        assert quote.split("…")[0].strip(" :") in output, quote


def test_decisions_have_numbers_of_their_own_and_a_line_in_the_index():
    names = [name.split("/")[-1] for name in PAGES if re.match(r"docs/decisions/\d", name)]
    numbers = [int(name[:4]) for name in names]
    assert numbers == list(range(1, len(names) + 1))
    titles = [PAGES[f"docs/decisions/{name}"].partition("\n")[0] for name in names]
    index = re.findall(
        r"^\| (\d+) \| \[([^|]*)\]\(([^)|]+)\) \| \S", PAGES["docs/decisions/README.md"], re.MULTILINE
    )
    assert [(f"# {number}. {title}", name) for number, title, name in index] == list(
        zip(titles, names, strict=True)
    )


def test_every_file_that_a_page_names_exists():
    """Paths from the root of the repository, in code marks; a record of a decision may name what is gone, and a page
    files that it shows in full."""
    path = re.compile(r"`((?:firmware|lib|tools|tests_host|docs)/[\w./-]+\.(?:py|md|json|svg))`")
    current = {
        name: text for name, text in PAGES.items() if not re.match(r"docs/decisions/\d|CHANGELOG", name)
    }
    missing = [
        f"{page}: {name}"
        for page, text in current.items()
        for name in path.findall(text)
        if not (ROOT / name).is_file() and "NNNN" not in name and f'title="{name}"' not in text
    ]
    assert missing == []


def test_every_fault_has_tests_and_every_test_of_a_fault_exists():
    rows = [
        line
        for line in PAGES["docs/field-faults.md"].splitlines()
        if line.startswith("| ") and "| noticed by |" not in line
    ]
    named = [re.findall(r"`(\w+/test_\w+\.py)::(test_\w+)`", row) for row in rows]
    assert len(rows) > 80 and [row for row, names in zip(rows, named, strict=True) if not names] == []
    missing = [
        f"{file}::{name}"
        for names in named
        for file, name in names
        if not (path := ROOT / "tests_host" / file).is_file() or f"def {name}(" not in path.read_text("utf-8")
    ]
    assert missing == []


def test_every_name_in_the_table_of_changes_is_in_its_file():
    """Of "`firmware/a.py`: `name`", or "`name` in `firmware/a.py`"."""
    table = PAGES["docs/ARCHITECTURE.md"].partition("## To change something")[2].partition("\n## ")[0]
    named = [(name, path) for path, name in re.findall(r"`([\w/]+\.py)`: `(\w+)`", table)]
    named += re.findall(r"`(\w+)(?:\.\w+)?` in `([\w/]+\.py)`", table)
    assert len(named) >= 8
    for name, path in named:
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text(encoding="utf-8")), (name, path)


def test_make_targets_of_the_pages_exist():
    targets = re.findall(r"^([a-z_]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for page, text in PAGES.items():
        for target in re.findall(r"(?:^|`)make ([a-z_]+)", text, re.MULTILINE):
            assert target in targets, (page, target)


def test_the_example_configuration_of_thinger_is_json():
    (example,) = re.findall(r"```json\n(.*?)```", PAGES["docs/clouds.md"], re.DOTALL)
    assert set(json.loads(example)) - {"api", "ca_files"} <= set(rules_of("thinger"))


def test_a_citation_of_the_protocol_names_a_heading_or_an_assumption_of_the_page():
    page = PAGES["docs/protocol.md"]
    headings = set(re.findall(r"^## (.+)$", page, re.MULTILINE))
    numbers = set(re.findall(r"^\| (\d+) \|", page, re.MULTILINE))
    cited = 0
    for path in sorted((ROOT / "firmware").rglob("*.py")):
        text = " ".join(path.read_text(encoding="utf-8").split())
        for rest in re.findall(r"docs/protocol\.md, ([^.)]*)", text):
            named = rest.replace('"', "").split(", and its ")[0]
            cited += 1
            if not named.startswith("assumption"):
                assert any(named.startswith(heading) for heading in headings), (path.name, named)
            assumed = " ".join(re.findall(r"assumptions? ([0-9, andto]+)", rest))
            for number in re.findall(r"\d+", assumed):
                assert number in numbers, (path.name, number)
    assert cited > 15
