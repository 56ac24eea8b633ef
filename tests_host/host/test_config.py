"""`realer config` at a terminal, against the simulated cloud; and configurations for many boards."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from firmware.core import config as device
from tests_host.host import test_zone as zones
from tests_host.support.beside import served
from tests_host.support.commands import realer
from tests_host.support.esp_rom import Rom
from tools import boards
from tools.checks.terminal import Terminal
from tools.cli import check_config, cloud_catalog, flash, time_zones, wizard
from tools.cli.config_questions import ABOUT, WORDS, question
from tools.cli.config_questions import MORE as MORE_ABOUT
from tools.cli.configure import _letters
from tools.cloud.certs import TestCA as Authority
from tools.cloud.demo_device import CLIENT_ID, CLIENT_SECRET, demo_device
from tools.cloud.faults import Faults
from tools.cloud.model import Model
from tools.cloud.server import CloudServer
from tools.common import Failed
from tools.serial import ports

ROOT = Path(__file__).parents[2]
WIFI_PASSWORD = "test-password-not-real"
CLEAR, ENTER, DOWN = "\x15", "\r", "\x1b[B"


def choices() -> list[str]:
    """The questions about a Realer cloud at which a word is picked, the first one by Enter."""
    rules = device.rules
    lines = [line.split(" ") for line in rules("cloud") + rules("realer") if " =" not in line]
    return [f"cloud.{line[0]}" for line in lines if re.fullmatch(r"[a-z]+(\|[a-z]+)+", line[1])]


BEFORE_THE_CLOUD = (
    ("name", f"{CLEAR}cabin\r"),
    ("Which board is it?", ENTER),
    ("such a setup portal", "n"),
    ("wifi.networks[0].ssid", "bench\r"),
    ("wifi.networks[0].password", f"{WIFI_PASSWORD}\r"),
    ("More about this network", "n"),
    ("Another network", "n"),
    ("More about Wi-Fi", "n"),
    *((question, ENTER) for question in choices()),
    ("cloud.base_url", f"{CLEAR}http://localhost\r"),
)
FROM_THE_CLOUD_ON = (
    ("cloud.device_id", "12345\r"),
    ("cloud.client_id", f"{CLIENT_ID}\r"),
    ("cloud.client_secret", f"{CLIENT_SECRET}\r"),
    ("and fetch it?", "y"),
    ("Read the device's ports", "y"),
    ("Port 14 (thermistor)", "y"),
    ("sensors[0].name", f"{CLEAR}room\r"),
    ("sensors[0].gpio", "34\r"),
    ("sensors[0].side", ENTER),
    ("sensors[0].divider_ohm", f"{CLEAR}9980\r"),
    ("sensors[0].beta", f"{CLEAR}3435\r"),
    ("sensors[0].r25_ohm", ENTER),
    ("Port 15 (ldr_sensor)", "n"),
    ("Add a sensor", "n"),
    ("Port 6 (relay)", "y"),
    ("outputs[0].name", f"{CLEAR}pump\r"),
    ("outputs[0].gpio", "34\r"),
    ("an input only", f"{CLEAR}IO16\r"),
    ("outputs[0].active", ENTER),
    ("outputs[0].mode", ENTER),
    ("outputs[0].safe", ENTER),
    ("outputs[0].schedule", ENTER),
    ("Port 9 (relay)", "y"),
    ("outputs[1].name", f"{CLEAR}heater\r"),
    ("outputs[1].gpio", "17\r"),
    ("outputs[1].active", DOWN + ENTER),
    ("outputs[1].mode", DOWN + ENTER),
    ("outputs[1].sensor", "14\r"),
    ("outputs[1].min", "5\r"),
    ("outputs[1].max", "35\r"),
    ("outputs[1].step", f"{CLEAR}0.5\r"),
    ("outputs[1].hysteresis", ENTER),
    ("outputs[1].action", ENTER),
    ("outputs[1].safe", f"{CLEAR}8\r"),
    ("outputs[1].schedule", "y"),
    ("outputs[1].schedule[0].days", ENTER),
    ("outputs[1].schedule[0].hour", "7\r"),
    ("outputs[1].schedule[0].minute", "30\r"),
    ("outputs[1].schedule[0].value", "36\r"),
    ("values of 5.0..35.0", f"{CLEAR}21,5\r"),
    ("Add a time of the week", "n"),
    ("Add an output", "n"),
    ("time.zone", f"{CLEAR}Europe\r"),
    ("a POSIX TZ rule such as", f"{CLEAR}Europe/Berlin\r"),
    ("Add a push button", "y"),
    ("buttons[0].gpio", "27\r"),
    ("buttons[0].toggles", "6\r"),
    ("buttons[0].mode", ENTER),
    ("buttons[0].active", ENTER),
    ("buttons[0].pull", ENTER),
    ("Add a push button", "n"),
    ("status LED", "n"),
    ("safety.silence_s", ENTER),
    ("updates over the air", "y"),
    ("update.pin_port", "99\r"),
    ("update.url", "http://x\r"),
    ("https://host", f"{CLEAR}https://bundles.realer.test\r"),
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@contextmanager
def cloud(authority: Authority, *faults: str) -> Iterator[CloudServer]:
    """The simulated cloud with the demo's device."""
    model, rules = Model(), Faults()
    model.add_device(demo_device())
    for fault in faults:
        rules.add(fault)
    server = CloudServer(model, rules, authority)
    with served(server):
        yield server


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return realer("config", *arguments)


@pytest.mark.gate
def test_a_complete_dialog_at_a_terminal_writes_a_configuration(authority: Authority, tmp_path: Path):
    out = tmp_path / "config.json"
    command = [sys.executable, "-m", "tools", "config", "--out", str(out), "--bundle", str(authority.pem)]
    with cloud(authority) as server, Terminal(command, cwd=ROOT) as terminal:
        for words, answer in (
            *BEFORE_THE_CLOUD,
            ("http shows the secret", f"{CLEAR}https://localhost:{server.port}\r"),
            *FROM_THE_CLOUD_ON,
        ):
            terminal.expects(words)
            terminal.types(answer)
        assert terminal.ends() == 0, terminal.output
        assert server.model.named("revoked")
    assert CLIENT_SECRET not in terminal.output and WIFI_PASSWORD not in terminal.output
    assert out.stat().st_mode & 0o777 == 0o600
    assert [problem for problem in check_config.problems_of(out) if problem[0] == "error"] == []
    config = json.loads(out.read_text())
    assert config["cloud"]["client_secret"] == CLIENT_SECRET
    assert (tmp_path / config["cloud"]["ca_files"][0]).read_bytes() == authority.certificate
    assert config["outputs"][1]["safe"] == 8 and config["outputs"][1]["active"] == "low"
    assert config["outputs"][1]["schedule"] == [{"days": "daily", "hour": 7, "minute": 30, "value": 21.5}]
    assert config["time"] == {"zone": "CET-1CEST,M3.5.0,M10.5.0/3"} and "schedule" not in config["outputs"][0]
    assert "opens_portal" not in config["buttons"][0]
    assert config["sensors"] == [
        {"pin_port": "14", "kind": "thermistor", "name": "room", "gpio": 34, "side": "low", "divider_ohm": 9980,
         "beta": 3435, "r25_ohm": 10000}
    ]  # fmt: skip


def complete(folder: Path, authority: Authority) -> dict[str, Any]:
    """The example, filled in, with its certificate in place."""
    config = json.loads((ROOT / "config.example.json").read_text())
    config["wifi"]["networks"] = [{"ssid": "bench", "password": WIFI_PASSWORD}]
    config["cloud"] |= {"device_id": "12345", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    (folder / "certs").mkdir(parents=True, exist_ok=True)
    (folder / "certs/ca.der").write_bytes(authority.certificate)
    return config


@pytest.fixture
def draft(tmp_path: Path, authority: Authority) -> dict[str, Any]:
    return complete(tmp_path, authority)


@contextmanager
def typed(keys: str) -> Iterator[None]:
    """All answers are typed ahead; a question beyond them is an EOFError."""
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text(keys)
        pipe.close()
        yield


def interviewed(draft: dict[str, Any], folder: Path, keys: str, bundle: Path | None = None) -> list[str]:
    """Run the questions with all answers typed ahead; what was said."""
    printed: list[str] = []
    with typed(keys):
        wizard.Wizard(draft, folder, printed.append, bundle).run()
    return printed


KEEP_NETWORK = ENTER + ENTER + "n"  # its name, its password, nothing more
KEEP_BEGINNING = (
    ENTER * 2 + "n" + KEEP_NETWORK + "nn"
)  # name, board, no portal, no other network, nothing more of Wi-Fi
KEEP_CLOUD = ENTER * (4 + len(choices())) + "y"  # choices, base_url, three keys, the certificate
KEEP_REST = (
    "y" * 2 + "n" + "y" * 2 + "n" + "y" + "n" + ENTER * 2 + ENTER + "n"
)  # sensors, outputs, button, LED, silence, no updates


@pytest.mark.gate
def test_a_configuration_that_is_there_is_kept_with_enter(draft: dict[str, Any], tmp_path: Path):
    before = draft | {"board": "esp32"}
    interviewed(draft, tmp_path, KEEP_BEGINNING + KEEP_CLOUD + "n" + KEEP_REST)
    assert draft == before


@pytest.mark.gate
def test_placeholders_are_asked_again_and_a_part_can_be_changed(draft: dict[str, Any], tmp_path: Path):
    draft["cloud"]["device_id"] = "REPLACE-ME"
    cloud_keys = (
        ENTER * (1 + len(choices())) + "777" + ENTER + ENTER + CLEAR + "another-secret-not-real" + ENTER + "y"
    )
    change_button = "n" + CLEAR + "26" + ENTER * 5 + "n"
    rest = "y" * 2 + "n" + "y" * 2 + "n" + change_button + ENTER * 2 + CLEAR + "60" + ENTER + "n"
    interviewed(draft, tmp_path, KEEP_BEGINNING + cloud_keys + "n" + rest)
    assert (draft["cloud"]["device_id"], draft["cloud"]["client_secret"]) == (
        "777",
        "another-secret-not-real",
    )
    assert draft["buttons"][0]["gpio"] == 26 and draft["safety"] == {"silence_s": 60}


@pytest.mark.gate
def test_wrong_keys_can_be_entered_again(draft: dict[str, Any], authority: Authority, tmp_path: Path):
    with cloud(authority) as server:
        draft["cloud"] |= {
            "base_url": f"https://localhost:{server.port}",
            "client_secret": "wrong-secret-not-real",
        }
        keys = "y" + "y" + ENTER * 2 + CLEAR + CLIENT_SECRET + ENTER + "y"
        printed = interviewed(draft, tmp_path, KEEP_BEGINNING + KEEP_CLOUD + keys + KEEP_REST)
    assert any("refused the keys" in text for text in printed)
    assert draft["cloud"]["client_secret"] == CLIENT_SECRET
    assert not any("secret-not-real" in text for text in printed)


@pytest.mark.gate
def test_without_a_cloud_ports_and_certificate_are_named_by_hand(tmp_path: Path):
    draft = {
        "cloud": {
            "base_url": "https://localhost:1",
            "device_id": "1",
            "client_id": "a",
            "client_secret": "12345678",
        }
    }
    network = ENTER * 2 + "n" + "bench" + ENTER + ENTER + "n" + "n" + "n"
    by_hand = (
        ENTER * (4 + len(choices())) + "y" + "n" + CLEAR + "certs/a.der, certs/b.der" + ENTER + "y" + "n"
    )
    output = "n" + "y" + "6" + ENTER + ENTER + "16" + ENTER + ENTER * 4 + "n" + "n" + "n" + ENTER + "n"
    printed = interviewed(draft, tmp_path, network + by_hand + output)
    assert any("cannot be reached" in text for text in printed)
    assert any("certs/a.der" in text for text in printed)
    assert draft["cloud"]["ca_files"] == ["certs/a.der", "certs/b.der"]
    assert draft["outputs"] == [
        {"pin_port": "6", "name": "unnamed", "gpio": 16, "active": "high", "mode": "switch", "safe": "off"}
    ]
    assert check_config.validate(draft)[1] == []


def test_an_unsupported_sensor_kind_is_reported_and_left_out(draft: dict[str, Any], tmp_path: Path):
    draft["sensors"], draft["outputs"], draft["buttons"] = [], [], []
    hands = wizard.Wizard(draft, tmp_path, (printed := []).append)
    with typed("nn"):
        hands._ports([cloud_catalog.Port("3", "sensor", "geiger_counter")])
    assert "geiger_counter" in printed[0] and draft["sensors"] == []


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_ctrl_c_writes_nothing(tmp_path: Path, key: str):
    out = tmp_path / "config.json"
    with Terminal([sys.executable, "-m", "tools", "config", "--out", str(out)], cwd=ROOT) as terminal:
        terminal.expects("name")
        terminal.types(key)
        assert terminal.ends() == 130
    assert "Traceback" not in terminal.output and not out.exists()


@pytest.mark.parametrize("end", ["\x04", signal.SIGTERM], ids=["ctrl-d", "sigterm"])
@pytest.mark.parametrize("words", ["Which board", "setup portal"], ids=["list", "yes-or-no"])
def test_lists_and_yes_or_no_are_left_as_any_question_is(tmp_path: Path, end: str | int, words: str):
    command = [sys.executable, "-m", "tools", "config", "--out", str(tmp_path / "config.json")]
    with Terminal(command, cwd=ROOT) as terminal:
        for asked in ("call this device", "Which board", "setup portal"):
            terminal.expects(asked)
            if asked == words:
                break
            terminal.types("\r")
        terminal.types(end) if isinstance(end, str) else terminal.interrupts(end)
        assert terminal.ends() == (130 if isinstance(end, str) else 143)
    assert "Traceback" not in terminal.output and "Your answers are in" in terminal.output


@pytest.mark.parametrize(
    "wrong",
    [{"wifi": []}, {"cloud": "x"}, {"outputs": {"a": 1}}, {"sensors": [None]}, {"wifi": {"networks": {}}}],
)
def test_a_configuration_that_no_question_could_mend_is_left_alone(tmp_path: Path, wrong: dict[str, Any]):
    out = tmp_path / "config.json"
    out.write_text(json.dumps(wrong))
    with Terminal([sys.executable, "-m", "tools", "config", "--out", str(out)], cwd=ROOT) as terminal:
        assert terminal.ends() == 1
    assert f"{next(iter(wrong))}" in terminal.output and "Correct it in an editor" in terminal.output
    assert "Traceback" not in terminal.output and json.loads(out.read_text()) == wrong


def draft_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.draft")


@pytest.mark.gate
def test_answers_survive_ctrl_c_for_their_owner_only_and_are_not_asked_again(tmp_path: Path):
    out = tmp_path / "config.json"
    command = [sys.executable, "-m", "tools", "config", "--out", str(out)]
    with Terminal(command, cwd=ROOT) as terminal:
        for words, answer in BEFORE_THE_CLOUD[:6]:
            terminal.expects(words)
            terminal.types(answer)
        terminal.expects("Another network")
        terminal.types("\x03")
        assert terminal.ends() == 130
    assert not out.exists()
    assert draft_of(out).stat().st_mode & 0o777 == 0o600 and WIFI_PASSWORD in draft_of(out).read_text()
    assert "*.draft" in (ROOT / ".gitignore").read_text()
    with Terminal(command, cwd=ROOT) as terminal:
        terminal.expects("Continue where it stopped")
        terminal.types("y")
        terminal.expects("Another network")
        assert "wifi.networks[0].ssid" not in terminal.output and "(name)" not in terminal.output
        assert WIFI_PASSWORD not in terminal.output
        terminal.types("\x03")
        assert terminal.ends() == 130
    with Terminal(command, cwd=ROOT) as terminal:
        terminal.expects("Continue where it stopped")
        terminal.types("n")
        terminal.expects("(name)")
        terminal.types("\x03")
        assert terminal.ends() == 130


BACK = "\x02"


@pytest.mark.gate
def test_there_is_a_way_back_over_any_number_of_questions(draft: dict[str, Any], tmp_path: Path):
    # Four questions back from the network's password: to the name, over one that was answered by a key.
    wrong = "wrong" + ENTER * 2 + "y" + "y" + "cellar" + ENTER + BACK * 5 + "right" + ENTER * 2
    rest = "n" + KEEP_NETWORK + "nn" + KEEP_CLOUD + "n" + KEEP_REST
    interviewed(draft, tmp_path, wrong + rest)
    assert draft["name"] == "right" and "portal" not in draft
    assert draft["wifi"]["networks"][0]["ssid"] == "cellar"  # shown as the answer of before


KITS = list(boards.every_name())


def test_a_board_with_a_lan_needs_no_wifi(draft: dict[str, Any], tmp_path: Path):
    kit = boards.named("wt32-eth01")
    boards.move_example(draft, kit)
    network = DOWN * KITS.index("wt32-eth01") + ENTER + "n" + "y"
    keys = ENTER + network + "y" + "192.168.1.20" + ENTER * 2 + "192.168.1.1" + ENTER + "9.9.9.9" + ENTER
    del draft["wifi"]
    interviewed(draft, tmp_path, keys + KEEP_CLOUD + "n" + KEEP_REST)
    fixed = {"ip": "192.168.1.20", "netmask": "255.255.255.0", "gateway": "192.168.1.1", "dns": ["9.9.9.9"]}
    assert (draft["board"], draft["lan"]) == ("wt32-eth01", fixed) and "wifi" not in draft
    assert check_config.validate(draft)[1] == []


def test_the_pins_are_offered_as_they_are_called_on_the_board(draft: dict[str, Any], tmp_path: Path):
    draft |= {"board": "esp32-devkit-v1"}
    printed = asked(draft, tmp_path, "buttons", "D26" + ENTER * 5)
    assert draft["buttons"][0]["gpio"] == 26
    (free,) = [text for text in printed if text.startswith("Free: ")]
    assert "D26" in free and "VP" in free and "RX2" not in free, "the pump is there"


def test_only_kits_with_the_chip_that_is_plugged_in_are_offered(draft: dict[str, Any], tmp_path: Path):
    with typed(DOWN + ENTER):
        hands = wizard.Wizard(draft, tmp_path, lambda text: None, plugged_in=lambda may: "esp32c3")
        hands._board()
    assert draft["board"] == "esp32-c3-devkitm-1"


@pytest.mark.parametrize(("answer", "chip"), [(True, "esp32"), (False, "")])
def test_the_board_is_not_restarted_without_consent(monkeypatch: pytest.MonkeyPatch, answer: bool, chip: str):
    with Rom() as rom:
        port = SimpleNamespace(device=rom.port, vid=1, description="")
        monkeypatch.setattr(ports, "plugged_in", lambda: [port])
        questions: list[str] = []
        found = flash.plugged_in(lambda question: bool(questions.append(question)) or answer)
        assert found == chip and bool(rom.commands) == answer and rom.port in questions[0]
        monkeypatch.setattr(ports, "plugged_in", lambda: [port, port])
        assert flash.plugged_in(pytest.fail) == ""


def asked(draft: dict[str, Any], folder: Path, section: str, keys: str, at: int = -1) -> list[str]:
    """Only the questions of one item of a list; what was said."""
    printed: list[str] = []
    with typed(keys):
        hands = wizard.Wizard(draft, folder, printed.append)
        hands._section(section, draft[section][at], f"{section}[{at % len(draft[section])}].")
        hands.answers.flush()
    return printed


def networks(draft: dict[str, Any], folder: Path, keys: str) -> dict[str, Any]:
    """Only the questions about the networks; the one there is afterwards."""
    with typed(keys + "n"):
        wizard.Wizard(draft, folder, lambda text: None)._networks()
    (network,) = draft["wifi"]["networks"]
    return network


MORE = ENTER * 2 + "y"  # name and password as they are
ACCESS_POINT = "24-0A-C4-00-00-01"


@pytest.mark.gate
def test_more_network_options_ask_for_access_point_and_address(draft: dict[str, Any], tmp_path: Path):
    before = dict(draft["wifi"]["networks"][0])
    assert networks(draft, tmp_path, MORE + ENTER * 2 + "n") == before
    only = networks(draft, tmp_path, MORE + ACCESS_POINT + ENTER * 2 + "n")
    assert only == before | {"bssid": "24:0a:c4:00:00:01"}
    # Enter keeps what is there; a router is needed, and in the same network.
    wrong = ENTER + CLEAR + "10.0.0.1" + ENTER + CLEAR + "192.168.1.20" + ENTER + CLEAR
    fixed = "192.168.1.300" + ENTER + CLEAR + "192.168.1.20" + ENTER + ENTER + wrong + "192.168.1.1" + ENTER
    found = networks(draft, tmp_path, MORE + ENTER + fixed + ENTER + "n")
    assert found == only | {"ip": "192.168.1.20", "netmask": "255.255.255.0", "gateway": "192.168.1.1"}
    assert [p for p in check_config.validate(draft)[1] if p[0] == "error"] == []
    assert networks(draft, tmp_path, ENTER * 2 + "n" * 2) == found


def wifi(draft: dict[str, Any], folder: Path, keys: str) -> dict[str, Any]:
    """Only the questions about Wi-Fi, with the network as it is; what is said of Wi-Fi itself afterwards."""
    with typed(KEEP_NETWORK + "n" + keys):
        wizard.Wizard(draft, folder, lambda text: None)._networks()
    return {key: value for key, value in draft["wifi"].items() if key not in ("networks", "hostname")}


@pytest.mark.gate
def test_country_name_servers_and_power_saving_are_asked_for_on_request(
    draft: dict[str, Any], tmp_path: Path
):
    assert wifi(draft, tmp_path, "y" + ENTER * 3) == wifi(draft, tmp_path, "n") == {}
    wrong = "Germany" + ENTER + CLEAR + "DE" + ENTER + "192.168.1" + ENTER + CLEAR
    keys = wrong + "9.9.9.9, 1.1.1.1:5353" + ENTER + "perhaps" + ENTER + CLEAR + "no" + ENTER
    found = {"country": "DE", "dns": ["9.9.9.9", "1.1.1.1:5353"], "power_save": False}
    assert wifi(draft, tmp_path, "y" + keys) == found
    assert [p for p in check_config.validate(draft)[1] if p[0] == "error"] == []
    # Enter keeps what is there, also a no.
    assert wifi(draft, tmp_path, "y" + ENTER * 3) == found
    assert wifi(draft, tmp_path, "y" + (CLEAR + "none" + ENTER) * 3) == {}


@pytest.mark.gate
def test_another_fixed_address_is_not_measured_by_the_router_of_the_former(
    draft: dict[str, Any], tmp_path: Path
):
    fixed = {"ip": "192.168.1.20", "gateway": "192.168.1.1", "netmask": "255.255.255.0", "dns": "192.168.1.9"}
    draft["wifi"]["networks"][0] |= fixed
    before = networks(draft, tmp_path, MORE + ENTER * 6 + "n")
    assert before.items() >= fixed.items()
    masks = CLEAR + "255.255.0.255" + ENTER + CLEAR + "255.255.0.0" + ENTER
    moved = networks(draft, tmp_path, f"{MORE}\r{CLEAR}10.0.0.5\r{masks}{CLEAR}10.0.9.1\r{CLEAR}none\rn")
    assert moved == {key: before[key] for key in ("ssid", "password")} | {
        "ip": "10.0.0.5", "netmask": "255.255.0.0", "gateway": "10.0.9.1",
    }  # fmt: skip
    assert set(networks(draft, tmp_path, f"{MORE}\r{CLEAR}none\rn")) == {"ssid", "password"}


def test_a_fixed_address_that_is_wrong_in_the_end_may_be_left_out(draft: dict[str, Any], tmp_path: Path):
    draft["wifi"]["networks"][0]["bssid"] = "of the roof"
    with typed(f"{CLEAR}none\r"):
        wizard.Wizard(draft, tmp_path, lambda text: None).mend(check_config.validate(draft)[1])
    assert "bssid" not in draft["wifi"]["networks"][0]


@pytest.mark.gate
def test_an_answer_that_contradicts_an_earlier_one_is_refused_at_once(draft: dict[str, Any], tmp_path: Path):
    draft["outputs"][1] = {"pin_port": "9", "name": "heater"}
    thermostat = ENTER * 2 + "17" + ENTER * 2 + DOWN + ENTER + ENTER
    limits = "14" + ENTER + "5" + ENTER + CLEAR + "20" + ENTER + ENTER * 3
    safe = "40" + ENTER + CLEAR + "16" + ENTER * 2
    asked(draft, tmp_path, "outputs", thermostat + limits + safe)
    output = draft["outputs"][1]
    assert (output["min"], output["max"], output["safe"], output["sensor"]) == (14, 20, 16, "14")
    # A pin that is taken, by the button, is refused at its answer too.
    asked(draft, tmp_path, "outputs", ENTER * 2 + "27" + ENTER + CLEAR + "18" + ENTER * 11)
    assert draft["outputs"][1]["gpio"] == 18


def test_only_keys_that_are_wrong_in_the_end_are_asked_again(draft: dict[str, Any], tmp_path: Path):
    draft["cloud"]["poll_s"] = 1
    draft["outputs"][0]["hysterisis"] = 2
    draft["sensors"][0]["samples"] = 99
    with typed("30" + ENTER + "7" + ENTER + "y"):
        hands = wizard.Wizard(draft, tmp_path, lambda text: None)
        problems = [problem for problem in check_config.validate(draft)[1] if problem[0] == "error"]
        assert [problem[1] for problem in problems] == [
            "cloud.poll_s",
            "sensors[0].samples",
            "outputs[0].hysterisis",
        ]
        assert hands.mend(problems)
    assert (draft["cloud"]["poll_s"], draft["sensors"][0]["samples"]) == (30, 7)
    assert "hysterisis" not in draft["outputs"][0]
    assert [problem for problem in check_config.validate(draft)[1] if problem[0] == "error"] == []
    assert draft["cloud"]["client_secret"] == CLIENT_SECRET
    assert not hands.mend([("error", "wifi", "a number", "an object")])


def test_correcting_wrong_answers_keeps_all_others(authority: Authority, tmp_path: Path):
    out = tmp_path / "config.json"
    config = complete(tmp_path, authority)
    config["outputs"][0]["max_onn_s"] = 2
    out.write_text(json.dumps(config))
    with Terminal([sys.executable, "-m", "tools", "config", "--out", str(out)], cwd=ROOT) as terminal:
        terminal.expects("(name)")
        terminal.types(KEEP_BEGINNING + KEEP_CLOUD + "n" + KEEP_REST)
        terminal.expects("Leave outputs[0].max_onn_s out?")
        terminal.types("y")
        assert terminal.ends() == 0, terminal.output
    del config["outputs"][0]["max_onn_s"]
    assert json.loads(out.read_text()) == config | {"board": "esp32"} and not draft_of(out).exists()


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("divider_ohm", "10k", 10000), ("divider_ohm", "4k7", 4700), ("divider_ohm", "4.7k", 4700),
        ("divider_ohm", "4,7 kΩ", 4700), ("divider_ohm", "1M", 1_000_000), ("r25_ohm", "470R", 470),
        ("r25_ohm", "4R7", 4.7), ("divider_ohm", "9980", 9980), ("divider_ohm", "9980 Ω", 9980),
        ("silence_s", "5 min", 300), ("silence_s", "2h", 7200), ("min_off_s", "90 s", 90), ("min", "7,5", 7.5),
        ("max", "21.5 °C", 21.5), ("supply_mv", "3.3 V", 3300), ("gpio", "GPIO16", 16), ("gpio", "io 16", 16),
        ("min", "10k", "10k"), ("gpio", "4k7", "4k7"), ("divider_ohm", "k", "k"), ("divider_ohm", "4.7k7", "4.7k7"),
        ("divider_ohm", "5 min", "5 min"), ("silence_s", "5 °C", "5 °C"), ("min", "68 °F", "68 °F"), ("max", "", ""),
    ],
)  # fmt: skip
def test_numbers_may_be_written_as_people_write_them(key: str, text: str, value: Any):
    assert wizard._parsed("0.0..1e9", text, key) == value
    assert type(wizard._parsed("0.0..1e9", text, key)) is type(value)
    assert wizard._parsed("text 1..32", text, key) == text.strip()


def test_a_default_is_taken_by_enter_and_never_mixed_with_what_is_typed(
    draft: dict[str, Any], tmp_path: Path
):
    draft["sensors"][0] = {"pin_port": "14", "kind": "thermistor"}
    keys = ENTER + ENTER + "room" + ENTER + "34" + ENTER + ENTER + "10k" + ENTER + ENTER * 2
    asked(draft, tmp_path, "sensors", keys, at=0)
    sensor = draft["sensors"][0]
    assert (sensor["name"], sensor["divider_ohm"], sensor["beta"], sensor["r25_ohm"]) == (
        "room",
        10000,
        3950,
        10000,
    )


def test_a_sensor_with_two_values_is_asked_for_the_second_port(authority: Authority, tmp_path: Path):
    draft = complete(tmp_path, authority)
    for answer, expected in (
        ("n", None),
        ("y" + "31" + ENTER + "damp" + ENTER, {"pin_port": "31", "name": "damp"}),
    ):
        draft["sensors"][0] = {"pin_port": "14", "kind": "dht22"}
        asked(draft, tmp_path, "sensors", ENTER + ENTER + "bath" + ENTER + "4" + ENTER + answer, at=0)
        assert draft["sensors"][0].get("humidity") == expected
        assert draft["sensors"][0]["gpio"] == 4


def test_a_table_of_points_is_typed_as_it_stands_in_the_file(authority: Authority, tmp_path: Path):
    draft = complete(tmp_path, authority)
    draft["sensors"][0] = {"pin_port": "14", "kind": "analog"}
    points = "[[0.5, 0], [2.5, 10]]"
    keys = ENTER + ENTER + "tank" + ENTER + "32" + ENTER + points + ENTER + "1" + ENTER
    asked(draft, tmp_path, "sensors", keys, at=0)
    assert (draft["sensors"][0]["points"], draft["sensors"][0]["deadband"]) == ([[0.5, 0], [2.5, 10]], 1)


def test_a_strapping_pin_is_warned_of_at_the_answer(draft: dict[str, Any], tmp_path: Path):
    draft["outputs"][0] = {"pin_port": "6", "name": "pump"}
    printed = asked(draft, tmp_path, "outputs", ENTER * 2 + "12" + ENTER + "n" + "16" + ENTER * 5, at=0)
    assert draft["outputs"][0]["gpio"] == 16 and any(
        "GPIO 12" in text and "strapping" in text for text in printed
    )
    printed = asked(
        draft, tmp_path, "outputs", ENTER * 2 + "14" + ENTER * 2 + "n" + CLEAR + "18" + ENTER * 4, at=0
    )
    assert draft["outputs"][0]["gpio"] == 18 and any(
        "GPIO 14" in text and "reset" in text for text in printed
    )
    asked(draft, tmp_path, "outputs", ENTER * 2 + "12" + ENTER + "y" + ENTER * 4, at=0)
    assert draft["outputs"][0]["gpio"] == 12


def test_the_sensor_is_picked_from_those_that_there_are(draft: dict[str, Any], tmp_path: Path):
    draft["sensors"].insert(0, draft["sensors"].pop())
    draft["outputs"][1] = {"pin_port": "9", "name": "heater"}
    asked(
        draft, tmp_path, "outputs",
        ENTER * 2 + "17" + ENTER * 2 + DOWN + ENTER + ENTER + "5" + ENTER + "30" + ENTER + ENTER * 5,
    )  # fmt: skip
    assert draft["outputs"][1]["sensor"] == "14"  # the thermistor, though it is the second
    draft["sensors"] = []
    draft["outputs"] = [{"pin_port": "6"}]
    printed = asked(draft, tmp_path, "outputs", ENTER * 2 + "17" + ENTER * 5, at=0)
    assert draft["outputs"][0]["mode"] == "switch" and any("only with a sensor" in text for text in printed)


KEEP_SWITCH = ENTER * 6  # port, name, pin, level, mode, safe state


def test_a_schedule_is_asked_for_once_there_is_none_and_can_be_changed(draft: dict[str, Any], tmp_path: Path):
    before = dict(draft["outputs"][0])
    asked(draft, tmp_path, "outputs", KEEP_SWITCH + ENTER, at=0)
    assert draft["outputs"][0].items() >= before.items() and "schedule" not in draft["outputs"][0]
    # Of a switch the values are 0 and 1, and an hour ends at 23.
    first = ENTER + "24" + ENTER + CLEAR + "22" + ENTER * 2 + "2" + ENTER + CLEAR + "1" + ENTER
    second = DOWN + ENTER + "6" + ENTER + CLEAR + "15" + ENTER + "0" + ENTER
    asked(draft, tmp_path, "outputs", KEEP_SWITCH + "y" + first + "y" + second + "n", at=0)
    evening = {"days": "daily", "hour": 22, "minute": 0, "value": 1}
    morning = {"days": "weekdays", "hour": 6, "minute": 15, "value": 0}
    assert draft["outputs"][0]["schedule"] == [evening, morning]
    change = "y" + "n" + ENTER + CLEAR + "7" + ENTER * 3 + "n"
    asked(draft, tmp_path, "outputs", KEEP_SWITCH + "y" + change, at=0)
    assert draft["outputs"][0]["schedule"] == [evening, morning | {"hour": 7}]
    # What holds follows none, and no takes away what there is.
    hold = ENTER * 5 + CLEAR + "hold" + ENTER
    with_hold = json.loads(json.dumps(draft))
    asked(with_hold, tmp_path, "outputs", hold, at=0)
    assert with_hold["outputs"][0]["safe"] == "hold" and "schedule" not in with_hold["outputs"][0]
    asked(draft, tmp_path, "outputs", KEEP_SWITCH + "n", at=0)
    assert "schedule" not in draft["outputs"][0]


def test_a_way_back_leads_through_a_schedule_and_its_zone(draft: dict[str, Any], tmp_path: Path):
    del draft["outputs"][1]
    times = "y" + ENTER + "22" + ENTER + BACK + CLEAR + "21" + ENTER * 2 + "1" + ENTER + "n" + "n"
    output = "n" + KEEP_SWITCH + times
    zone = CLEAR + "Asia/Kolkata" + ENTER + BACK + CLEAR + "UTC0" + ENTER
    rest = "y" * 2 + "n" + output + zone + "y" + "n" + ENTER * 2 + ENTER + "n"
    interviewed(draft, tmp_path, KEEP_BEGINNING + KEEP_CLOUD + "n" + rest)
    assert draft["outputs"][0]["schedule"] == [{"days": "daily", "hour": 21, "minute": 0, "value": 1}]
    assert draft["time"]["zone"] == "UTC0" and check_config.validate(draft)[1] == []


def test_what_a_long_press_does_is_asked_for_where_there_is_a_portal(draft: dict[str, Any], tmp_path: Path):
    before = dict(draft["buttons"][0])
    asked(draft, tmp_path, "buttons", ENTER * 5, at=0)
    assert not {"opens_portal", "factory_reset"} & draft["buttons"][0].keys()
    draft["portal"] = {}
    printed = asked(draft, tmp_path, "buttons", ENTER * 3 + "yn" + ENTER * 2, at=0)
    assert draft["buttons"][0].items() >= (before | {"opens_portal": True, "factory_reset": False}).items()
    assert any("forgets networks and keys" in text for text in printed)
    # Enter keeps both; a switch has neither.
    asked(draft, tmp_path, "buttons", ENTER * 7, at=0)
    assert draft["buttons"][0]["opens_portal"] is True
    draft["buttons"][0] = {}
    asked(draft, tmp_path, "buttons", "27" + ENTER * 2 + DOWN + ENTER * 3, at=0)
    assert draft["buttons"][0].keys() == {"gpio", "toggles", "mode", "active", "pull"}


@pytest.mark.parametrize("name", zones.ZONES)
def test_a_zone_has_its_rule_by_its_name(name: str):
    assert time_zones.rule(name) == zones.ZONES[name]


def test_a_name_that_is_no_zone_is_left_to_the_check():
    for text in ("CET-1CEST,M3.5.0,M10.5.0/3", "Europe", "../../etc/passwd", ""):
        assert time_zones.rule(text) == text


def test_every_cloud_and_every_choice_is_explained():
    rules = device.rules
    for section, keys in [*ABOUT.items(), *MORE_ABOUT.items()]:
        for line in rules(section):
            key, rule = line.split(" =")[0].split(" ", 1)
            if key in keys:
                name, _ = question(keys[key], f"x.{key}")
                assert name.endswith(f"? (x.{key})") and len(name) < 78, name
            if key in WORDS and "|" in rule:
                assert set(WORDS[key]) >= {word for word in rule.split(" ")[0].split("|") if word[0] > "9"}
    assert set(WORDS["api"]) == set(
        next(r for r in rules("cloud") if r.startswith("api ")).split(" ")[1].split("|")
    )


def test_without_a_terminal_it_prints_the_alternative(tmp_path: Path):
    done = run("--out", tmp_path / "config.json")
    assert done.returncode == 1 and "--answers" in done.stderr


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("token status=401", "refused the keys"),
        ("commands status=402", "subscription"),
        ("sensors status=403", "may not read"),
        ("commands status=404", "does not know this device"),
        ("token status=429", "too many"),
        ("commands status=503", "HTTP 503"),
        ("commands status=302", "HTTP 302"),
        ("commands cut=20", "cannot be reached"),
    ],
)
def test_a_cloud_without_usable_answers_is_reported(authority: Authority, fault: str, words: str):
    with cloud(authority, fault) as server, pytest.raises(Failed, match=words):
        cloud_catalog.read(demo_keys(server), [authority.certificate])


def demo_keys(server: CloudServer) -> dict[str, str]:
    base = f"https://localhost:{server.port}"
    return {"base_url": base, "device_id": "12345", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


def test_a_cloud_with_another_certificate_gets_no_keys(authority: Authority, tmp_path: Path):
    with cloud(authority) as server:
        with pytest.raises(Failed, match="does not verify"):
            cloud_catalog.read(demo_keys(server), [Authority(tmp_path).certificate])
        assert server.requests == 0


def test_another_configuration_is_set_aside_and_the_same_is_not(authority: Authority, tmp_path: Path):
    (tmp_path / "base").mkdir()
    base, out = tmp_path / "base/base.json", tmp_path / "config.json"
    base.write_text(json.dumps(complete(tmp_path / "base", authority)))
    out.write_text("my own keys")
    for _ in range(2):
        assert run("--answers", base, "--out", out).returncode == 0
    kept = {path.name: path for path in tmp_path.glob("config.json.*")}
    assert list(kept) == ["config.json.1"] and kept["config.json.1"].read_text() == "my own keys"
    assert kept["config.json.1"].stat().st_mode & 0o777 == 0o600


def test_answers_from_a_file_are_checked_and_written(authority: Authority, tmp_path: Path):
    answers, out = tmp_path / "answers.json", tmp_path / "made" / "config.json"
    config = complete(tmp_path, authority)
    answers.write_text(json.dumps(config))
    done = run("--answers", answers, "--out", out)
    assert done.returncode == 0, done.stderr
    assert json.loads(out.read_text()) == config and out.stat().st_mode & 0o777 == 0o600
    assert (out.parent / "certs/ca.der").read_bytes() == authority.certificate
    assert CLIENT_SECRET not in done.stdout

    config["outputs"][0]["gpio"] = 6
    answers.write_text(json.dumps(config))
    again = run("--answers", answers, "--out", tmp_path / "never.json")
    assert again.returncode == 1 and "outputs[0].gpio" in again.stderr
    assert not (tmp_path / "never.json").exists()


PORTAL = re.compile(r"password ([a-z2-9]{4}(?:-[a-z2-9]{4}){3})$", re.MULTILINE)


def test_a_portal_gets_its_own_password_which_is_shown_once(authority: Authority, tmp_path: Path):
    answers, out = tmp_path / "answers.json", tmp_path / "config.json"
    config = complete(tmp_path, authority)
    config["wifi"]["networks"] = []
    del config["cloud"]["client_secret"]
    answers.write_text(json.dumps(config))
    assert run("--answers", answers, "--out", out).returncode == 1
    done = run("--answers", answers, "--out", out, "--portal")
    assert done.returncode == 0, done.stderr
    password = PORTAL.search(done.stdout)[1]
    assert json.loads(out.read_text())["portal"] == {"password": password}
    assert "wifi.networks" in done.stdout and "cloud.client_secret" in done.stdout
    assert {level for level, *_ in check_config.problems_of(out)} == {"warning"}

    again = run("--answers", out, "--out", tmp_path / "again.json", "--portal")
    assert again.returncode == 0 and password not in again.stdout
    assert json.loads((tmp_path / "again.json").read_text())["portal"] == {"password": password}


def test_errors_outside_of_the_portal_form_remain_errors(authority: Authority, tmp_path: Path):
    config = complete(tmp_path, authority)
    config["portal"] = {"password": "test-password-not-real"}
    for section, key, value in (
        ("cloud", "client_secret", "short"),
        ("cloud", "poll_s", 1),
        ("portal", "password", "7-chars"),
        ("wifi", "networks", "none"),
    ):
        wrong = json.loads(json.dumps(config))
        wrong[section][key] = value
        problems = check_config.left_to_portal(wrong, check_config.validate(wrong)[1])
        assert [path for level, path, *_ in problems if level == "error"] == [f"{section}.{key}"]


def test_with_a_portal_network_and_keys_may_be_left_out(draft: dict[str, Any], tmp_path: Path):
    draft["wifi"]["networks"] = []
    for key in ("device_id", "client_id", "client_secret"):
        del draft["cloud"][key]
    keep_cloud = ENTER * (1 + len(choices())) + "y"  # choices, base_url, the certificate
    interviewed(draft, tmp_path, ENTER * 2 + "y" + "n" + keep_cloud + KEEP_REST)
    assert draft["portal"] == {} and draft["wifi"]["networks"] == []
    assert not {"device_id", "client_id", "client_secret"} & draft["cloud"].keys()


BOARDS = (
    "name,cloud.device_id,cloud.client_id,cloud.client_secret,wifi.networks[0].password,outputs[0].gpio\n"
    "north,101,cdv_1,test-secret-not-real-1,12345678,16\n"
    '"south, lower",102,cdv_2,test-secret-not-real-2,87654321,18\n'
)


def many(
    tmp_path: Path, authority: Authority, table: str, encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    base, boards = tmp_path / "base.json", tmp_path / "boards.csv"
    base.write_text(json.dumps(complete(tmp_path, authority)))
    boards.write_bytes(table.encode(encoding, "surrogateescape"))
    return run("--answers", base, "--boards", boards, "--out", tmp_path / "boards")


def test_a_table_becomes_a_folder(authority: Authority, tmp_path: Path):
    done = many(tmp_path, authority, BOARDS)
    assert done.returncode == 0, done.stderr
    north, south = (tmp_path / "boards" / f"{number}.json" for number in (101, 102))
    assert south.stat().st_mode & 0o777 == 0o600
    assert [p for file in (north, south) for p in check_config.problems_of(file) if p[0] == "error"] == []
    config = json.loads(south.read_text())
    assert (config["name"], config["outputs"][0]["gpio"]) == ("south, lower", 18)
    assert config["wifi"]["networks"][0]["password"] == "87654321"
    assert json.loads(north.read_text())["cloud"]["client_id"] == "cdv_1"


EXCEL = (
    "name;cloud.device_id;outputs[0].safe;outputs[1].hysteresis;time.servers;;\r\n"
    'süd, unten;101;on;1,5;["a.test","b.test"];;\r\n'
    ";;;;;;\r\n"
    '"ost; oben";102;off;0,25;["c.test"]\r\n'
)


@pytest.mark.parametrize(
    ("table", "encoding"),
    [
        (EXCEL, "utf-8"),
        (EXCEL, "utf-8-sig"),
        (f"sep=;\r\n{EXCEL}", "utf-8-sig"),
        (EXCEL.replace(";", "\t").replace("ost\t", "ost;"), "utf-16"),
        (EXCEL.replace("\r\n", "\r"), "utf-8"),
    ],
)
def test_a_table_may_come_from_a_spreadsheet_anywhere(
    authority: Authority, tmp_path: Path, table: str, encoding: str
):
    done = many(tmp_path, authority, table, encoding)
    assert done.returncode == 0, done.stderr
    south, east = (json.loads((tmp_path / "boards" / f"{n}.json").read_text()) for n in (101, 102))
    assert (south["name"], east["name"]) == ("süd, unten", "ost; oben")
    assert [board["outputs"][1]["hysteresis"] for board in (south, east)] == [1.5, 0.25]
    assert (south["outputs"][0]["safe"], south["time"]["servers"]) == ("on", ["a.test", "b.test"])


def test_a_table_in_place_of_the_answers_gets_a_hint(tmp_path: Path):
    (tmp_path / "boards.csv").write_text(EXCEL)
    done = run("--answers", tmp_path / "boards.csv")
    assert done.returncode == 2 and "--boards" in done.stderr


def test_the_column_of_a_wrong_cell_is_the_spreadsheets(authority: Authority, tmp_path: Path):
    table = "name;cloud.device_id;outputs[0].gpio;outputs[0].safe;watchdog_s\nnorth;101;16;off;3,x\n"
    done = many(tmp_path, authority, table)
    assert "boards.csv:2, column E: error: watchdog_s" in done.stderr
    assert [_letters(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_every_board_has_a_portal_password_of_its_own(authority: Authority, tmp_path: Path):
    base, boards = tmp_path / "base.json", tmp_path / "boards.csv"
    base.write_text(json.dumps(complete(tmp_path, authority) | {"wifi": {"networks": []}}))
    boards.write_text("name,cloud.device_id\nnorth,101\nsouth,102\n")
    done = run("--answers", base, "--boards", boards, "--out", tmp_path / "boards", "--portal")
    assert done.returncode == 0, done.stderr
    files = [json.loads((tmp_path / "boards" / f"{n}.json").read_text()) for n in (101, 102)]
    passwords = [file["portal"]["password"] for file in files]
    assert passwords[0] != passwords[1]
    for number, password in zip((101, 102), passwords, strict=True):
        assert f"device {number}: password of its setup portal {password}" in done.stdout


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (BOARDS.replace(",18\n", ",6\n"), "boards.csv:3, column F: error: outputs[0].gpio"),
        (BOARDS.replace("102", "101"), "boards.csv:3, column B: device_id 101 again, as in "),
        (
            BOARDS.replace("outputs[0].gpio", "outputs[7].gpio"),
            "boards.csv:2, column F: the common configuration has no place 'outputs[7].gpio'",
        ),
        (BOARDS.replace("outputs[0].gpio", "outputs[0]..gpio"), "no place"),
        (BOARDS.replace(",16\n", "\n"), "boards.csv:2: 5 cells, but the first line names 6 columns"),
        (BOARDS.replace(",16\n", ",16,17\n"), "boards.csv:2: 7 cells"),
        (BOARDS.replace("cloud.client_id", "name"), "boards.csv:1, column C: name again, as in column A"),
        (BOARDS.replace("cloud.client_id", ""), "boards.csv:1, column C: no name"),
        (BOARDS.replace("south, lower", "s\udcfcden"), "boards.csv:3: not UTF-8 text"),
        ("", "no board in it"),
        (BOARDS.replace("87654321", "short"), "wifi.networks[0].password: found ***"),
        (BOARDS.splitlines()[0] + "\n", "no board in it"),
        ('a,b\n1,"b\n', "boards.csv:2: not a table"),
    ],
)
def test_one_invalid_board_stops_all_files(authority: Authority, tmp_path: Path, table: str, words: str):
    done = many(tmp_path, authority, table)
    assert done.returncode == 1
    assert words in done.stderr and "secret-not-real" not in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "boards").exists()


def test_every_key_that_is_explained_exists():
    rules = device.rules
    for section, keys in [*ABOUT.items(), *MORE_ABOUT.items()]:
        assert set(keys) <= {line.split(" ")[0] for line in rules(section)}, section
