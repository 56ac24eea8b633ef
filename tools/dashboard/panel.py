"""The panel of faults: what there is to break, as plain data that the page draws.

A control has a `label` and one of: `call`, carried out on a click; `on` and `off`, calls of a switch, and `state`, the
part of the feed that says where it stands; `field`, `choices` (value -> word) and `call` of a list, with `state`.
`title` explains it. A group is shown where the part `needs` of the feed is true.
"""

from __future__ import annotations

from typing import Any

from tools.cloud.certs import KINDS
from tools.cloud.dns import MODES as DNS_MODES
from tools.cloud.messages import REASONS
from tools.cloud.ntp import MODES as NTP_MODES

_TIMES = 3


def _button(label: str, verb: str, title: str = "", **fields: Any) -> dict[str, Any]:
    return {"label": label, "title": title, "call": {"verb": verb, **fields}}


def _switch(label: str, verb: str, state: str) -> dict[str, Any]:
    return {
        "label": label,
        "state": state,
        "on": {"verb": verb, "on": True},
        "off": {"verb": verb, "on": False},
    }


def _list(label: str, verb: str, field: str, state: str, choices: dict[str, str]) -> dict[str, Any]:
    return {"label": label, "state": state, "field": field, "call": {"verb": verb}, "choices": choices}


def _rule(label: str, rule: str, title: str = "") -> dict[str, Any]:
    return _button(label, "fault", title, rule=rule)


def _words(modes: tuple[str, ...]) -> dict[str, str]:
    return {mode: mode.replace("_", " ") or "good" for mode in modes}


_CODES = [
    _rule(str(code), f"any status={code} times={_TIMES}", f"{REASONS[code]}, for the next {_TIMES} requests")
    for code in sorted(REASONS)
    if code >= 400
]
PANEL: list[dict[str, Any]] = [
    {
        "title": "Authorization",
        "controls": [
            _switch("Subscription", "subscription", "cloud.subscription"),
            _switch("Keys", "keys", "cloud.keys"),
            _button("Expire the token", "expire_token"),
            _button("Revoke the tokens", "revoke", "and the MQTT credentials that came from them"),
        ],
    },
    {
        "title": "Power and network",
        "controls": [
            _switch("Power", "power", "board.powered"),
            _switch("Access point or cable", "network", "board.air"),
            _list(
                "Zombie network", "zombie", "until", "board.zombie",
                {"": "no", "join": "until it joins again", "interface": "until switched off", "reset": "until a reset"},
            ),
            _button("Power cycle", "power_cycle"),
            _button("Reset", "reset"),
        ],
    },
    {
        "title": "DNS, time, certificates",
        "controls": [
            _list("DNS", "dns", "mode", "faults.dns", _words(DNS_MODES)),
            _list("Time server", "ntp", "mode", "faults.ntp", _words(NTP_MODES)),
            _button("Clock a day ahead", "clock", "takes effect at the next time query", offset_s=86400),
            _button("Clock right", "clock", offset_s=0),
            _list("Certificate", "cert", "kind", "faults.cert", _words(KINDS)),
        ],
    },
    {
        "title": "HTTPS",
        "note": f"A number answers the next {_TIMES} requests with that status.",
        "controls": [
            _switch("Server", "listener", "faults.listener"),
            *_CODES,
            _rule("2 s late", "any delay=2", "every answer, until cleared"),
            _rule("10 s late", "any delay=10", "every answer, until cleared"),
            _rule("no answer", "any hang times=1", "the next request, with the connection open"),
            _rule("cut", f"any cut times={_TIMES}", f"the next {_TIMES} answers, before the last byte"),
            _rule("broken JSON", f"any badjson times={_TIMES}", f"the next {_TIMES} answers"),
        ],
    },
    {
        "title": "MQTT",
        "needs": "cloud.mqtt",
        "controls": [
            {
                "label": "Broker", "state": "cloud.broker",
                "on": {"verb": "broker", "mode": "up"}, "off": {"verb": "broker", "mode": "down"},
            },
            _button("Freeze", "broker", "connections stay open, and nothing answers", mode="freeze"),
            _button("Thaw", "broker", mode="thaw"),
            _button("End the session", "kick"),
            _rule("refuse CONNECT", "connect refused times=1", "of the next credentials"),
            _rule("lose acks", f"ack lost times={_TIMES}"),
            _rule("ack: error", f"ack status=error times={_TIMES}"),
            _rule("ack: rejected", f"ack status=rejected times={_TIMES}"),
            _rule("desired twice", "desired copies times=1", "the next desired state"),
            _rule("desired expired", "desired valid_s=0 times=1", "the next desired state"),
        ],
    },
]  # fmt: skip
