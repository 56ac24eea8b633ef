"""The page of the setup portal, on which network and keys are entered.

This module has the fields, the HTML, and the code that puts input into the configuration. Input is checked by the same
rules as at every start. Secrets are never shown, neither stored ones nor those just entered; an empty field keeps the
stored value. The script only shows passwords and fills in the network that was tapped: the page works without it. Text
from outside, such as network names, is escaped. Pure.
"""

from firmware.core.values import text

_NETWORK = (
    ("ssid", "Wi-Fi network", "text 1..32"),
    ("password", "Wi-Fi password", "secret-wpa 0|8..64 (64 are hex digits)"),
)
_ACCOUNT = (
    ("device_id", "Device ID", "id 1..64"),
    ("client_id", "Client ID", "id 1..64"),
    ("client_secret", "Client secret", "secret 8..256"),
)
_THINGER = (
    ("user", "Account", "id 1..32"),
    ("device_id", "Device", "id 1..32"),
    ("credential", "Credential", "secret 6..255"),
)
_NEEDED = {
    "ssid": "Needed: 1..32 characters. Choose your Wi-Fi above, or enter its name.",
    "password": "Needed: 0 or 8..64 characters: nothing for an open network, 64 only if all are hexadecimal digits.",
    "id": "Needed: %s letters, digits, - and _. Copy it from the dashboard.",
    "secret": "Needed: %s characters. Copy it from the dashboard.",
}
_ROWS = 12  # networks in the list, which take 2 KB of the page
_SCRIPT = (
    'let d=document,f=d.forms[0],s=d.querySelectorAll("[type=password]"),l=d.getElementById("show");l.hidden=0;'
    'l.firstChild.onchange=e=>{for(let p of s)p.type=e.target.checked?"text":"password"};'
    'for(let r of d.querySelectorAll("[type=radio]"))'
    "r.onchange=()=>{f.ssid.value=r.value;(r.value?f.password:f.ssid).focus()};"
    'f.ssid.oninput=()=>{for(let r of d.querySelectorAll("[type=radio]"))r.checked=!r.value}'
)
SCRIPT_HASH = "sha256-7twdprgEQqT+kgiP8rzatPIOLrLEzwlRbadvrtMK364="
"""The hash of _SCRIPT for the Content-Security-Policy: the browser runs no other script. A test compares them."""

_PAGE = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1"><title>%s</title><style>'
    ":root{color-scheme:light dark}"
    "body{font:1.1em/1.4 sans-serif;max-width:24em;margin:1em auto;padding:0 1em;overflow-wrap:anywhere}"
)
_STYLE = (
    "label{display:block;margin-top:1em}"
    "input,button{font:inherit;width:100%;box-sizing:border-box;padding:.4em;min-height:44px}"
    "fieldset{border:0;padding:0;margin:1em 0}.row{display:flex;align-items:center;min-height:44px;margin:0}"
    ".row[hidden]{display:none}.row input{width:1.3em;flex:none;margin:0 .7em 0 0}"
    "[role]{color:#b00020;margin:.2em 0}button{margin:1.5em 0}"
    "@media(prefers-color-scheme:dark){[role]{color:#ff8a80}}</style>"
)
_TITLE = "<h1>%s</h1><p>%s</p><p>Firmware %s</p>"
_FORM = (
    '<form method="post" action="/save" autocomplete="off" autocapitalize="none">'
    '<input type="hidden" name="token" value="%s">'
)
_LIST = "<fieldset><legend>Networks in reach</legend>"
_ROW = '<label class="row"><input type="radio" name="net" value="%s">%s</label>'
_ANOTHER = (
    '<label class="row"><input type="radio" name="net" value="">Another one, named below</label></fieldset>'
)
_FIELD = '<label for="%s">%s</label><input id="%s" name="%s" type="%s" value="%s"'
_WRONG = '<p role="alert" id="wrong-%s">%s</p>'
_SAVED = (
    "<p>Saved. The device restarts now and joins %s; this network goes away.</p>"
    "<p>If it comes back later, %s not right.</p>"
)
_END = (
    '<label class="row" id="show" hidden><input type="checkbox">Show what is entered</label>'
    "<p>An empty field keeps what is stored.</p><button>Save and restart</button></form><script>"
)


def fields(raw):
    """Return the fields of the form: (name, label, rule as in config_rules). `raw`: the content of the configuration
    file, which may be invalid."""
    return (_NETWORK if raw.get("lan") is None else ()) + _account(raw)


def _account(raw):
    return _THINGER if _part(raw, "cloud").get("api") == "thinger" else _ACCOUNT


def page(raw, title, version, token, wrong, why="", found=()):
    """Return the page with the form as a list of str. `wrong`: error texts by field, under "" the one for all other
    errors. `why`: why the portal is open. `found`: names of networks in reach."""
    pieces = [_PAGE % escaped(title), _STYLE, _TITLE % (escaped(title), escaped(why), version), _FORM % token]
    if wrong:
        pieces.append(
            _WRONG % ("", escaped(wrong.get("") or "Nothing was saved. Please enter passwords again."))
        )
    if found:
        pieces.append(_LIST)
        rows = [escaped(name) for name in found]
        pieces += [_ROW % (name, name) for name in rows] + [_ANOTHER]
    for name, label, rule in fields(raw):
        secret = rule[0] == "s"
        kind = 'password" autocomplete="new-password' if secret else "text"
        pieces.append(_FIELD % (name, label, name, name, kind, "" if secret else escaped(stored(raw, name))))
        if name in wrong:
            pieces.append(' aria-invalid="true" aria-describedby="wrong-%s"' % name)
            pieces.append(">" + _WRONG % (name, escaped(wrong[name])))
        else:
            pieces.append(">")
    return pieces + [_END, _SCRIPT, "</script>"]


def saved(raw, title, version):
    """Return the page that is shown after saving, as a list of str."""
    joins, wrong = escaped(stored(raw, "ssid")), "name or password of the Wi-Fi were"
    if raw.get("lan") is not None:
        joins, wrong = "the LAN", "the cable is"
    return [_PAGE % escaped(title), _STYLE, _TITLE % (escaped(title), "", version), _SAVED % (joins, wrong)]


def stored(raw, name):
    """Return the text in the configuration that a field shows, "" for a placeholder."""
    value = _value(raw, name)
    value = str(value) if isinstance(value, (str, int)) else ""
    return "" if value[:7] == "REPLACE" else value


def fill(raw, entered):
    """Put the input (`entered`: text by field) into `raw`."""
    if raw.get("lan") is None:
        _fill_network(raw, entered)
    raw["cloud"] = cloud = _part(raw, "cloud")
    for name, _, _ in _account(raw):
        # Stripped, because copying often adds a space. Name and password of a network are not: they may end in one.
        if entered.get(name, "").strip():
            cloud[name] = entered[name].strip()


def _fill_network(raw, entered):
    """Put the network first in the list of networks; keep others, up to five in all."""
    networks = _networks(raw)
    ssid = entered.get("net") or entered.get("ssid")  # picked from the list, or entered
    password = entered.get("password")
    if not ssid and networks:
        ssid = networks[0].get("ssid")
    if ssid:
        network = {"ssid": ssid, "password": ""}
        for known in [n for n in networks if n.get("ssid") == ssid]:
            networks.remove(known)
            network = known
        if password:
            network["password"] = password
        networks = [network] + networks[:4]
    raw["wifi"] = wifi = _part(raw, "wifi")
    wifi["networks"] = networks


def listed(scan):
    """Return the names of the access points of a scan (tuples of `WLAN.scan`), strongest first."""
    names = []
    for row in sorted(scan, key=lambda row: -row[3]):
        name = row[0]
        try:
            name = name if isinstance(name, str) else name.decode()
        except UnicodeError:
            continue  # a form cannot send it
        if name.strip("\0") and name not in names and len(names) < _ROWS:
            names.append(name)
    return names


def empty(entered):
    """Return whether all fields are empty."""
    return not any([entered[name].strip() for name in entered if name != "token"])


def field_errors(raw):
    """Return error texts for the values of the fields, by field."""
    wrong = {}
    for name, _, rule in fields(raw):
        kind, size = rule.split(" ")[:2]
        value = _value(raw, name)
        if text(kind, size, value) is None or str(value)[:7] == "REPLACE":
            hint = _NEEDED.get(name) or _NEEDED[kind]
            if name == "password" and value is None:
                hint = "Its password; nothing for an open network."
            wrong[name] = hint % size if "%" in hint else hint
    return wrong


def escaped(text):
    """Escape text for HTML elements and quoted attributes."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(character, entity)
    return text


def _part(raw, key):
    part = raw.get(key)
    return part if isinstance(part, dict) else {}


def _networks(raw):
    """Return the configured networks, without placeholders."""
    found = _part(raw, "wifi").get("networks")
    found = [n for n in found if isinstance(n, dict)] if isinstance(found, list) else []
    return [n for n in found if str(n.get("ssid"))[:7] != "REPLACE"]


def _value(raw, name):
    if name in ("ssid", "password"):
        found = _networks(raw)
        return found[0].get(name, "") if found else None
    return _part(raw, "cloud").get(name)
