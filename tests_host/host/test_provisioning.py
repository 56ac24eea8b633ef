"""The boards of a fleet: where their keys come from, which configuration is whose, and their labels."""

import json
import re
import sys
import threading

import pytest

from tests_host.support.commands import realer
from tools.cli import board_keys, board_list, configure, labels
from tools.cloud.certs import TestCA
from tools.common import Failed
from tools.sim.sim_device import demo_config

SECRET = "test-secret-not-real"
EXPORT = [
    {
        "name": "north",
        "device_id": 101,
        "client_id": "cdv_00000000000000000000000001",
        "client_secret": SECRET + "1",
    },
    {
        "name": "south",
        "device_id": 102,
        "client_id": "cdv_00000000000000000000000002",
        "client_secret": SECRET + "2",
    },
]


@pytest.fixture
def bench(tmp_path):
    """A configuration in common, without keys, and its certificate."""
    config = demo_config()
    for key in ("device_id", "client_id", "client_secret"):
        config["cloud"].pop(key, None)
    config["cloud"]["ca_files"] = ["certs/ca.der"]
    config["portal"] = {}
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.der").write_bytes(TestCA(tmp_path / "ca").certificate)
    (tmp_path / "base.json").write_text(json.dumps(config))
    return tmp_path


def written(folder, table, *more):
    """The configurations by device that `realer config` makes of a table."""
    (folder / "boards.csv").write_text(table)
    argv = ["--answers", folder / "base.json", "--boards", folder / "boards.csv", "--out", folder / "boards"]
    assert configure.main([str(word) for word in (*argv, *more)]) == 0
    return {board.device: json.loads(board.config(folder / "boards").read_text()) for board in listed(folder)}


def listed(folder):
    return board_list.read(folder / "boards")


@pytest.mark.parametrize("form", ["json", "envelope.json", "csv"])
def test_keys_come_from_an_export(bench, capsys, form):
    export = bench / f"export.{form}"
    if form == "csv":
        rows = [";".join(map(str, entry.values())) for entry in EXPORT]
        export.write_text("\n".join([";".join(EXPORT[0]), *rows]))
    else:
        export.write_text(json.dumps({"devices": EXPORT} if "envelope" in form else EXPORT))
    found = written(bench, "name,group\nsouth,canary\nnorth,\n", "--keys", export)
    assert [(device, config["name"], config["cloud"]["client_secret"]) for device, config in found.items()] == [
        ("102", "south", SECRET + "2"), ("101", "north", SECRET + "1"),
    ]  # fmt: skip
    assert [board.group for board in listed(bench)] == ["canary", ""]
    assert SECRET not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("name\nwest\n", "boards.csv:2: no entry of the export has name 'west'"),
        ("cloud.device_id\n103\n", "no entry of the export has device_id '103'"),
        ("group\nx\n", "boards.csv:2: neither cloud.device_id nor name"),
    ],
)
def test_a_board_without_keys_in_the_export_stops_all(bench, table, words):
    (bench / "export.json").write_text(json.dumps(EXPORT))
    with pytest.raises(Failed, match=re.escape(words)):
        written(bench, table, "--keys", bench / "export.json")
    (bench / "export.json").write_text(json.dumps([*EXPORT, EXPORT[0]]))
    with pytest.raises(Failed, match="2 entries"):
        written(bench, "name\nnorth\n", "--keys", bench / "export.json")
    assert not (bench / "boards").exists()


def test_keys_come_from_a_command(bench, capsys):
    program = f"import json, sys; print(json.dumps(next(e for e in {EXPORT!r} if e['name'] == sys.argv[1])))"
    (bench / "ask.py").write_text(program)
    command = f"{sys.executable} {bench}/ask.py {{device}}"
    found = written(
        bench, "name,cloud.client_secret\nnorth,\nsouth,another-not-real-secret\n", "--keys-from", command
    )
    secrets = [config["cloud"]["client_secret"] for config in found.values()]
    assert secrets == [SECRET + "1", "another-not-real-secret"], "what the table has stays"
    assert SECRET not in capsys.readouterr().out
    for wrong, words in (
        (f"{command} {{device}}x; false", ""),
        ("false {device}", "status 1"),
        ("echo {device}", "no JSON"),
        ("no-such-command", "no-such-command"),
    ):
        if words:
            with pytest.raises(Failed, match=words):
                written(bench, "name\nnorth\n", "--keys-from", wrong)
    (bench / "leak.py").write_text(
        f"import sys; print('{SECRET}'); print('{SECRET}', file=sys.stderr); sys.exit(3)"
    )
    with pytest.raises(Failed, match="status 3") as failed:
        written(bench, "name\nnorth\n", "--keys-from", f"{sys.executable} {bench}/leak.py")
    assert SECRET not in failed.value.what + failed.value.do


def test_a_board_stays_who_it_is_when_the_table_is_read_again(bench):
    (bench / "export.json").write_text(json.dumps(EXPORT))
    first = written(bench, "name,mac\nnorth,24:0A:C4:00:00:07\nsouth,\n", "--keys", bench / "export.json")
    assert [board.mac for board in listed(bench)] == ["240ac4000007", ""]
    folder = bench / "boards"
    assert board_list.claim(folder, "240ac4000007", False).device == "101"
    with pytest.raises(Failed, match="no configuration"):
        board_list.claim(folder, "240ac4000008", False)
    assert board_list.claim(folder, "240ac4000008", True).device == "102"
    assert board_list.claim(folder, "240ac4000008", False).device == "102"
    with pytest.raises(Failed, match="no configuration"):
        board_list.claim(folder, "240ac4000009", True)
    again = written(bench, "name,mac\nnorth,24:0A:C4:00:00:07\nsouth,\n", "--keys", bench / "export.json")
    assert [board.mac for board in listed(bench)] == ["240ac4000007", "240ac4000008"]
    passwords = [[config["portal"]["password"] for config in each.values()] for each in (first, again)]
    assert passwords[0] == passwords[1] and len(set(passwords[0])) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"export\.csv: No such file"),
        ("", "no entry has a device_id or a name"),
        ("Name,Secret\nnorth,x\n", "no entry has a device_id or a name"),
    ],
)
def test_an_export_in_which_no_board_can_be_found(bench, content, words):
    if content is not None:
        (bench / "export.csv").write_text(content)
    with pytest.raises(Failed, match=words):
        written(bench, "name\nnorth\n", "--keys", bench / "export.csv")
    with pytest.raises(Failed, match=r"none\.json: No such file"):
        written(bench, "name\nnorth\n", "--keys", bench / "none.json")


def test_a_spreadsheet_may_write_its_columns_in_capitals(bench):
    (bench / "export.json").write_text(json.dumps(EXPORT))
    (config,) = written(
        bench, "name,Group,MAC\nnorth,x,24:0a:c4:00:00:07\n", "--keys", bench / "export.json"
    ).values()
    assert listed(bench) == [board_list.Listed("101", "240ac4000007", "x")] and "MAC" not in config


def test_what_all_boards_are_warned_of_is_said_once(bench, capsys):
    config = json.loads((bench / "base.json").read_text())
    (bench / "base.json").write_text(json.dumps(config | {"colour": "red"}))
    (bench / "export.json").write_text(json.dumps(EXPORT))
    written(bench, "name\nnorth\nsouth\n", "--keys", bench / "export.json")
    said = [line for line in capsys.readouterr().out.splitlines() if "colour" in line]
    assert len(said) == 1 and "boards.csv:2 and 1 more: warning: colour" in said[0]


@pytest.mark.parametrize(
    ("macs", "words"),
    [
        (
            ("24:0a:c4:00:00:07", "240AC4000007"),
            r"boards\.csv:3, column B: MAC 24:0a:c4:00:00:07 again, as in .*boards\.csv:2, column B",
        ),
        (("24:0a", ""), "boards.csv:2, column B: '24:0a' is not a MAC"),
    ],
)
def test_a_mac_that_is_none_or_there_twice(bench, macs, words):
    (bench / "export.json").write_text(json.dumps(EXPORT))
    with pytest.raises(Failed, match=words):
        written(bench, f"name,mac\nnorth,{macs[0]}\nsouth,{macs[1]}\n", "--keys", bench / "export.json")
    assert not (bench / "boards").exists()


def test_boards_that_are_deployed_at_once_get_one_configuration_each(tmp_path):
    board_list.write(tmp_path, [board_list.Listed(str(n)) for n in range(30)])
    given = []
    macs = [f"240ac40002{n:02x}" for n in range(30)]
    threads = [
        threading.Thread(target=lambda mac=mac: given.append(board_list.claim(tmp_path, mac, True).device))
        for mac in macs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(given, key=int) == [str(n) for n in range(30)]
    assert {board.mac for board in board_list.read(tmp_path)} == set(macs)


def test_labels_join_the_wifi_of_the_portal(bench, capsys, monkeypatch):
    (bench / "export.json").write_text(json.dumps(EXPORT))
    found = written(bench, "name,mac\nnorth,24:0a:c4:00:ab:cd\nsouth,\n", "--keys", bench / "export.json")
    codes = []
    monkeypatch.setattr(labels.segno, "make", _noting(codes, labels.segno.make))
    assert labels.main([str(bench / "boards")]) == 0
    out = bench / "boards" / "labels.html"
    page, password = out.read_text(), found["101"]["portal"]["password"]
    assert codes == [f"WIFI:T:WPA;S:north-abcd;P:{password};;"], "the other one's MAC is not known"
    assert page.count("<section") == 2 and password in page and "24:0a:c4:00:ab:cd" in page
    assert out.stat().st_mode & 0o77 == 0 and SECRET not in page
    assert "1 without a QR code" in capsys.readouterr().out and password not in capsys.readouterr().out


def _noting(codes, make):
    def made(text, **how):
        codes.append(text)
        return make(text, **how)

    return made


@pytest.mark.parametrize("content", ["", "[", "{}", "5", '[{"device": "1"}]', "[1]", "\xff"])
def test_a_list_of_boards_that_is_none(tmp_path, content):
    (tmp_path / "boards.json").write_text(content, encoding="latin-1")
    with pytest.raises(Failed) as failed:
        board_list.read(tmp_path)
    assert failed.value.what == f"{tmp_path / 'boards.json'}: this is no list of boards, or part of one"


def test_a_name_is_no_html_and_as_long_as_the_board_makes_it():
    config = {"name": "<b>Ümläut & long name of 32 chars", "portal": {"password": "pass-not-real"}}
    label = labels._label(board_list.Listed("1", "240ac400abcd"), config)
    assert "<b>Ü" not in label and "&lt;b&gt;Ü" in label
    assert len(board_list.portal_ssid(config, "240ac400abcd").encode()) <= 32


@pytest.mark.parametrize("text", ["70", "x", "70x", "0x10", "axb"])
def test_a_size_that_is_none(text, bench):
    assert realer("labels", bench, "--size", text).returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--all"],
        ["--assign"],
        ["--boards", "b", "--code-only"],
        ["--port", "a", "--port", "b"],
        ["--all", "--boards", "b", "--at-once", "0"],
    ],
)
def test_wrong_usage_of_a_deploy(arguments):
    assert realer("deploy", *arguments).returncode == 2


def test_what_the_entries_of_an_export_are_called():
    assert board_keys.cells({"cloud.device_id": 5, "name": "x", "credential": "", "more": 1}) == {
        "cloud.device_id": "5", "name": "x",
    }  # fmt: skip
