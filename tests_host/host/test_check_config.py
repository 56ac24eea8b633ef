"""`realer check_config FILE`: exit status, words, certificates, privacy."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests_host.support.commands import realer
from tools import boards
from tools.cli.check_config import problems_of, validate, warnings_of
from tools.cloud.certs import TestCA as CertificateMaker
from tools.sim.sim_device import demo_config, thinger_config

ROOT = Path(__file__).parents[2]
SECRET = "test-secret-not-real"
ENV = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}


def run(file: Path) -> subprocess.CompletedProcess[str]:
    return realer("check_config", file)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return Path(CertificateMaker(tmp_path_factory.mktemp("ca")).der).read_bytes()


@pytest.fixture
def device(tmp_path: Path, authority: bytes) -> Path:
    """A complete configuration with its certificate beside it, as an owner would have filled it in."""
    config = json.loads((ROOT / "config.example.json").read_text())
    config["wifi"]["networks"] = [{"ssid": "bench", "password": SECRET}]
    config["cloud"].update(
        device_id="12345", client_id="cdv_00000000000000000000000001", client_secret=SECRET
    )
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.der").write_bytes(authority)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    file.chmod(0o600)
    return file


def test_a_valid_file_prints_when_its_root_ends_and_one_line(device: Path) -> None:
    done = run(device)
    assert (done.returncode, done.stderr) == (0, "")
    checked = "checked for an ESP32, as the file names no board"
    root, *said = done.stdout.splitlines()
    assert root.startswith("certs/ca.der: Realer test CA, worthless outside tests, ends on ")
    assert said == [f"{device}: usable, 0 errors, 0 warnings; {checked}"]


def test_a_portal_without_wifi_is_pointless(device: Path) -> None:
    config = json.loads(device.read_text()) | {"portal": {"password": SECRET}}
    del config["wifi"]
    device.write_text(json.dumps(config))
    done = run(device)
    assert done.returncode == 0 and "portal never opens" in done.stdout and SECRET not in done.stdout


def test_errors_name_path_found_and_allowed(device: Path) -> None:
    config = json.loads(device.read_text())
    config["outputs"][0]["gpio"] = 6
    config["cloud"]["client_secert"] = SECRET
    device.write_text(json.dumps(config))
    done = run(device)
    assert done.returncode == 1
    for words in ("outputs[0].gpio", "found:   6", "flash chip", "client_secret?", "1 error, 1 warning"):
        assert words in done.stdout
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("item", "key", "value", "allowed"),
    [
        ("cloud", "poll_s", 2.5, "a whole number, 2..3600"),
        ("cloud", "device_id", "a/b", "1..64 letters, digits, - and _"),
        ("outputs", "active", "up", "high, low"),
        ("outputs", "pin_prot", "6", "no such key; pin_port?"),
        ("outputs", "hysteresis", 1, 'no such key without mode "setpoint"'),
        ("sensors", "scale", 1, 'no such key without kind "ldr_sensor"'),
        ("outputs", "inverted", True, 'no such key; write "active": "low"'),
        ("outputs", "active_low", True, 'no such key; write "active": "low"'),
        ("outputs", "invert", True, 'no such key; write "active": "low"'),
        ("outputs", "pin", 16, "no such key; gpio?"),
        ("outputs", "Max_On_S", 16, "no such key; max_on_s?"),
        ("sensors", "resistor", 1, "no such key; divider_ohm?"),
        ("outputs", "gpio", "16", "the number of a GPIO, without quotation marks; outputs: 0, 2, 4, 5, 12..19"),
        ("cloud", "poll_s", "10", "a whole number, 2..3600; without quotation marks"),
        ("outputs", "boot", True, 'off, on; "on", in double quotation marks'),
        ("sensors", "keep", "true", "false, true; without quotation marks"),
        ("outputs", "name", 7, "1..32 bytes of text; in double quotation marks"),
        ("cloud", "client_secret", SECRET + "\t", "it contains a tab, a line end or another control character"),
        ("cloud", "client_secret", "line\none-and-not-real", "it contains a tab, a line end or another"),
        ("cloud", "base_url", "https://api.therealer.com/iot/v1", "without a path: https://api.therealer.com"),
        ("cloud", "base_url", "api.therealer.com", "with https:// in front: https://api.therealer.com"),
        ("cloud", "base_url", "http://api.therealer.com", "with https:// in front: https://api.therealer.com"),
        ("cloud", "base_url", "https:/api.therealer.com", "with https:// in front: https://api.therealer.com"),
        ("cloud", "base_url", "mqtts://broker:8883", "the address of the API"),
        ("cloud", "base_url", "https://me:pw@host", "without user, password and query"),
        ("sensors", "kind", "barometer", "other sensors are not read"),
        ("sensors", "kind", "DHT22", "; in lower case"),
        ("outputs", "safe", "Off", "; in lower case"),
        ("cloud", "transport", "MQTT", "; in lower case"),
        ("cloud", "base_url", "HTTPS://api.therealer.com", "; in lower case"),
        ("cloud", "base_url", " https://api.therealer.com", "; it begins or ends with a space"),
        ("cloud", "device_id", "12345 ", "; it begins or ends with a space"),
        ("sensors", "beta", "3950 K", "only the number, with a decimal point, without unit and quotation marks"),
        ("outputs", "max_on_s", "5m", "only the number"),
        ("wifi", "dns", ["dns.google"], "an address, not a name"),
        ("", "board", "ESP32", "; in lower case"),
        ("cloud", "ca_files", "certs/ca.der", "a list of 1..4, in square brackets"),
        ("cloud", "weather", "nice", "no such key"),
        ("cloud", "ca_files", [], "a list of 1..4"),
        ("cloud", "ssid", "bench", "no such key; it belongs in wifi.networks[]"),
        ("cloud", "outputs", [], "no such key; it belongs at the top, beside wifi and cloud"),
        ("", "client_secret", SECRET, "no such key; it belongs in cloud"),
        ("", "relays", [], "no such key; outputs?"),
        ("outputs", "name", "Heizung im Gästezimmer ä ö ü ß", "it has 35: letters such as ä"),
        ("outputs", "schedule", [{"hour": 6, "value": "on"}], "; 1 for on, 0 for off"),
        ("sensors", "offset_c", "0x10", "in decimal and without quotation marks: 16"),
        ("buttons", "toggles", "pump", "but none with mode setpoint: 6 (pump)"),
        ("time", "zone", "Europe/Berlin", "for Europe/Berlin: CET-1CEST,M3.5.0,M10.5.0/3"),
        ("time", "zone", "berlin", "for berlin: CET-1CEST,M3.5.0,M10.5.0/3"),
        ("time", "zone", "UTC", "for UTC: UTC0"),
        ("time", "zone", "+05:30", "for that: <+05>-5:30"),
        ("cloud", "a.b", 1, "no such key"),
    ],
)  # fmt: skip
def test_allowed_values_are_described_in_words(
    device: Path, item: str, key: str, value: Any, allowed: str
) -> None:
    config = json.loads(device.read_text())
    place = config[item] if item else config
    (place[0] if isinstance(place, list) else place)[key] = value
    device.write_text(json.dumps(config))
    done = run(device)
    line = done.stdout.splitlines()[2]
    assert line.startswith("    allowed: ") and allowed in line
    assert SECRET not in done.stdout


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("wifi.ip", 'write "networks": [{…, "ip": …}]'),
        ("wifi.networks[0].static_ip", "ip?"),
        ("wifi.networks[0].subnet_mask", "netmask?"),
        ("wifi.networks[0].router", "gateway?"),
        ("wifi.networks[0].MAC", "bssid?"),
        ("wifi.networks[0].nameserver", "dns?"),
        ("wifi.powersave", "power_save?"),
    ],
)
def test_common_names_for_the_keys_of_a_network_are_understood(device: Path, path: str, meant: str) -> None:
    config = json.loads(device.read_text())
    item = config["wifi"] if path.count(".") == 1 else config["wifi"]["networks"][0]
    item[path.rpartition(".")[2]] = "192.168.1.20"
    device.write_text(json.dumps(config))
    (allowed,) = (allowed for _, where, _, allowed in problems_of(device) if where == path)
    assert allowed == f"no such key; {meant}"


def allowed_at(device: Path, path: str, config: dict[str, Any]) -> str:
    """What is said to be allowed at a path of which there is one problem."""
    device.write_text(json.dumps(config))
    (allowed,) = (allowed for _, where, _, allowed in problems_of(device) if where == path)
    return allowed


def test_a_key_that_is_missing_and_stands_there_in_another_spelling_is_named(device: Path) -> None:
    config = json.loads(device.read_text())
    config["sensors"][0]["Kind"] = config["sensors"][0].pop("kind")
    assert allowed_at(device, "sensors[0].kind", config).endswith("; the key is kind, not Kind")


def test_a_list_of_the_wrong_length_or_in_the_form_of_an_object_is_explained(device: Path) -> None:
    config = json.loads(device.read_text())
    device.write_text(json.dumps(config | {"wifi": {"networks": config["wifi"]["networks"] * 6}}))
    assert ("wifi.networks", "a list of 6") in [(path, found) for _, path, found, _ in problems_of(device)]
    outputs = {output["name"]: output for output in config["outputs"]}
    assert allowed_at(device, "outputs", config | {"outputs": outputs}).endswith("leave out the names")


def test_values_that_do_not_fit_others_are_named(device: Path) -> None:
    config = json.loads(device.read_text())
    config["time"]["zone"] = "UTC0"
    config["outputs"][1]["schedule"] = [{"hour": 6, "value": 20}, {"hour": 7, "value": 99}]
    allowed = allowed_at(device, "outputs[1].schedule", config)
    assert allowed == "values of 5.0..35.0, but that of schedule[1] is 99"
    config["outputs"][1]["schedule"] = [{"hour": 6, "value": "off"}]
    assert allowed_at(device, "outputs[1].schedule[0].value", config).endswith("; a temperature")
    del config["outputs"][1]["schedule"]
    config["sensors"].append({"kind": "sht3x", "pin_port": "20", "sda": 21, "scl": 21})
    assert allowed_at(device, "sensors[2].scl", config).endswith("not that of sensors[2], which needs two")
    config["sensors"][2] = {"kind": "ds18b20", "pin_port": "20", "gpio": 21, "address": "28-0316a2f4cdff"}
    assert "realer doctor shows" in allowed_at(device, "sensors[2].address", config)


def test_contradictory_settings_are_warnings(device: Path) -> None:
    config = json.loads(device.read_text())
    config["outputs"][0].update(min_on_s=60, max_on_s=30, safe="on", interlock="a")
    config["outputs"][1].update(step=31)
    device.write_text(json.dumps(config))
    done = run(device)
    assert done.returncode == 0
    named = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("warning:")]
    assert named == ["outputs[0].min_on_s", "outputs[0].max_on_s", "outputs[0].interlock", "outputs[1].step"]
    config["outputs"][0].update(max_on_s=60, safe="off")
    config["outputs"][1].update(step=30, interlock="a")
    device.write_text(json.dumps(config))
    assert "0 errors, 0 warnings" in run(device).stdout


def warned(device: Path, *changes: tuple[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """(path, what is allowed) of each warning; there are no errors. Changes: a section of the example -> keys of its
    items from the first on."""
    config = json.loads(device.read_text())
    for path, change in changes:
        section, _, index = path.partition(" ")
        (config[section][int(index)] if index else config[section]).update(change)
    file = device.with_name("changed.json")
    file.write_text(json.dumps(config))
    file.chmod(0o600)
    problems = problems_of(file)
    assert {level for level, *_ in problems} <= {"warning"}, problems
    return [(path, allowed) for _, path, _, allowed in problems]


@pytest.mark.parametrize(("active", "pins"), [("high", {0, 5, 14, 15}), ("low", {2, 4, 12, 13})])
def test_a_relay_on_a_pin_that_is_pulled_at_reset_may_close(
    device: Path, active: str, pins: set[int]
) -> None:
    found = set()
    for gpio in (0, 2, 4, 5, *range(12, 16), 18, 19, 21, 22, 23, 25, 26, 32, 33):
        warnings = warned(
            device, ("outputs 0", {"gpio": gpio, "active": active}), ("led", {"gpio": 18 + (gpio == 18)})
        )
        found |= {gpio for path, allowed in warnings if path == "outputs[0].gpio" and "at reset" in allowed}
    assert found == pins


def test_strapping_pins_are_warned_of_on_any_output_or_button(device: Path) -> None:
    for section in ("outputs 1", "buttons 0"):
        for gpio in (0, 5, 12, 15):
            (first, *_) = warned(device, (section, {"gpio": gpio}))
            assert "strapping" in first[1] and first[0].endswith("gpio")


@pytest.mark.parametrize(("rest", "expected"), [(0, True), (1, True), (29, True), (30, False), (None, False)])
def test_a_thermostat_that_may_switch_all_the_time_is_warned_of(
    device: Path, rest: int | None, expected: bool
) -> None:
    assert bool(warned(device, ("outputs 1", {"min_off_s": rest}))) is expected
    assert warned(device, ("outputs 0", {"min_off_s": 0})) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"sensor": "15"}, "outputs[1].sensor"),
        ({"safe": "on"}, "outputs[1].safe"),
        ({"boot": "on"}, "outputs[1].boot"),
        ({"min": 41, "max": 95, "safe": "off"}, "outputs[1].max"),
        ({"min": 60, "max": 80, "safe": "off"}, "outputs[1].max"),
        ({"min": 34, "max": 40, "safe": "off", "action": "cool"}, "outputs[1].max"),
        ({"max": 81}, "outputs[1].max"),
        ({"min": -11}, "outputs[1].min"),
        ({"min": 40, "max": 60, "safe": "off"}, None),
        ({"min": 2, "max": 8, "safe": "on", "action": "cool"}, None),
        ({"safe": "hold"}, None),
    ],
)
def test_warns_of_contradictory_thermostat_settings(
    device: Path, change: dict[str, Any], path: str | None
) -> None:
    assert [found for found, _ in warned(device, ("outputs 1", change))] == ([path] if path else [])


def test_a_switch_that_heats_and_never_ends_is_warned_of(device: Path) -> None:
    for name, expected in (("Heater", 1), ("boiler room", 1), ("door lock", 0)):
        assert len(warned(device, ("outputs 0", {"name": name, "safe": "on"}))) == expected
    assert [
        path for path, _ in warned(device, ("outputs 0", {"name": "Heater", "safe": "on", "max_on_s": 60}))
    ] == ["outputs[0].max_on_s"]


@pytest.mark.parametrize(
    ("chip", "count", "frequencies", "warnings"),
    [("esp32", 14, 8, 0), ("esp32", 14, 9, 1), ("esp32c3", 6, 4, 0), ("esp32c3", 7, 4, 1), ("esp32c3", 7, 5, 2),
     ("esp32s3", 8, 1, 0), ("esp32s3", 9, 1, 1)],
)  # fmt: skip
def test_more_dimmers_than_the_chip_has_channels_for_are_warned_of(
    device: Path, chip: str, count: int, frequencies: int, warnings: int
) -> None:
    pins = sorted(boards.chips()[chip].gpios("outputs"))[:count]
    config = json.loads(device.read_text()) | {"board": chip, "sensors": [], "buttons": [], "led": None}
    config["outputs"] = [
        {"pin_port": str(n), "gpio": gpio, "mode": "pwm", "frequency": 1000 + n % frequencies}
        for n, gpio in enumerate(pins)
    ]
    device.write_text(json.dumps(config))
    problems = [problem for problem in problems_of(device) if problem[1] == "outputs"]
    assert [level for level, *_ in problems] == ["warning"] * warnings


@pytest.mark.parametrize(
    ("cloud", "silence_s", "least"),
    [
        ({}, 300, None),
        ({}, 0, None),
        ({}, 60, None),
        ({}, 59, "60 or more"),
        ({"transport": "mqtt"}, 30, "60 or more"),
        ({"transport": "mqtt", "poll_s": 600}, 300, None),
        ({"poll_s": 600}, 300, "1800 or more"),
        ({"transport": "auto", "poll_s": 120}, 300, "360 or more"),
    ],
)
def test_a_silence_shorter_than_two_requests_is_warned_of(
    device: Path, cloud: dict[str, Any], silence_s: int, least: str | None
) -> None:
    found = warned(device, ("cloud", cloud), ("safety", {"silence_s": silence_s}))
    assert [path for path, _ in found] == (["safety.silence_s"] if least else [])
    assert not least or found[0][1].startswith(least)


@pytest.mark.parametrize(
    ("section", "change", "path", "allowed"),
    [
        ("outputs 1", {"name": "pump"}, "outputs[1].name", "could not tell it from outputs[0]"),
        ("time", {"zone": "UTC+1"}, "time.zone", "<+01>-1, if it is 1 h ahead of UTC"),
        ("wifi", {"networks": [{"ssid": "bench "}]}, "wifi.networks[0].ssid", "the same without it"),
        ("wifi", {"networks": [{"ssid": "b\u200bench"}]}, "wifi.networks[0].ssid", "the same without it"),
        ("outputs 0", {"pin_port": "7\u200b"}, "outputs[0].pin_port", "the same without it"),
        ("cloud", {"client_secret": "********"}, "cloud.client_secret", "your own value"),
        ("cloud", {"client_secret": "YOUR_SECRET_HERE"}, "cloud.client_secret", "your own value"),
        ("cloud", {"client_secret": "<client_secret>"}, "cloud.client_secret", "your own value"),
        ("cloud", {"client_secret": "\u2022" * 12}, "cloud.client_secret", "your own value"),
    ],
)
def test_what_looks_right_and_is_not_is_warned_of(
    device: Path, section: str, change: dict[str, Any], path: str, allowed: str
) -> None:
    config = json.loads(device.read_text())
    device.write_text(json.dumps(config | {"buttons": []}))
    ((where, what),) = warned(device, (section, change))
    assert where == path and allowed in what


def test_of_two_entries_of_a_schedule_at_one_time_the_first_is_warned_of(device: Path) -> None:
    entries = [{"hour": 6, "value": 1}, {"hour": 7, "value": 0}, {"hour": 6, "minute": 0, "value": 0}]
    ((path, allowed),) = warned(device, ("time", {"zone": "UTC0"}), ("outputs 0", {"schedule": entries}))
    assert path == "outputs[0].schedule[0]" and "schedule[2] takes its place" in allowed


@pytest.mark.parametrize("missing", ["wifi", "Wifi", "outputs"])
def test_a_device_without_a_network_or_without_anything_to_do_is_warned_of(
    device: Path, missing: str
) -> None:
    config = json.loads(device.read_text())
    if missing == "outputs":
        config.update(outputs=[], sensors=[], buttons=[])
    else:
        wifi = config.pop("wifi")
        config |= {missing: wifi} if missing == "Wifi" else {}
    device.write_text(json.dumps(config))
    done = run(device)
    assert done.returncode == 0 and f"warning: {missing.lower()}\n" in done.stdout


def test_a_blank_around_a_secret_is_warned_of_and_not_shown(device: Path) -> None:
    ((path, allowed),) = warned(device, ("cloud", {"client_secret": SECRET + " "}))
    assert path == "cloud.client_secret" and SECRET not in allowed


def test_a_file_with_an_editors_mark_is_usable(device: Path) -> None:
    device.write_bytes(b"\xef\xbb\xbf" + device.read_bytes())
    assert "usable, 0 errors, 0 warnings" in run(device).stdout


def test_a_key_that_is_there_twice_is_an_error_at_any_depth(device: Path) -> None:
    text = device.read_text()
    for old, path in (
        ('"version": 1', "version"),
        ('"gpio": 16', "outputs[0].gpio"),
        ('"silence_s": 300', "safety.silence_s"),
    ):
        assert text.count(old) == 1
        device.write_text(text.replace(old, f"{old}, {old}"))
        done = run(device)
        assert done.returncode == 1 and f"error: {path}\n" in done.stdout and "twice" in done.stdout


def test_one_wrong_kind_is_one_error(device: Path) -> None:
    config = json.loads(device.read_text())
    config["sensors"][0]["kind"] = "barometer"
    config["sensors"][0]["gpio"] = 4
    device.write_text(json.dumps(config))
    assert run(device).stdout.count("error:") == 1


def test_pins_that_are_offered_are_taken(device: Path) -> None:
    """Whoever follows the words comes to an end."""
    for section in ("outputs", "led", "buttons"):
        config = json.loads(device.read_text())
        item = config[section] if section == "led" else config[section][0]
        item["gpio"] = 6
        (found,) = [allowed for level, _, _, allowed in validate(config)[1] if level == "error"]
        offered = re.findall(r"\d+(?:\.\.\d+)?", found.rpartition("; ")[2])
        for text in offered:
            low, _, high = text.partition("..")
            for gpio in range(int(low), int(high or low) + 1):
                item.update({"gpio": gpio} | ({"pull": "none"} if section == "buttons" else {}))
                problems = [problem for problem in validate(config)[1] if problem[0] == "error"]
                assert all("one of its own" in problem[3] for problem in problems), (section, gpio, problems)


def test_the_untouched_example_reports_missing_values(tmp_path: Path) -> None:
    done = run(ROOT / "config.example.json")
    assert done.returncode == 1
    assert done.stdout.count("placeholder") == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n  "version": 1,\n}', "comma"),
        ('{\n  "version": 1 // one\n}', "comments"),
        ('{\n  "version" 1}', ":2:"),
        ('{\n  "name": "a"\n  "version": 1}', ":3:3: not valid JSON: a comma is missing"),
        ("{'version': 1}", "not single ones"),
        ("{\"name\": 'pump'}", "not single ones"),
        ('{"name": \u201cpump\u201d}', "typographic"),
        ("{\u201cname\u201d: 1}", "typographic"),
        ('{"name": "pump\u201d,\n"version": 1}', "typographic"),
        ('{"portal": None}', "JSON has null"),
        ('{"portal": undefined}', "JSON has null"),
        ('{"keep": yes}', "JSON has true"),
        ("{keep: true}", "keys and texts need double quotation marks"),
        ('{"boot": on}', "keys and texts need double quotation marks"),
        ("version: 1\nname: bench\n", "keys and texts need double quotation marks"),
        ('{"divider_ohm": 10k}', "no unit"),
        ('{"period_s": 5 s}', "no unit"),
        ('{"min": .5}', "digits only"),
        ('{"min": 0x10}', "numbers are decimal, such as 16 for 0x10"),
        ('{"min": 04}', "a leading zero: write 4 for 04"),
        ('{"max_on_s": 1,000}', "1000 for 1,000"),
        ('{"min": -Infinity}', "JSON has no such number"),
        ('{"min": NaN}', "JSON has no such number"),
        ('{"min": \u22125}', "a minus sign is -"),
        ('{"device_id": <your id>}', "need double quotation marks"),
        ('{"version": 1, -- one\n}', "comments"),
        ('{"password": "a\\d"}', "a backslash in a text is written twice"),
        ('{"name": "the "big" pump"}', 'Within a text it is written \\"'),
        ('{"name: "pump"}', "is a quotation mark missing"),
        ('{"version": 1,, "name": "a"}', "one comma too many"),
        (
            '{"a": {\n"b": [1}}',
            ":2:8: not valid JSON: a comma is missing here: the [ of line 2 is still open",
        ),
        (
            '{"outputs": [\n{"gpio": 4,\n{"gpio": 5}]}',
            ":3:1: not valid JSON: a key in double quotes is missing here: the { of line 2",
        ),
        ('{"version": 1}}', "one closing bracket too many"),
        (
            '{"version": 1}\n{"version": 1}',
            ":2:1: not valid JSON: text after the end: the file may hold one object only",
        ),
        ('{"name": "pum', "or was the file cut off?"),
        ('{"min": 1,5}', "a decimal point"),
        ('{"name" 1}', "a colon is missing here\n"),
        ('{"name" = 1}', "a colon stands between"),
        ('{"name": 1; "version": 1}', "a comma stands between"),
        ('{"name":\u00a0"pump"}', "an invisible character (U+00A0)"),
        ('{"version": 1}\u200b', "an invisible character (U+200B)"),
        ('{"name": `pump`}', "use straight double ones"),
        ("<html>", "this is a web page"),
        ('{"keep": True}', "JSON has true"),
        ('{"keep": False}', "JSON has false"),
        ('{"name": "a\tb"}', "a tab"),
        ('{"name": "a\n"}', "a line ends within a text"),
        ('{"secret": "test-secret-not-real\n"}', "a line ends within a text"),
        ("", ":1:1: not valid JSON: the file ends too early: it is empty\n"),
        (
            '{"a": {"b": "}",\n"c": 1}',
            ":2:8: not valid JSON: the file ends too early: the { of line 1 is still open",
        ),
        ("[" * 100_000, "JSON"),
        ("9" * 5_000, "JSON"),
    ],
)
def test_a_syntax_error_is_located(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    done = run(file)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr and "Traceback" not in done.stderr and SECRET not in done.stderr


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin1.json").write_bytes(b'{"name": "caf\xe9"}')
    (tmp_path / "utf16.json").write_bytes('{\n"name": "a"}'.encode("utf-16-le"))
    (tmp_path / "cut.json").write_bytes(b'{\n"name": "a"}' + bytes(512))
    for name, words in (
        ("absent.json", "No such file or directory\nWrite one with realer config."),
        ("latin1.json", "latin1.json:1:14: not UTF-8 text; save the file as UTF-8"),
        ("utf16.json", "utf16.json:1:2: a zero byte, as in UTF-16; save the file as UTF-8 text"),
        ("cut.json", "cut.json:2:13: a zero byte"),
        (".", "Is a directory"),
    ):
        done = run(tmp_path / name)
        assert done.returncode == 2
        assert words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "line",
    ["deploy --config", "board --config", "ca --config", "config --answers", "bundle 7 --out x --config"],
)
def test_other_commands_say_the_same_of_a_file_and_what_to_do(tmp_path: Path, line: str) -> None:
    for name, content, do in (
        ("absent.json", None, "Write one with realer config."),
        ("comma.json", "{,}", "Correct it in an editor, and check it again: realer check_config"),
        ("folder.json", ..., "Name a file."),
        ("list.json", "[]", ""),
    ):
        file = tmp_path / name
        if content is ...:
            file.mkdir()
        elif content is not None:
            file.write_text(content)
        port = ["--port", "socket://127.0.0.1:9"] if line.startswith("deploy") else []
        done = realer(*line.split(), file, *port)
        assert done.returncode == 1 and str(file) in done.stderr and do in done.stderr


def test_certificates_that_the_device_could_not_use(device: Path, authority: bytes) -> None:
    file = device.parent / "certs" / "ca.der"
    for content, words in ((b"-----BEGIN CERTIFICATE-----\n", "openssl x509"), (authority[:-1], "DER")):
        file.write_bytes(content)
        done = run(device)
        assert done.returncode == 1
        assert "cloud.ca_files[0]" in done.stdout and words in done.stdout
    file.unlink()
    assert "No such file" in run(device).stdout


def test_a_file_that_others_can_read_is_a_warning(device: Path) -> None:
    device.chmod(0o644)
    done = run(device)
    assert done.returncode == 0
    assert "chmod 600" in done.stdout and "0 errors, 1 warning" in done.stdout


def test_colour_only_on_a_terminal(device: Path) -> None:
    assert "\033" not in run(device).stdout
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "tools", "check_config", str(device)]
    subprocess.run(command, cwd=ROOT, env=ENV, stdout=follower, check=True)
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert "\033[32m" in shown and "usable" in shown


@pytest.mark.parametrize(
    ("api", "more", "warned"),
    [("realer", {}, True), ("realer", {"cloud_kind": "thermistor"}, False), ("thinger", {}, False)],
)
def test_a_sensor_that_the_cloud_cannot_know_is_said_to_stay_local(api, more, warned):
    sensor = {"kind": "digital", "gpio": 27, "pin_port": "70"} | more
    raw = demo_config() if api == "realer" else thinger_config()
    raw["sensors"], raw["buttons"], raw["outputs"] = [sensor], [], []
    config, problems = validate(raw)
    assert not [problem for problem in problems if problem[0] == "error"]
    found = [problem[1] for problem in warnings_of(config, boards.of(raw))]
    assert found == (["sensors[0].kind"] if warned else [])
