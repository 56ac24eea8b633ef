"""The page that `realer bench` writes: what it measured is replaced, all else stays, and a missed aim says so."""

from pathlib import Path

from tools.checks import bench_page

OURS = {
    "figure": "beside peers: lib/mqtt5",
    "ok": True,
    "heap": [31312, 31000, 1_031_400],
    "echo_ms": [1.2, 1.1, 3],
}
OTHER = {
    "figure": "beside peers: other",
    "ok": True,
    "version": "1.2",
    "note": "blocks",
    "echo_ms": [44, 43, 45],
}
GONE = {"figure": "beside peers: gone", "ok": True, "skipped": "not at hand"}
MISSED = {
    "figure": "beside peers, heap (bytes)",
    "value": 31312,
    "must": 15500,
    "ok": False,
    "why": "too much code",
}
MET = {"figure": "beside peers, echo (times)", "value": 1.2, "must": 1.5, "ok": True}
LINES = [OURS, OTHER, GONE, MISSED, MET]


def rows(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")
    ]


def test_each_client_is_a_row_and_one_that_is_not_here_is_named(tmp_path: Path):
    page = tmp_path / "page.md"
    bench_page.write(page, LINES, "a day, a machine")
    text = page.read_text()
    assert " on a day, a machine." in text
    found = {row[0]: row for row in rows(text)}
    head = found["client"]
    assert found["lib/mqtt5"][head.index("heap once connected (bytes)")] == "31,312 (31,000 to 1,031,400)"
    assert found["other"][head.index("echo (ms)")] == "44 (43 to 45)"
    assert set(found["gone"][1:]) == {""}
    assert "* other 1.2; blocks.\n" in text and "* gone: not at hand.\n" in text


def test_an_aim_that_is_missed_is_printed_with_its_reason(tmp_path: Path):
    page = tmp_path / "page.md"
    bench_page.write(page, LINES, "here")
    found = {row[0]: row[1:] for row in rows(page.read_text())}
    assert found["heap (bytes)"] == ["31,312", "at most 15,500", "**missed**: too much code"]
    assert found["echo (times)"] == ["1.2", "at most 1.5", "met"]


def test_a_run_replaces_only_what_it_measured(tmp_path: Path):
    page = tmp_path / "page.md"
    bench_page.write(page, LINES, "here")
    first = page.read_text()
    bench_page.write(page, [{"figure": "loop stall (ms)", "value": 1, "must": 20, "ok": True}], "there")
    assert page.read_text() == first
    page.write_text(first + "\n## Another\n\ntext\n")
    bench_page.write(page, [OURS | {"echo_ms": [2, 2, 2]}], "there")
    assert page.read_text().count("\n## ") == 2
    assert page.read_text().endswith("\n## Another\n\ntext\n")
    assert "2 (2 to 2)" in page.read_text() and "44" not in page.read_text()
