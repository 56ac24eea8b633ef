"""The questions of `make config`: from nothing, or from a configuration, to one that the device's own check accepts.

Owns: what is asked, in which order, with which explanation. What a key may hold is not known here: keys, defaults and
alternatives are read from the device's rules, and every answer is put to the device's own check at once. So a new
section of the rules needs nothing here but, at best, a line in ABOUT.
Refuses to show a secret, and to write anything but certificates.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import questionary

from tools import ca, catalog, check_config
from tools.cli import Failed
from tools.explained import ABOUT

_REALER = ("auto", "realer", "bootstrap")
_KEYS = ("device_id", "client_id", "client_secret")
_ENTERED = (*_KEYS, "user", "credential")  # at the setup portal, if not here
_LONGEST = 5  # networks


class Ask:
    """Questions to the person at the terminal. Ctrl-C is a KeyboardInterrupt.

    `check(text)`: True, or what is wrong with it.
    """

    def text(self, name: str, default: str, check: Callable[[str], bool | str]) -> str:
        return questionary.text(name, default=default, validate=check).unsafe_ask()

    def secret(self, name: str, check: Callable[[str], bool | str]) -> str:
        return questionary.password(name, validate=check).unsafe_ask()

    def choice(self, name: str, words: list[str], default: str) -> str:
        return questionary.select(name, words, default=default).unsafe_ask()

    def yes(self, question: str, default: bool) -> bool:
        return questionary.confirm(question, default=default).unsafe_ask()


class Wizard:
    """`draft`: a configuration to begin with, changed in place. `folder`: where it will lie, with its certificates.

    `say(text)`: tells the person something. `bundle`: see tools.ca.
    """

    def __init__(
        self, draft: dict[str, Any], folder: Path, say: Callable[[str], None], bundle: Path | None = None
    ) -> None:
        self.draft, self._folder, self._say, self._bundle = draft, folder, say, bundle
        self._ask = Ask()

    def run(self) -> None:
        """Ask everything."""
        self.draft.setdefault("version", 1)
        self._section("config", self.draft, "")
        complete = self._complete()
        if complete:
            self._networks()
        cloud = self.draft.setdefault("cloud", {})
        self._section("cloud", cloud, "cloud.", () if complete else _ENTERED)
        self._ports(self._catalog() if complete else [])
        if any(output.get("mode", "switch") == "switch" for output in self.draft["outputs"]):
            self._items("buttons", "a push button that works without network")
        if "led" in self.draft or self._ask.yes("Is there a status LED?", True):
            self._section("led", self.draft.setdefault("led", {}), "led.")
        self._section("safety", self.draft.setdefault("safety", {}), "safety.")

    # Sections

    def _section(self, name: str, item: dict[str, Any], path: str, known: tuple[str, ...] = ()) -> None:
        """Ask for the keys of the object `item` of the draft, but not for those already `known`."""
        lines = _wanted(name)
        while lines:
            line, about = lines.pop(0)
            key, rule = line.split(" =")[0].split(" ", 1)
            if key == "ca_files" and key not in known:
                self._roots(item)
            elif key not in known:
                item[key] = self._value(line, item, path + key, about)
            if "|" in rule and isinstance(item.get(key), str):
                at = len(lines) if key in known else 0
                lines[at:at] = _wanted(item[key])

    def _value(self, line: str, item: dict[str, Any], path: str, about: str = "") -> Any:
        head, _, preset = line.partition(" =")
        key, rule = head.split(" ", 1)
        words = _words(rule)
        default = item.get(key, json.loads(preset) if preset else words[0] if words else "")
        if str(default).startswith("REPLACE"):
            default = ""
        only_words = len(words) == len(rule.split(" ")[0].split("|"))
        if only_words and len(words) == 1:
            return words[0]
        if about:
            self._say(about)
        if only_words:
            return self._ask.choice(path, words, str(default))

        def check(text: str) -> bool | str:
            return self._complaint(item, key, _parsed(rule, text), path) or True

        if not rule.startswith("secret"):
            return _parsed(rule, self._ask.text(path, _shown(default), check))
        kept = bool(default)
        if kept:
            self._say("Leave it empty to keep the present one.")
        answer = self._ask.secret(path, lambda text: (kept and not text) or check(text))
        return answer if answer or not kept else default

    def _complaint(self, item: dict[str, Any], key: str, value: Any, path: str) -> str:
        """What the device would say to this answer, nothing if it is fine."""
        before = dict(item)
        item[key] = value
        try:
            problems = check_config.validate(self.draft)[1]
        finally:
            item.clear()
            item.update(before)
        for level, where, _, allowed in problems:
            if level == "error" and (where == path or where.startswith(f"{path}[")):
                return f"Allowed: {allowed}"
        return ""

    # Parts with an order of their own

    def _complete(self) -> bool:
        """Whether network and keys are to be asked for; not where whoever installs the device enters them."""
        if not self.draft.get("portal"):
            self._say(
                "Where it finds no network, it can open a Wi-Fi of its own, with a page to enter network and keys."
            )
            if not self._ask.yes("Shall it open such a setup portal?", False):
                return True
            self.draft["portal"] = {}
        if self._ask.yes("Enter network and keys now, not later at the portal?", True):
            return True
        self.draft.setdefault("wifi", {}).setdefault("networks", [])
        return False

    def _networks(self) -> None:
        networks = self.draft.setdefault("wifi", {}).setdefault("networks", [])
        if not networks:
            networks.append({})
        for i, network in enumerate(networks):  # it grows meanwhile
            self._section("networks", network, f"wifi.networks[{i}].")
            if i == len(networks) - 1 < _LONGEST - 1 and self._ask.yes("Another network to try?", False):
                networks.append({})

    def _roots(self, cloud: dict[str, Any]) -> None:
        """The certificates that the server's chain may end in, from the server or named by hand."""
        present = [name for name in cloud.get("ca_files", ()) if (self._folder / name).is_file()]
        if present and self._ask.yes(f"Keep {', '.join(present)}?", True):
            return
        host, port = ca.address(
            _thinger(cloud["host"]) if cloud.get("api") == "thinger" else cloud["base_url"]
        )
        self._say(f"The device trusts {host} by one root certificate. It can be looked up now.")
        while self._ask.yes(f"Connect to {host}:{port} and fetch it?", True):
            try:
                root = ca.root_of(host, port, self._bundle)
            except Failed as failed:
                self._say(f"{failed.what}. {failed.do}")
                continue
            file = ca.write(root, self._folder / "certs")
            cloud["ca_files"] = [file.relative_to(self._folder).as_posix()]
            self._say(f"{root.name}, {root.key}: {file}")
            return
        self._say("Then name the file, in DER form, beside the configuration; `python -m tools.ca` makes it.")
        line = next(line for line in check_config.device().rules("cloud") if line.startswith("ca_files "))
        cloud.setdefault("ca_files", ["certs/ca.der"])
        cloud["ca_files"] = self._value(line, cloud, "cloud.ca_files")

    def _catalog(self) -> list[catalog.Port]:
        """The ports in the cloud, none when nobody wants to ask or the cloud does not say."""
        cloud = self.draft["cloud"]
        if cloud.get("api", "realer") not in _REALER:
            return []
        while self._ask.yes("Read the device's ports from the cloud with these keys?", True):
            try:
                return catalog.read(cloud, [(self._folder / name).read_bytes() for name in cloud["ca_files"]])
            except OSError as error:
                self._say(f"{error.filename}: {error.strerror}")
            except Failed as failed:
                self._say(f"{failed.what}. {failed.do}")
                if self._ask.yes("Enter the keys again?", True):
                    rules = check_config.device().rules
                    others = [
                        line.split(" ")[0] for line in rules("cloud") + rules(cloud.get("api", "realer"))
                    ]
                    self._section("cloud", cloud, "cloud.", tuple(key for key in others if key not in _KEYS))
        return []

    def _ports(self, ports: list[catalog.Port]) -> None:
        for role, section, rest in (("sensor", "sensors", "a sensor"), ("output", "outputs", "an output")):
            found = [port for port in ports if port.role == role]
            self._items(section, rest, found)

    def _items(self, section: str, rest: str, ports: list[catalog.Port] | tuple = ()) -> None:
        """The list `section`: what is there already, what the cloud has, and what the person adds."""
        items = self.draft.setdefault(section, [])
        for i, item in enumerate(items):
            shown = ", ".join(
                f"{key} {item[key]}" for key in ("name", "pin_port", "gpio", "toggles") if key in item
            )
            if not self._ask.yes(f"Keep {section}[{i}] ({shown}) as it is?", True):
                self._section(section, item, f"{section}[{i}].")
        for port in ports:
            if port.pin_port not in [item.get("pin_port") for item in items]:
                self._offer(section, items, port)
        while self._ask.yes(f"Add {rest}{' that is not in that list' if ports else ''}?", False):
            items.append({})
            self._section(section, items[-1], f"{section}[{len(items) - 1}].")

    def _offer(self, section: str, items: list[dict[str, Any]], port: catalog.Port) -> None:
        """Map a port of the cloud to a pin, if this board has it."""
        preset = {"pin_port": port.pin_port}
        for line in check_config.device().rules(section):
            key, rule = line.split(" =")[0].split(" ", 1)
            if key == "kind":
                preset["kind"] = port.kind
                if port.kind not in _words(rule):
                    self._say(
                        f"Port {port.pin_port} is of kind {port.kind[:40]}, which this firmware does not know."
                    )
                    return
        if self._ask.yes(f"Port {port.pin_port} ({port.kind[:40]}): is it wired to this board?", True):
            items.append(preset)
            self._section(section, preset, f"{section}[{len(items) - 1}].", tuple(preset))


def _thinger(host: str) -> str:
    """Where devices of Thinger.io log in."""
    return host if ":" in host else f"{host}:25206"


def _wanted(name: str) -> list[tuple[str, str]]:
    """The rules of a section that are asked for, in order, each with its explanation."""
    lines = {line.split(" ")[0]: line for line in check_config.device().rules(name)}
    about = ABOUT.get(name, {})
    required = [key for key, line in lines.items() if " =" not in line and not _words(line.split(" ", 1)[1])]
    order = [key for key in about if key in lines] + [key for key in required if key not in about]
    return [(lines[key], about.get(key, "")) for key in order]


def _words(rule: str) -> list[str]:
    """The words among the alternatives of a rule; none if it is for a text."""
    first, _, rest = rule.partition(" ")
    words = [word for word in first.split("|") if word[0] > "9"]
    return [] if rest[:1].isdigit() or first in ("object", "list") else words


def _parsed(rule: str, text: str) -> Any:
    """The JSON value that `text` means under a rule."""
    kind, _, rest = rule.partition(" ")
    if kind == "list":
        return [_parsed(rest.partition(" ")[2], part.strip()) for part in text.split(",") if part.strip()]
    if any(word[0] <= "9" for word in kind.split("|")) and not rest[:1].isdigit():
        for number in (int, float):
            with contextlib.suppress(ValueError):
                return number(text)
    return text.strip() if kind != "secret" else text


def _shown(default: Any) -> str:
    return ", ".join(map(str, default)) if isinstance(default, list) else str(default)
