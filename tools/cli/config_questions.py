"""What `realer config` asks for each key, in which order, and what the values mean that can be picked.

The device's rules say what a key may hold. A key's text is the question; the help behind its question mark is in MORE.
"""

from __future__ import annotations

from tools import kinds

_PORT = "Which port is it in the cloud? Its name there, not a GPIO number."
_NAME = "What do you call it? It is used in the log."
_ACCOUNT = {
    "transport": "How should the device communicate with the cloud?",
    "base_url": "Where is the cloud?",
    "device_id": "What is the device's id? The dashboard shows it and the next two at the control device's keys.",
    "client_id": "What is its client id?",
    "client_secret": "What is its client secret? It is not shown while you type.",
}
_DAYS = {
    "daily": "every day", "weekdays": "Monday to Friday", "weekend": "Saturday and Sunday", "mo": "Mondays",
    "tu": "Tuesdays", "we": "Wednesdays", "th": "Thursdays", "fr": "Fridays", "sa": "Saturdays", "su": "Sundays",
}  # fmt: skip
_BUTTONS = {
    "toggle": "a push button: each press toggles",
    "follow": "a rocker switch: on while it is closed",
    "momentary": "a push button: on while it is pressed",
}

ABOUT: dict[str, dict[str, str]] = {
    "config": {"name": "What do you call this device? It is used in the log."},
    "networks": {
        "ssid": "What is the name of the Wi-Fi network? An ESP32 supports 2.4 GHz only.",
        "password": "What is its password? Nothing for an open network.",
    },
    "cloud": {"api": "Which cloud is it? Your account or its documentation says so."},
    "auto": _ACCOUNT,
    "bootstrap": _ACCOUNT,
    "realer": _ACCOUNT,
    "realino": _ACCOUNT,
    "thinger": {
        "host": "Where do devices log in? Your own server, if you have one.",
        "user": "What is the name of your Thinger.io account?",
        "device_id": "What is the device's id? The console shows it, and the credential, on the page of the device.",
        "credential": "What is its credential? It is not shown while you type.",
    },
    "sensors": {"kind": "What does it measure?", "pin_port": _PORT, "name": _NAME},
    **{word: kind.ABOUT for word, kind in kinds.every().items()},
    **kinds.parts(),
    "outputs": {
        "pin_port": _PORT,
        "name": _NAME,
        "gpio": "Which GPIO drives the relay?",
        "active": "At which level does the relay close? On many relay boards with an optocoupler at low.",
        "mode": "Who decides when it is on?",
        "safe": "What is its safe state? It applies without authorization, after a fault and on a silent network:\n"
        "off, on, hold (as it is), or the number to which a setpoint falls back; for a shutter off (it stops), hold\n"
        "(it goes on) or a position. A heater goes off or to frost protection; a lock is your choice.",
    },
    "schedule": {
        "days": "On which days does it begin?",
        "hour": "At which hour? 0 to 23, in local time.",
        "minute": "At which minute?",
        "value": "What is desired from then on? 0 is off and 1 is on, if it has no range.",
    },
    "time": {"zone": "In which time zone is it? A name such as Europe/Berlin, or a POSIX TZ rule."},
    "buttons": {
        "gpio": "Which GPIO is the button wired to?",
        "toggles": "Which output does it toggle?",
        "mode": "What does it do?",
        "active": "What is the level while it is pressed? Low for a button to ground.",
        "pull": "Which resistor inside the chip holds it? up for a button to ground; input-only pins have none.",
    },
    "toggle": {
        "opens_portal": "Should a press of 5 s open the setup portal? The outputs are in their safe state meanwhile.",
        "factory_reset": "Should two presses of 10 s reset it? It forgets networks and keys.",
    },
    "led": {
        "gpio": "Which GPIO is the LED wired to? 2 on most boards with a classic ESP32.",
        "active": "At which level is it lit?",
    },
    "update": {
        "pin_port": "Which port has the command for updates in the cloud? Its name there, not a GPIO number.",
        "url": "Where is the web server with the bundles? https, a host, and a port if need be.",
    },
    "safety": {
        "silence_s": "How long may the cloud be silent before the safe state? Seconds, such as 300, or 5 min;\n"
        "0: no limit, the safe state begins only when the authorization ends."
    },
}
"""Section -> key -> question, in the order of asking. A key that is not here keeps its default, if it has one."""

MORE: dict[str, dict[str, str]] = {
    "networks": {
        "bssid": "Which access point should it join, and no other? Its address, such as 24:0a:c4:00:00:01; nothing:\n"
        "the strongest one of the network.",
        "ip": "Which fixed address should it have? One that the router assigns to nothing else; nothing: by DHCP.",
        "netmask": "What is the netmask?",
        "gateway": "What is the address of the router?",
        "dns": "Which name server should it use? Nothing: the router.",
    },
    "lan": {
        "ip": "Which fixed address should it have? One that the router assigns to nothing else; nothing: by DHCP.",
        "netmask": "What is the netmask?",
        "gateway": "What is the address of the router?",
        "dns": "Which name servers should it use? Addresses with commas between; nothing: those of the router.",
    },
    "wifi": {
        "country": "In which country is it? Two letters, such as DE or US; nothing: what the access point announces.",
        "dns": "Which name servers should it use in place of the router's? Up to three addresses, with commas between.",
        "power_save": "Should the radio save power? yes, no; nothing: only with polling. It delays messages.",
    },
}
"""The same, of keys for which only those are asked who want to say more. They may be left out."""

WORDS: dict[str, dict[str, str]] = {
    "api": {
        "realer": "the Realer cloud as most accounts have it (iot/v1, HTTPS and MQTT)",
        "auto": "finds out which of the Realer clouds answers, and asks again every hour; takes more memory",
        "bootstrap": "the Realer cloud's newest generation, where each desired value is acknowledged",
        "realino": "the legacy Realer API at www.therealer.com, polling only",
        "thinger": "Thinger.io, with an account and a credential for each device",
    },
    "transport": {
        "https": "polls every few seconds; takes the least memory",
        "auto": "MQTT where the cloud offers it, polling while that fails",
        "mqtt": "receives at once, over a connection that stays open",
    },
    "days": _DAYS,
    "side": {"low": "from the pin to ground", "high": "from 3.3 V to the pin"},
    **dict.fromkeys(
        ("kind", "mode"), {word: kind.MEANING for word, kind in kinds.every().items()} | _BUTTONS
    ),
    "action": {"heat": "on when it is too cold", "cool": "on when it is too warm"},
}
"""Key -> word -> what it means."""


def question(about: str, path: str) -> tuple[str, str]:
    """(the question with the key beside it, what helps to answer it) of a text in ABOUT."""
    words, mark, help_ = about.partition("?")
    return (f"{words}? ({path})" if mark else path), help_.strip()
