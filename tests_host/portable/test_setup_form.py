"""What is entered becomes configuration; what is secret stays where it is."""

import binascii
import hashlib

from firmware.core.config import rules
from firmware.core.setup_form import (
    SCRIPT_HASH,
    empty,
    escaped,
    field_errors,
    fields,
    fill,
    listed,
    page,
    saved,
    stored,
)

SECRET = "test-secret-not-real"
PASSWORD = "test-password-not-real"
ENTERED = {
    "ssid": "home",
    "password": PASSWORD,
    "device_id": "12345",
    "client_id": "cdv_1",
    "client_secret": SECRET,
}


def fresh():
    """As it leaves the bench: pins and certificates, but no network and no keys."""
    return {
        "name": "pump",
        "wifi": {"networks": [], "hostname": "h"},
        "cloud": {"ca_files": ["certs/ca.der"]},
    }


def filled(raw, entered):
    fill(raw, entered)
    return raw


def html(raw, wrong=()):
    return "".join(page(raw, "pump-00ff", "1.2.3", "token", dict(wrong)))


def test_a_fresh_device_gets_everything_from_the_form():
    raw = filled(fresh(), ENTERED)
    assert raw["wifi"] == {"networks": [{"ssid": "home", "password": PASSWORD}], "hostname": "h"}
    assert raw["cloud"]["client_secret"] == SECRET and raw["cloud"]["ca_files"] == ["certs/ca.der"]
    assert field_errors(raw) == {}


def test_a_wired_device_is_asked_for_its_keys_alone():
    raw = fresh()
    raw.update(wifi=None, lan={})
    fill(raw, ENTERED)
    assert raw["wifi"] is None and raw["cloud"]["client_secret"] == SECRET
    assert [name for name, _, _ in fields(raw)] == ["device_id", "client_id", "client_secret"]
    assert field_errors(raw) == {} and "Wi-Fi network" not in html(raw)
    assert "joins the LAN" in "".join(saved(raw, "pump-00ff", "1.2.3"))


def test_an_empty_field_keeps_the_stored_value():
    for entered in ({}, {"ssid": "home", "password": "", "client_secret": " "}):
        raw = filled(filled(fresh(), ENTERED), entered)
        assert raw == filled(fresh(), ENTERED)


def test_a_new_network_comes_first_and_the_others_stay():
    raw = fresh()
    raw["wifi"]["networks"] = [{"ssid": "n%d" % i, "password": "password-%d" % i} for i in range(5)]
    fill(raw, {"ssid": "new", "password": PASSWORD})
    assert [n["ssid"] for n in raw["wifi"]["networks"]] == ["new", "n0", "n1", "n2", "n3"]
    fill(raw, {"ssid": "n2"})
    assert [n["ssid"] for n in raw["wifi"]["networks"]] == ["n2", "new", "n0", "n1", "n3"]
    assert raw["wifi"]["networks"][0]["password"] == "password-2"


def test_a_password_without_a_name_is_for_the_first_network():
    raw = filled(filled(fresh(), ENTERED), {"password": "another-password-not-real"})
    assert raw["wifi"]["networks"] == [{"ssid": "home", "password": "another-password-not-real"}]


def test_a_new_network_without_password_is_an_open_one():
    raw = filled(filled(fresh(), ENTERED), {"ssid": "cafe"})
    assert raw["wifi"]["networks"][0] == {"ssid": "cafe", "password": ""}
    assert field_errors(raw) == {}


def test_placeholders_count_as_missing():
    raw = fresh()
    raw["wifi"]["networks"] = [{"ssid": "REPLACE-ME", "password": "REPLACE-ME"}]
    raw["cloud"]["device_id"] = raw["cloud"]["client_secret"] = "REPLACE-ME"
    assert "REPLACE" not in html(raw)
    assert sorted(field_errors(raw)) == ["client_id", "client_secret", "device_id", "password", "ssid"]
    assert filled(raw, ENTERED)["wifi"]["networks"] == [{"ssid": "home", "password": PASSWORD}]
    assert field_errors(raw) == {}


def test_blanks_around_a_key_are_cut_those_of_a_network_are_not():
    raw = filled(fresh(), {"ssid": " home ", "password": PASSWORD + " ", "device_id": " 12345\t"})
    assert raw["wifi"]["networks"] == [{"ssid": " home ", "password": PASSWORD + " "}]
    assert raw["cloud"]["device_id"] == "12345"


WRONG = (
    ("ssid", "x" * 33, "1..32 characters"),
    ("ssid", "a\nb", "1..32 characters"),
    ("ssid", "REPLACE-ME", "1..32 characters"),
    ("password", "7-chars", "0 or 8..64 characters"),
    ("password", "ü" * 33, "0 or 8..64 characters"),
    ("password", "x" * 64, "0 or 8..64 characters"),
    ("device_id", "a b", "1..64 letters, digits, - and _"),
    ("client_id", "<script>", "1..64 letters, digits, - and _"),
    ("client_secret", "short", "8..256 characters"),
)


def test_each_error_is_shown_at_its_field():
    for name, value, needed in WRONG:
        entered = dict(ENTERED)
        entered[name] = value
        wrong = field_errors(filled(fresh(), entered))
        assert name in wrong and needed in wrong[name], (name, value, wrong)
        assert len(wrong) == 1 or value == "REPLACE-ME"


def test_the_rules_are_those_of_the_configuration():
    for api in ("realer", "thinger"):
        raw = fresh()
        raw["cloud"]["api"] = api
        allowed = {}
        for line in rules("networks") + rules(api):
            key, _, rule = line.partition(" ")
            allowed[key] = rule.split(" =")[0]
        for name, _, rule in fields(raw):
            assert allowed[name] == rule, name


def test_thinger_has_keys_of_its_own():
    raw = fresh()
    raw["cloud"] = {"api": "thinger"}
    fill(raw, {"ssid": "home", "user": "me", "device_id": "d", "credential": SECRET, "client_id": "no"})
    assert raw["cloud"] == {"api": "thinger", "user": "me", "device_id": "d", "credential": SECRET}
    assert field_errors(raw) == {}


def test_no_secret_is_ever_on_a_page():
    for raw in (filled(fresh(), ENTERED), filled(fresh(), dict(ENTERED, device_id="no good"))):
        for text in (html(raw), html(raw, field_errors(raw)), "".join(saved(raw, "pump-00ff", "1.2.3"))):
            assert SECRET not in text and PASSWORD not in text
            assert "home" in text


def test_input_is_escaped_on_the_page():
    evil = '"><script>alert(1)</script>&'
    raw = filled(fresh(), dict(ENTERED, ssid=evil, device_id=evil))
    for text in (html(raw), html(raw, field_errors(raw)), "".join(saved(raw, evil, "1"))):
        assert "<script>alert" not in text and evil not in text
    assert escaped('a"<b>&') == "a&quot;&lt;b&gt;&amp;"


def test_the_page_fits_a_phone_and_a_small_heap():
    text = html(filled(fresh(), ENTERED))
    assert len(text) < 4096 and 'name="viewport"' in text and 'charset="utf-8"' in text
    assert "min-height:44px" in text and "color-scheme:light dark" in text
    for name, label, _ in fields(fresh()):
        assert '<label for="%s">%s</label>' % (name, label) in text and 'id="%s"' % name in text
    assert "pump-00ff" in text and "1.2.3" in text and 'value="token"' in text
    assert max([len(piece) for piece in page(fresh(), "pump", "1", "token", {})]) < 700


def test_the_script_matches_the_hash_in_the_header():
    text = html(fresh())
    script = text[text.index("<script>") + 8 : text.index("</script>")]
    digest = binascii.b2a_base64(hashlib.sha256(script.encode()).digest()).decode().strip()
    assert SCRIPT_HASH == "sha256-" + digest


def test_networks_are_listed_once_the_strongest_first():
    row = b"\x02\0\0\0\0\1", 6
    scan = [
        (name,) + row + (dbm, 3, False)
        for name, dbm in (
            (b"far", -90),
            (b"home", -70),
            (b"home", -40),
            (b"", -30),
            (b"\0\0", -20),
            (b"\xff", -10),
        )
    ]
    assert listed(scan) == ["home", "far"]
    assert listed([("caf\xe9",) + row + (-50, 0, False)]) == ["caf\xe9"]
    assert len(listed([(b"n%d" % i,) + row + (-i, 3, False) for i in range(30)])) == 12
    found = html(fresh(), {}) + "".join(page(fresh(), "pump", "1", "token", {}, "why", ['a"<b>']))
    assert 'value="a&quot;&lt;b&gt;"' in found and "<b>" not in found


def test_an_empty_form_shows_a_hint_at_each_field():
    wrong = field_errors(filled(fresh(), {}))
    assert sorted(wrong) == ["client_id", "client_secret", "device_id", "password", "ssid"]
    for name, words in (
        ("ssid", "enter its name"),
        ("password", "open network"),
        ("client_secret", "dashboard"),
    ):
        assert words in wrong[name]
    assert "8..64" not in wrong["password"]
    assert empty({"token": "abc", "ssid": "", "password": " "}) and not empty({"token": "abc", "net": "home"})


def test_a_configuration_that_is_wrong_in_any_way_is_survived():
    for raw in (
        {},
        {"wifi": None, "cloud": 7},
        {"wifi": {"networks": {}}},
        {"wifi": {"networks": [1, None, {}]}},
    ):
        html(raw)
        assert set(field_errors(raw)) >= {"device_id", "client_id", "client_secret"}
        fill(raw, ENTERED)
        assert field_errors(raw) == {} and raw["wifi"]["networks"][0]["ssid"] == "home"


def test_a_number_is_shown_as_an_id():
    assert stored({"cloud": {"device_id": 12345}}, "device_id") == "12345"
