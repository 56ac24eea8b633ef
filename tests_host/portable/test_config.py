"""The check of the configuration: what is refused, in which words, and that no secret ever shows."""

import json

from firmware.core.config import render
from tests_host.support.checking import validate

SECRET = "test-secret-not-real"


def good():
    """A small configuration that is right in every part."""
    return {
        "wifi": {"networks": [{"ssid": "bench", "password": SECRET}]},
        "cloud": {
            "device_id": 12345,
            "client_id": "cdv_00000000000000000000000001",
            "client_secret": SECRET,
            "ca_files": ["certs/ca.der"],
        },
        "outputs": [
            {"pin_port": "6", "gpio": 16},
            {
                "pin_port": "9",
                "gpio": 17,
                "mode": "setpoint",
                "sensor": "14",
                "min": 5,
                "max": 35,
                "step": 0.5,
                "safe": 8,
            },
        ],
        "sensors": [
            {"pin_port": "14", "kind": "thermistor", "gpio": 34},
            {"pin_port": "15", "kind": "ldr_sensor", "gpio": 35},
        ],
        "buttons": [{"gpio": 27, "toggles": "6"}],
        "led": {"gpio": 2},
    }


def at(raw, path, value):
    """Set `value` at a path such as ("outputs", 0, "gpio"), or delete there when it is `...`."""
    spot = raw
    for step in path[:-1]:
        spot = spot[step]
    if value is ...:
        del spot[path[-1]]
    else:
        spot[path[-1]] = value
    return raw


def problems(*changes):
    raw = good()
    for path, value in changes:
        at(raw, path, value)
    return validate(raw)[1]


def paths(level, found):
    return [p[1] for p in found if p[0] == level]


def test_defaults_are_filled_in():
    config, found = validate(good())
    assert found == []
    assert config["version"] == 1
    assert config["name"] == "device"
    assert config["wifi"]["hostname"] == "realer-device" and config["wifi"]["dns"] == []
    assert config["time"] == {"servers": ["pool.ntp.org", "time.cloudflare.com"]}
    assert config["cloud"]["base_url"] == "https://api.therealer.com"
    assert config["cloud"]["device_id"] == "12345"
    assert config["cloud"]["poll_s"] == 10
    assert config["outputs"][0]["active"] == "high" and config["outputs"][0]["safe"] == "off"
    assert config["outputs"][0]["interlock"] is None
    assert config["outputs"][1]["safe"] == 8.0 and config["outputs"][1]["hysteresis"] == 0.5
    assert "hysteresis" not in config["outputs"][0]
    assert config["sensors"][0]["beta"] == 3950.0 and config["sensors"][0]["steinhart"] is None
    assert config["sensors"][1]["exponent"] == -1.405 and "beta" not in config["sensors"][1]
    assert config["buttons"][0]["pull"] == "up" and config["led"]["active"] == "high"
    assert config["safety"] == {"silence_s": 300}
    assert config["watchdog_s"] == 60 and config["log"] == {"level": "info"}


def network(**keys):
    raw = good()
    raw["wifi"]["networks"][0].update(keys)
    config, found = validate(raw)
    return config and config.get("wifi"), [(level, path) for level, path, _, _ in found]


def test_optional_keys_of_a_network():
    plain = validate(good())[0]["wifi"]
    assert plain["country"] is None and plain["power_save"] is None
    first = plain["networks"][0]
    assert [first[key] for key in ("bssid", "ip", "gateway", "dns")] == [None] * 4
    wifi, found = network(bssid="24:0A:C4:00:00:0f", ip="192.168.1.5", gateway="192.168.1.1", dns="9.9.9.9")
    assert found == [] and wifi["networks"][0]["netmask"] == "255.255.255.0"
    assert wifi["networks"][0]["bssid"] == "24:0a:c4:00:00:0f"
    raw = good()
    raw["wifi"].update({"country": "DE", "power_save": True})
    assert validate(raw)[1] == []


def test_fixed_addresses_fit_together():
    at = "wifi.networks[0]."
    for keys, wrong in (
        ({"ip": "192.168.1.5"}, "gateway"),
        ({"ip": "192.168.1.5", "gateway": "192.168.2.1"}, "gateway"),
        ({"ip": "192.168.1.5", "gateway": "192.168.1.5"}, "gateway"),
        ({"ip": "192.168.1.0", "gateway": "192.168.1.1"}, "ip"),
        ({"ip": "192.168.1.255", "gateway": "192.168.1.1"}, "ip"),
        ({"ip": "127.0.0.5", "gateway": "127.0.0.1"}, "ip"),
        ({"ip": "224.0.0.5", "gateway": "224.0.0.1"}, "ip"),
        ({"ip": "10.0.0.5", "gateway": "10.0.0.1", "netmask": "255.0.255.0"}, "netmask"),
        ({"ip": "10.0.0.5", "gateway": "10.0.0.1", "netmask": "255.255.255.255"}, "netmask"),
        ({"ip": "10.0.0.5", "gateway": "10.0.0.1", "netmask": "0.0.0.0"}, "netmask"),
    ):
        assert network(**keys)[1] == [("error", at + wrong)], keys
    for keys in (
        {"ip": "10.0.0.255", "gateway": "10.0.1.1", "netmask": "255.255.0.0"},
        {"ip": "10.200.0.5", "gateway": "10.0.0.1", "netmask": "255.0.0.0"},
        {"ip": "192.168.1.5", "gateway": "192.168.1.6", "netmask": "255.255.255.252"},
    ):
        assert network(**keys)[1] == [], keys
    assert network(gateway="192.168.1.1", dns="9.9.9.9")[1] == [
        ("warning", at + "gateway"),
        ("warning", at + "dns"),
    ]


def test_defaults_are_not_shared_between_two_configurations():
    first = validate(good())[0]
    first["wifi"]["dns"].append("1.1.1.1")
    first["time"]["servers"].append("other")
    second = validate(good())[0]
    assert second["wifi"]["dns"] == [] and len(second["time"]["servers"]) == 2


def test_the_smallest_configuration():
    config, found = validate({"cloud": good()["cloud"]})
    assert found == []
    assert config["wifi"] is None and config["led"] is None
    assert config["outputs"] == [] and config["sensors"] == [] and config["buttons"] == []


def test_the_example_is_valid_except_for_its_placeholders():
    with open(__file__.replace("\\", "/").rpartition("/")[0] + "/../../config.example.json") as f:
        raw = json.loads(f.read())
    found = validate(raw)[1]
    assert sorted(paths("error", found)) == [
        "cloud.client_id",
        "cloud.client_secret",
        "cloud.device_id",
        "wifi.networks[0].password",
        "wifi.networks[0].ssid",
    ]
    assert paths("warning", found) == []
    for problem in found:
        assert "placeholder" in problem[3]
    raw["wifi"] = good()["wifi"]
    raw["cloud"] = good()["cloud"]
    assert validate(raw)[1] == []


REFUSED = {
    "version": [2],
    "name": ["", "two\nlines", "\x1b[31mred", 7, "x" * 33],
    "wifi": [[]],
    "wifi.networks": [..., []],
    "wifi.networks.0.ssid": ["a name of more than 32 bytes, as öäü"],
    "wifi.networks.0.password": ["short"],
    "wifi.hostname": ["a device"],
    "wifi.country": ["de", "D1", "DEU"],
    "wifi.power_save": ["auto", 1],
    "wifi.networks.0.bssid": [
        "24:0a:c4:00:00",
        "24-0a-c4-00-00-01",
        "24:0a:c4:00:00:0g",
        "24:0a:c4:00:00:zz",
        "240:a:c4:00:00:01",
    ],
    "wifi.networks.0.ip": ["192.168.1", "192.168.1.5:80"],
    "wifi.dns": [["dns.example"], ["1.2.3.256"], ["1.2.3."], ["1.2.3.4:0"], "1.2.3.4"],
    "time": [{"servers": []}, {"servers": ["a b"]}, {"servers": ["host:70000"]}],
    "cloud.api": ["other"],
    "cloud.transport": ["http"],
    "cloud.base_url": [
        "https://api.therealer.com.",
        "https://api..therealer.com",
        "https://.",
        "http://api.therealer.com",
        "api.therealer.com",
        "https://",
        "https://api.therealer.com/iot/v1",
        "https://api.therealer.com?x=1",
        "https://api.therealer.com:",
        "https://user@api.therealer.com",
    ],
    "cloud.device_id": [..., "12/345", -1, True],
    "cloud.client_id": ["a:b"],
    "cloud.client_secret": ["", "REPLACE-ME", None],
    "cloud.ca_files": [[], [""]],
    "cloud.poll_s": [1, 3601, "10", True, 2.5, float("nan"), float("inf")],
    "outputs": [{}],
    "outputs.0": [6],
    "outputs.0.pin_port": [...],
    "outputs.0.gpio": [..., "16", False],
    "outputs.0.active": ["up", ["high"]],
    "outputs.0.boot": [True],
    "outputs.0.safe": ["maybe", 8],
    "outputs.0.max_on_s": [345601],
    "outputs.0.min_off_s": [-1],
    "outputs.1.mode": ["thermostat"],
    "outputs.1.sensor": ["99", ...],
    "outputs.1.min": [..., 35, float("-inf")],
    "outputs.1.hysteresis": [0],
    "outputs.1.safe": [36, True],
    "sensors.0.kind": ["barometer", ...],
    "sensors.0.samples": [0],
    "sensors.0.divider_ohm": [0],
    "sensors.0.steinhart": [[0.001, 0.0002], [0.001, 0.0002, "x"]],
    "sensors.1.exponent": [1.4],
    "sensors.1.min": [200000],
    "buttons.0.toggles": ["9", "77"],
    "led": [True],
    "watchdog_s": [9, 601],
    "log": [{"level": "trace"}],
}
"""Where, as keys and places in lists -> what may not stand there; `...`: nothing at all."""


def test_each_error_has_its_path():
    for keys, values in REFUSED.items():
        path = [int(key) if key.isdigit() else key for key in keys.split(".")]
        where = "".join("[%d]" % key if isinstance(key, int) else "." + key for key in path)[1:]
        for value in values:
            found = problems((path, value))
            named = [p for p in paths("error", found) if p.startswith(where)]
            if isinstance(value, (dict, list)):
                assert len(named) == 1, (keys, value, found)
            else:
                assert named == [where], (keys, value, found)


def test_with_an_error_the_configuration_has_no_outputs():
    config, _ = validate(at(good(), ("outputs", 0, "gpio"), 6))
    assert config == {"led": {"gpio": 2, "active": "high"}, "portal": None}
    for gpio in (17, 34, None):
        config, _ = validate(at(at(good(), ("outputs", 0, "gpio"), 6), ("led", "gpio"), gpio))
        assert config == {"led": None, "portal": None}
    first = at(at(good(), ("wifi", "networks"), []), ("portal",), {"password": "test-password-not-real"})
    config, found = validate(first)
    assert paths("error", found) == ["wifi.networks"]
    assert config["portal"]["password"].reveal() == "test-password-not-real"
    assert (config["portal"]["minutes"], config["portal"]["wait_s"]) == (10, 60)
    for password in ("7-chars", "x" * 64, None):
        config, found = validate(at(first, ("portal", "password"), password))
        assert config["portal"] is None and "portal.password" in paths("error", found)


def test_values_of_unexpected_types_are_errors():
    whole = (None, True, 3, "text", [], [{}], {}, {"cloud": {"cloud": {}}}, {"outputs": [None, [], {}]})
    for raw in whole + ({"outputs": [{"min": 1}, {"safe": 8, "max": 3}, {"interlock": "a", "boot": "on"}]},):
        config, found = validate(raw)
        assert paths("error", found)
        assert config["led"] is None
    assert paths("error", validate([])[1]) == ["the whole file"]


def test_a_garbled_file_does_not_fill_the_heap_and_is_still_an_error():
    raw = good()
    for i in range(100):
        raw["junk%d" % i] = i
    raw["watchdog_s"] = 5
    config, found = validate(raw)
    assert len(found) == 40
    assert "outputs" not in config


def test_null_is_the_same_as_leaving_a_key_out():
    config, found = validate(at(at(good(), ("cloud", "poll_s"), None), ("outputs", 0, "safe"), None))
    assert found == []
    assert config["cloud"]["poll_s"] == 10 and config["outputs"][0]["safe"] == "off"
    found = problems((("cloud",), None))
    assert paths("error", found) == [
        "cloud." + key for key in ("ca_files", "device_id", "client_id", "client_secret")
    ]


def test_whole_numbers_may_be_written_as_5_0():
    config, found = validate(at(good(), ("cloud", "poll_s"), 5.0))
    assert found == []
    assert config["cloud"]["poll_s"] == 5 and "%s" % config["cloud"]["poll_s"] == "5"


def test_ports_written_as_numbers_become_text():
    config, found = validate(at(at(good(), ("outputs", 0, "pin_port"), 6), ("buttons", 0, "toggles"), 6))
    assert found == []
    assert config["outputs"][0]["pin_port"] == "6" == config["buttons"][0]["toggles"]


def test_one_slash_after_the_host_is_forgiven():
    config, found = validate(at(good(), ("cloud", "base_url"), "https://api.realer.test:8443/"))
    assert found == []
    assert config["cloud"]["base_url"] == "https://api.realer.test:8443"


def test_http_without_tls_is_refused_with_the_reason():
    (problem,) = problems((("cloud", "base_url"), "http://api.therealer.com"))
    assert problem[1] == "cloud.base_url" and "the secret" in problem[3]


def test_the_documentations_own_ports_are_traps():
    """Realer API, example device: ports 6 and 9 are flash pins, 14 and 15 ADC2."""
    found = problems(
        (("outputs", 0, "gpio"), 6),
        (("outputs", 1, "gpio"), 9),
        (("sensors", 0, "gpio"), 14),
        (("sensors", 1, "gpio"), 15),
    )
    assert sorted(paths("error", found)) == [
        "outputs[0].gpio",
        "outputs[1].gpio",
        "sensors[0].gpio",
        "sensors[1].gpio",
    ]
    for problem in found:
        assert problem[3].endswith("(ESP32 %s)" % ("outputs" if problem[1] < "p" else "analog"))


def test_pins_and_ports_used_twice():
    for path, value, other in (
        (("outputs", 1, "gpio"), 16, "outputs[0]"),
        (("buttons", 0, "gpio"), 17, "outputs[1]"),
        (("led", "gpio"), 27, "buttons[0]"),
        (("sensors", 1, "gpio"), 34, "sensors[0]"),
        (("outputs", 1, "pin_port"), "6", "outputs[0]"),
        (("sensors", 1, "pin_port"), "14", "sensors[0]"),
    ):
        found = [p for p in problems((path, value)) if p[0] == "error" and p[3].endswith(other)]
        assert len(found) == 1, (path, value)
    # Commands and sensors are numbered apart by the cloud.
    assert problems((("outputs", 0, "pin_port"), "15"), (("buttons", 0, "toggles"), "15")) == []


def test_an_error_inside_of_a_list_is_named_by_its_place():
    for path, value, where in (
        (("wifi", "dns"), ["1.2.3.4", "dns.example"], "wifi.dns[1]"),
        (("cloud", "ca_files"), ["a.der", "", "c.der"], "cloud.ca_files[1]"),
        (("sensors", 0, "steinhart"), [0.001, 0.0002, "x"], "sensors[0].steinhart[2]"),
    ):
        assert paths("error", problems((path, value))) == [where]


def test_pointless_but_harmless_settings_are_accepted():
    """The relay's limits hold in any order, and a step too large only refuses. The check on the host mentions them."""
    assert problems((("outputs", 0, "min_on_s"), 60), (("outputs", 0, "max_on_s"), 30)) == []
    assert problems((("outputs", 0, "max_on_s"), 30), (("outputs", 0, "safe"), "on")) == []
    assert problems((("outputs", 0, "interlock"), "a")) == []
    assert problems((("outputs", 1, "step"), 31)) == []


def test_interlocks():
    both = ((("outputs", 0, "interlock"), "outputs"), (("outputs", 1, "interlock"), "outputs"))
    assert problems(*both) == []
    for key in ("safe", "boot"):
        on = ((("outputs", 0, key), "on"), (("outputs", 1, key), "on"))
        (problem,) = problems(*(both + on))
        assert problem[:3] == ("error", "outputs[1]." + key, '"on"') and problem[3].endswith("outputs[0]")
        assert problems(*(both + on[:1])) == []
        assert problems(*on) == []
        assert problems(*(both[:1] + on)) == []
    # Every word or number but "on" may be everybody's.
    assert problems(*(both + ((("outputs", 0, "safe"), "hold"), (("outputs", 1, "safe"), "hold")))) == []


def test_the_watchdog_may_be_off():
    assert problems((("watchdog_s",), 0)) == []


def test_unknown_keys_are_warnings_and_errors_where_a_limit_would_be_lost():
    raw = good()
    raw["cloud"]["client_secert"] = SECRET
    raw["weather"] = "nice"
    raw["led"]["colour"] = "red"
    found = validate(raw)[1]
    assert paths("error", found) == []
    assert sorted(paths("warning", found)) == ["cloud.client_secert", "led.colour", "weather"]
    for section, key in (
        ("outputs", "hysteresis"),
        ("outputs", "max_on"),
        ("outputs", "inverted"),
        ("sensors", "ofset_c"),
        ("buttons", "toggle"),
    ):
        raw = good()
        raw[section][0][key] = 1
        config, found = validate(raw)
        assert paths("error", found) == ["%s[0].%s" % (section, key)] and "outputs" not in config


def test_references_to_an_output_of_an_invalid_mode_are_not_reported_too():
    (problem,) = problems((("outputs", 0, "mode"), "relay"))
    assert problem[1] == "outputs[0].mode"


def test_keys_of_an_invalid_mode_are_not_reported_as_well():
    for path, value in (
        (("sensors", 0), {"kind": "bmp180", "pin_port": "14", "gpio": 4, "beta": 3950, "r25_ohm": 1, "offset_c": 99}),
        (("sensors", 0), {"pin_port": "14", "gpio": 34, "beta": 3950}),
        (("outputs", 1), {"pin_port": "9", "gpio": 17, "mode": "thermostat", "sensor": "14", "min": 5, "max": 35}),
        (("cloud", "api"), "mqtt"),
    ):  # fmt: skip
        found = problems((path, value))
        assert len(found) == 1 and found[0][0] == "error", found
        assert found[0][1].endswith(("kind", "mode", "api")[("sensors", "outputs", "cloud").index(path[0])])


def test_only_a_secret_is_hidden_behind_stars():
    for path, value, found in (
        (
            ("name",),
            "is it a pump? or me@home, who could ever tell",
            '"is it a pump? or me@home, who could eve',
        ),
        (("cloud", "client_id"), "a b", "a text, not shown"),
        (("outputs",), "none", "a text, not shown"),
        (("wifi",), True, "true"),
        (("sensors", 0), 7, "a number, not shown"),
        (("weather",), 7, "a number, not shown"),
        (("cloud", "client_secret"), "short", "***"),
        (("cloud", "client_secret"), "REPLACE-ME", '"REPLACE-ME"'),
        (("cloud", "base_url"), "https://me:pw@host", "***"),
        (("outputs", 0, "gpio"), "16", '"16"'),
    ):
        assert problems((path, value))[0][2] == found, (path, value)


def test_a_wifi_password_of_64_characters_is_a_key_in_hexadecimal_digits():
    for password in ("0123456789abcdefABCDEF0123456789" * 2, "x" * 63, "12345678"):
        assert problems((("wifi", "networks", 0, "password"), password)) == []
    for password in ("x" * 64, "0123456789abcdefABCDEF012345678g" * 2, "ü" * 32, "x" * 65):
        (problem,) = problems((("wifi", "networks", 0, "password"), password))
        assert problem[:3] == ("error", "wifi.networks[0].password", "***")


def test_pins_that_are_inputs_only_are_not_offered_for_outputs():
    for section, gpio in (("outputs", 6), ("outputs", 34), ("outputs", 39)):
        (problem,) = problems(((section, 0, "gpio"), gpio))
        assert "..39" not in problem[3].split("(")[0] and "ESP32 outputs" in problem[3]
    (problem,) = problems((("led", "gpio"), 35))
    assert problem[1] == "led.gpio" and "ESP32 outputs" in problem[3]
    button = {"gpio": 36, "toggles": "6"}
    (problem,) = problems((("buttons", 0), button))
    assert problem[1] == "buttons[0].gpio" and '"none"' in problem[3]
    assert problems((("buttons", 0), dict(button, pull="none"))) == []


def test_a_thermostat_has_min_off_s_of_a_minute_by_default():
    config, _ = validate(good())
    assert [output["min_off_s"] for output in config["outputs"]] == [0, 60]
    config, found = validate(at(good(), ("outputs", 1, "min_off_s"), 0))
    assert config["outputs"][1]["min_off_s"] == 0 and not found


def test_updates_have_a_port_of_their_own():
    update = {"pin_port": "6", "url": "https://updates.example.org", "key": SECRET}
    (problem,) = problems((("update",), update))
    assert problem[:2] == ("error", "update.pin_port") and problem[3].endswith("outputs[0]")
    assert problems((("update",), dict(update, pin_port="14"))) == []


def test_a_secret_never_shows():
    tries = (
        (("cloud", "client_secret"), SECRET + "\n"),
        (("cloud", "client_secret"), 1234567890),
        (("cloud", "client_secert"), SECRET),
        (("cloud", "client_id"), SECRET + "/"),
        (("cloud",), SECRET),
        (("cloud", "base_url"), "https://me:" + SECRET + "@host"),
        (("cloud", "base_url"), "https://host/?key=" + SECRET),
        (("wifi", "networks", 0, "password"), SECRET * 9),
        (("wifi", "networks", 0, "password"), 1234567890),
        (("wifi", "networks", 0), SECRET),
        (("wifi", "networks"), SECRET),
        (("wifi",), SECRET),
        (("password",), SECRET),
    )
    for path, value in tries:
        config, found = validate(at(good(), path, value))
        assert found, (path, value)
        text = "%s" % config + "\n".join([render(p) for p in found])
        assert SECRET not in text and "1234567890" not in text, text
        assert "***" in text or "a text, not shown" in text or "a number, not shown" in text, text
    config = validate(good())[0]
    assert SECRET not in "%s %r" % (config, config)
    assert config["cloud"]["client_secret"].reveal() == SECRET
    assert config["wifi"]["networks"][0]["password"].reveal() == SECRET


def test_an_open_network_has_an_empty_password():
    config, found = validate(at(good(), ("wifi", "networks", 0, "password"), ""))
    assert found == []
    assert config["wifi"]["networks"][0]["password"].reveal() == ""


def test_found_values_are_short_and_printable():
    (problem,) = problems((("name",), "\x1b[2J\u0007" + "x" * 500))
    assert len(problem[2]) <= 42 and "\x1b" not in problem[2]
    assert render(problem).startswith('error: name: found "\\u001b[2J\\u0007xxx')


def test_keep_accepts_only_booleans():
    for value in (True, False):
        config, found = validate(at(good(), ("sensors", 0, "keep"), value))
        assert not found and config["sensors"][0]["keep"] is value
    for value in ("true", "false", 1, 0, None, []):
        found = problems((("sensors", 0, "keep"), value))
        assert len(found) == (value is not None), value


def thinger(**cloud):
    """The same device at Thinger.io."""
    raw = good()
    raw["cloud"] = {
        "api": "thinger",
        "user": "alvarolb",
        "device_id": "nodemcu",
        "credential": SECRET,
        "ca_files": ["certs/ca.der"],
    }
    raw["cloud"].update(cloud)
    return raw


def test_each_api_has_keys_of_its_own():
    config, found = validate(thinger())
    assert found == []
    cloud = config["cloud"]
    assert (cloud["transport"], cloud["host"], cloud["probe_s"]) == ("iotmp", "iot.thinger.io", 60)
    assert cloud["credential"].reveal() == SECRET and "client_secret" not in cloud and "poll_s" not in cloud
    found = validate(thinger(client_secret=SECRET, poll_s=5))[1]
    assert sorted(paths("warning", found)) == ["cloud.client_secret", "cloud.poll_s"]
    assert paths("error", validate(thinger(api="realer"))[1]) == ["cloud.client_id", "cloud.client_secret"]
    raw = good()
    raw["cloud"]["api"] = "thinger"
    assert paths("error", validate(raw)[1]) == ["cloud.user", "cloud.credential"]


def test_thinger():
    for key, value in (
        ("user", "a b"), ("user", ""), ("user", None), ("device_id", "a/b"), ("device_id", "x" * 33),
        ("credential", "short"), ("credential", "REPLACE-ME"), ("credential", None), ("host", "https://iot.thinger.io"),
        ("host", "a:0"), ("host", "a b"), ("transport", "https"), ("ca_files", [])):  # fmt: skip
        found = validate(thinger(**{key: value}))[1]
        assert paths("error", found) == ["cloud." + key], value
        assert SECRET not in str(found)
    for host in ("iot.thinger.io", "192.168.1.5:25206", "my-own.example.org"):
        assert validate(thinger(host=host))[0]["cloud"]["host"] == host


def test_updates_are_refused_with_thinger():
    update = {"pin_port": "99", "url": "https://updates.example.org", "key": SECRET}
    raw = good()
    raw["update"] = update
    assert validate(raw)[1] == []
    raw = thinger()
    raw["update"] = update
    assert paths("error", validate(raw)[1]) == ["update"]
    assert SECRET not in str(validate(raw)[1])
    del raw["cloud"]
    assert paths("error", validate(raw)[1])[:1] == ["cloud.ca_files"]


def test_optional_keys_take_no_memory_in_other_outputs():
    config = validate(good())[0]
    rare = ("interlock_wait_ms", "stall_s", "stall_delta", "stall_action")
    assert [key for output in config["outputs"] for key in rare if key in output] == []
    for index, key, value in (
        (0, "interlock_wait_ms", 0), (1, "stall_s", 3600), (1, "stall_delta", 0.1),
        (1, "stall_action", "off"),
    ):  # fmt: skip
        config, found = validate(at(good(), ("outputs", index, key), value))
        assert found == [] and config["outputs"][index][key] == value, key
        config, found = validate(at(good(), ("outputs", index, key), None))
        assert found == [] and key not in config["outputs"][index], key
    for index, key, value in (
        (0, "interlock_wait_ms", -1), (0, "interlock_wait_ms", 1.5), (0, "pulse_ms", 500),
        (1, "pulse_ms", 500), (0, "stall_s", 3600), (1, "stall_s", 59), (1, "stall_action", "on"),
    ):  # fmt: skip
        assert paths("error", problems((("outputs", index, key), value))) == [
            "outputs[%d].%s" % (index, key)
        ], key


def test_name_servers_of_wifi_itself_need_no_fixed_address():
    raw = good()
    raw["wifi"]["dns"] = ["192.0.2.53"]
    assert validate(raw)[1] == []
    raw["wifi"]["networks"][0]["dns"] = "192.0.2.53"
    assert [(problem[0], problem[1]) for problem in validate(raw)[1]] == [("warning", "wifi.networks[0].dns")]


def wired(**changes):
    """(`lan` of the normalized configuration, the problems) of a WT32-ETH01."""
    raw = good()
    del raw["wifi"]
    raw.update(board="wt32-eth01", lan={})
    for section, gpios in (("outputs", (17, 33)), ("sensors", (35, 36)), ("buttons", (14,))):
        for item, gpio in zip(raw[section], gpios):
            item["gpio"] = gpio
    raw.update(changes)
    config, found = validate(raw)
    return config.get("lan"), [problem for problem in found if problem[0] == "error"]


def test_a_lan_gets_phy_and_pins_from_the_kit():
    lan, found = wired()
    assert found == [] and lan["phy"] == "LAN8720:1:23:18:16:0:in" and lan["dns"] == [] and lan["ip"] is None
    fixed = {
        "ip": "10.0.0.5",
        "netmask": "255.0.0.0",
        "gateway": "10.0.0.1",
        "dns": ["9.9.9.9", "1.1.1.1:5353"],
    }
    lan, found = wired(lan=fixed)
    assert found == [] and [lan[key] for key in sorted(fixed)] == [fixed[key] for key in sorted(fixed)]


def test_invalid_settings_of_a_lan_are_reported():
    network = {"networks": [{"ssid": "bench", "password": SECRET}]}
    for changes, path in (
        ({"board": "esp32-devkitc"}, "lan"),
        ({"board": None}, "lan"),
        ({"wifi": network}, "wifi"),
        ({"lan": {"ip": "10.0.0.5"}}, "lan.gateway"),
        ({"lan": {"ip": "10.0.0.5", "gateway": "10.0.1.1"}}, "lan.gateway"),
        ({"lan": {"dns": "9.9.9.9"}}, "lan.dns"),
        ({"led": {"gpio": 22}}, "led.gpio"),
        ({"led": {"gpio": 0}}, "led.gpio"),
        ({"buttons": [{"gpio": 25, "toggles": "6"}]}, "buttons[0].gpio"),
    ):
        _, found = wired(**changes)
        assert [problem[1] for problem in found] == [path], (changes, found)
    raw = good()
    raw["board"] = "wt32-eth01"
    raw["lan"] = {"gateway": "10.0.0.1", "phy": "LAN8720:1:2:3:4:5:in"}
    found = [problem[:2] for problem in validate(raw)[1]]
    assert ("warning", "lan.gateway") in found and ("warning", "lan.phy") in found


def test_the_pins_of_a_lan_chip_are_refused_also_while_the_kit_uses_wifi():
    _, found = wired(lan=None, led={"gpio": 27})
    assert [problem[1] for problem in found] == ["led.gpio"]
