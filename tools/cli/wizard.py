"""The questions of `realer config`: from nothing, or from a configuration, to one that the device's own check accepts.

Keys, defaults and alternatives are read from the device's rules. The device's own check is applied to every answer at
once, together with the answers before it. So a new section of the rules needs at most a line in ABOUT. The wizard
shows no secret, and writes nothing but certificates.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from firmware.core import config as device
from tools import boards, kinds
from tools.cli import (
    ca,
    check_config,
    cloud_catalog,
    config_errors,
    config_warnings,
    time_zones,
    update_bundle,
)
from tools.cli.config_questions import ABOUT, MORE, WORDS, question
from tools.cli.prompts import Answers, Back
from tools.common import Failed

_REALER = ("auto", "realer", "bootstrap")
_KEYS = ("device_id", "client_id", "client_secret")
_ENTERED = (*_KEYS, "user", "credential")  # at the setup portal, if not here
_LONGEST = 5  # networks
_OF_FIXED = {"networks": ("netmask", "gateway", "dns"), "lan": ("netmask", "gateway"), "wifi": ()}
"""Keys that are asked for beside a fixed address only."""
_SHOWN = ("name", "pin_port", "gpio", "toggles", "days", "hour", "minute", "value")
"""What tells an item of a list from others."""
_NONE = "none"
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}


class Wizard:
    """`draft`: a configuration to begin with, changed in place. `folder`: where it will lie, with its certificates.

    `say(text)`: tells the person something. `bundle`: see tools.cli.ca. `kept`: where the answers lie until the end.
    `plugged_in(may)`: the chip of the board that is plugged in, "" for none, after it has asked `may(question)`.
    """

    def __init__(
        self,
        draft: dict[str, Any],
        folder: Path,
        say: Callable[[str], None],
        bundle: Path | None = None,
        kept: Path | None = None,
        plugged_in: Callable[[Callable[[str], bool]], str] = lambda may: "",
    ) -> None:
        self.draft, self._folder, self._bundle, self._plugged_in = draft, folder, bundle, plugged_in
        self.answers = Answers(draft, say, kept)
        self._ask, self._say = self.answers, self.answers.say
        self._roots_of: dict[tuple[str, int], Any] = {}
        self._ports_of: dict[str, list[cloud_catalog.Port]] = {}

    def run(self) -> None:
        """Ask everything that is not answered yet. Whoever goes back is asked again from there on."""
        while True:
            start = self.answers.begin()
            self.draft.clear()
            self.draft.update(start)
            try:
                self._interview()
                self.answers.flush()
                return
            except Back:
                self.answers.back()

    def mend(self, problems: list[check_config.Problem]) -> bool:
        """Ask again for those keys alone that are wrong after all. Whether there was any that can be asked for."""
        self.answers.start, self.answers.given = copy.deepcopy(self.draft), {}
        mended = False
        while problems:
            _, path, found, allowed = problems.pop(0)
            try:
                mended |= self._mend(path.rpartition("[")[0] if path.endswith("]") else path, found, allowed)
            except Back:
                continue
        return mended

    def _mend(self, path: str, found: str, allowed: str) -> bool:
        parent, _, key = path.rpartition(".")
        item = config_errors.at(self.draft, parent)
        if not isinstance(item, dict):
            return False
        self._say(f"{path}: found {found}, allowed: {allowed}")
        if allowed.startswith("no such key"):
            if key in item and self._ask.yes(f"Leave {path} out?", True):
                del item[key]
                return True
            return False
        line = _lines_of(config_errors.section_of(path), item).get(key)
        if line is None or line.split(" ")[1] in ("object", "list"):
            return False
        section = config_errors.section_of(path)
        if key in MORE.get(section, {}):
            self._optional(line, item, path, MORE[section][key], item.get(key))
        else:
            item[key] = self._value(line, item, path, ABOUT.get(section, {}).get(key, ""))
        return True

    def _interview(self) -> None:
        self.draft.setdefault("version", 1)
        self._section("config", self.draft, "")
        self._board()
        complete = self._complete()
        if self._lan():
            self.draft.pop("wifi", None)
        elif complete:
            self._networks()
        else:
            self.draft.setdefault("wifi", {}).setdefault("networks", [])
        cloud = self.draft.setdefault("cloud", {})
        self._section("cloud", cloud, "cloud.", () if complete else _ENTERED)
        self._ports(self._catalog() if complete else [])
        if any(output.get("schedule") for output in self.draft["outputs"]):
            time = self.draft.setdefault("time", {})
            time.setdefault("zone", time_zones.here())
            self._section("time", time, "time.")
        if self._there("toggles"):
            self._items("buttons", "a push button that works without network")
        if "led" in self.draft or self._ask.yes("Is there a status LED?", True):
            self._section("led", self.draft.setdefault("led", {}), "led.")
        self._section("safety", self.draft.setdefault("safety", {}), "safety.")
        if cloud.get("api") != "thinger":
            self._update()

    # Sections

    def _section(self, name: str, item: dict[str, Any], path: str, known: tuple[str, ...] = ()) -> None:
        """Ask for the keys of the object `item` of the draft, but not for those already `known`."""
        lines = _questions(name)
        # Each answer is checked with those before it, and this comes last.
        schedule = item.pop("schedule", [])
        while lines:
            line, about = lines.pop(0)
            key, rule = line.split(" =")[0].split(" ", 1)
            if key == "ca_files" and key not in known:
                self._roots(item)
            elif rule == "object":
                if " =null" not in line or self._ask.yes(about, bool(item.get(key))):
                    item[key] = item.get(key) or {}
                    self._section(key, item[key], f"{path}{key}.")
            elif key not in known:
                item[key] = self._value(line, item, path + key, about)
                if name == "outputs" and key == "active":
                    self._pulled(item, path)
            # What a button can do beside toggling needs the portal.
            alone = item.get(key) == "toggle" and self.draft.get("portal") is None
            if "|" in rule and isinstance(item.get(key), str) and not alone:
                # What belongs to a kind comes last, what belongs to a mode or a cloud at once.
                at = len(lines) if key in known or key == "kind" else 0
                lines[at:at] = _questions(item[key])
        if name == "outputs":
            self._schedule(item, path, schedule)

    def _schedule(self, output: dict[str, Any], path: str, former: list[Any]) -> None:
        """What an output does by itself, if that is wanted."""
        if "schedule" not in _lines_of("outputs", output) or output.get("safe") == "hold":
            return
        what = "temperatures" if "sensor" in output else "values"
        self._say(
            f"While the cloud is away it can follow {what} at times of the week, in place of its safe state."
        )
        if self._ask.yes(f"Should it do that? ({path}schedule)", bool(former)):
            output["schedule"] = former
            self._items("schedule", "a time of the week", holder=output, path=path)

    def _value(self, line: str, item: dict[str, Any], path: str, about: str = "") -> Any:
        head, _, preset = line.partition(" =")
        key, rule = head.split(" ", 1)
        words = _words(rule)
        preset = "" if preset == "none" else preset
        default = item.get(key, json.loads(preset) if preset else words[0] if words else "")
        if str(default).startswith("REPLACE"):
            default = ""
        only_words = len(words) == len(rule.split(" ")[0].split("|"))
        if only_words and len(words) == 1:
            return words[0]
        name, help_ = question(about, path)
        if help_:
            self._say(help_)
        if rule == "false|true":
            return self._ask.yes(name, bool(default))
        there = self._there(key) if key != "mode" or "switch" in words else []
        if there and key == "mode" and not self.draft.get("sensors"):
            self._say("It can regulate by itself only with a sensor, and there is none.")
        if only_words or there:
            known = WORDS.get(key, {})
            offered = there or [(word, known.get(word, "")) for word in words]
            return self._ask.choice(path, name, offered, str(default))

        def check(text: str) -> bool | str:
            return self._complaint(item, key, self._parsed(rule, text, key), path) or True

        if key in boards.PINS:
            self._say(f"Free: {', '.join(self._free(rule, item))}.")
        if not rule.startswith("secret"):
            shown = _shown(default) if default == "" or check(_shown(default)) is True else ""
            value = self._parsed(rule, self._ask.text(path, name, shown, check), key)
            return value if key not in boards.PINS else self._pin(line, item, path, value, about)
        kept = bool(default)
        if kept:
            self._say("Leave it empty to keep the present one.")
        answer = self._ask.secret(path, name, lambda text: (kept and not text) or check(text))
        return answer if answer or not kept else default

    def _free(self, rule: str, item: dict[str, Any]) -> list[str]:
        """What is printed beside the pins that a rule such as $outputs allows and nothing else has."""
        board = boards.of(self.draft)
        others = [
            other for section in ("sensors", "outputs", "buttons") for other in self.draft.get(section) or ()
        ]
        others.append(self.draft.get("led") or {})
        used = {
            self._parsed(rule, str(other.get(key)), "gpio")
            for other in others for key in boards.PINS if other is not item
        }  # fmt: skip
        return [boards.printed(board, gpio) for gpio in sorted(board.offered(rule[1:]) - used)]

    def _parsed(self, rule: str, text: str, key: str) -> Any:
        """The JSON value that an answer means, that of a pin by what is printed beside it too, a zone by its name."""
        if key == "zone":
            return time_zones.rule(text.strip())
        gpio = boards.gpio_of(boards.of(self.draft), text.strip()) if key in boards.PINS else None
        return _parsed(rule, text, key) if gpio is None else gpio

    def _there(self, key: str) -> list[tuple[str, str]]:
        """What there is to pick from, for a key that names another part of the configuration; else nothing."""
        sensors, outputs = self.draft.get("sensors") or [], self.draft.get("outputs") or []
        if key == "sensor":
            found = sorted(sensors, key=lambda sensor: not _is_thermometer(sensor))
        elif key == "toggles":
            found = [output for output in outputs if "sensor" not in output]
        elif key == "mode":
            found = [word for word in kinds.words("outputs") if "sensor" not in ABOUT[word]]
            return [] if sensors else [(word, WORDS["mode"][word]) for word in found]
        else:
            return []
        return [
            (str(item["pin_port"]), ", ".join(str(item[k]) for k in ("name", "kind") if k in item))
            for item in found
            if "pin_port" in item
        ]

    def _pin(self, line: str, item: dict[str, Any], path: str, value: Any, about: str) -> Any:
        """The pin, after a word about it where it decides how the chip starts."""
        doubts = self._said_of(item, path.rpartition(".")[2], value, path, "warning")
        if not doubts:
            return value
        self._say(f"GPIO {value}: {doubts[0]}")
        if self._ask.yes(f"Use GPIO {value} anyway?", False):
            return value
        return self._value(line, item, path, about)

    def _pulled(self, output: dict[str, Any], path: str) -> None:
        """Say so where the chip itself may close this relay at reset."""
        for key, allowed in config_warnings.pin(output, boards.of(self.draft)):
            self._say(f"GPIO {output['gpio']}: better {allowed}")
            if not self._ask.yes(f"Keep GPIO {output['gpio']} for this relay?", False):
                lines = _lines_of("outputs", output)
                output[key] = self._value(lines[key], output, path + key, ABOUT["outputs"][key])

    def _complaint(self, item: dict[str, Any], key: str, value: Any, path: str) -> str:
        """What the device would say to this answer, nothing if it is fine."""
        for allowed in self._said_of(item, key, value, path, "error"):
            return f"Allowed: {allowed}"
        return ""

    def _said_of(self, item: dict[str, Any], key: str, value: Any, path: str, level: str) -> list[str]:
        """What the device says of this answer: at its own place, and what it makes wrong of answers before it."""
        before = dict(item)
        item.pop(key, None)
        try:
            known = {problem[:3] for problem in check_config.validate(self.draft)[1]}
            item[key] = value
            found = check_config.validate(self.draft)[1]
        finally:
            item.clear()
            item.update(before)
        here = [p[3] for p in found if p[0] == level and (p[1] == path or p[1].startswith(f"{path}["))]
        others = [
            f"{allowed} for {where}"
            for said, where, shown, allowed in found
            if said == level == "error" and shown != "nothing" and (said, where, shown) not in known and where != path
            and where.rpartition(".")[2] not in ("sensor", "toggles")  # asked for later, or in the end
        ]  # fmt: skip
        return here or others

    # Parts with an order of their own

    def _update(self) -> None:
        """Updates over the air; their key is drawn, and never shown."""
        if not self.draft.get("update"):
            self._say(
                "It can fetch new firmware from a web server of yours, signed with a key that is generated now."
            )
            if not self._ask.yes("Should it take updates over the air?", False):
                return
        update = self.draft["update"] = self.draft.get("update") or {}
        update["key"] = update.get("key") or update_bundle.new_key()
        self._section("update", update, "update.", ("key",))

    def _complete(self) -> bool:
        """Whether network and keys are to be asked for; not where whoever installs the device enters them."""
        if not self.draft.get("portal"):
            self._say(
                "If it finds no network, it can open a Wi-Fi of its own, with a page to enter network and keys."
            )
            if not self._ask.yes("Should it open such a setup portal?", False):
                return True
            self.draft["portal"] = {}
        return self._ask.yes("Enter network and keys now, not later at the portal?", True)

    def _board(self) -> None:
        """Which board it is: what its pins can do, and what is printed beside them."""
        named = self.draft.get("board")
        chip = self._plugged_in(lambda question: self._ask.yes(question, True))
        offered = [
            (name, _about(board)) for name in boards.every_name()
            if (board := boards.named(name)).chip == (chip or board.chip)
        ]  # fmt: skip
        self._say("A pin can be named as it is printed on the board. realer deploy sends the numbers.")
        self.draft["board"] = self._ask.choice("board", "Which board is it? (board)", offered, str(named))

    def _lan(self) -> bool:
        """Whether the device is connected by a cable."""
        kit = boards.of(self.draft).kit
        if not (kit and kit.lan) or not self._ask.yes(
            "Should it be connected by its LAN, and not by Wi-Fi?", not self.draft.get("wifi")
        ):
            self.draft.pop("lan", None)
            return False
        self.draft["lan"] = self.draft.get("lan") or {}
        if self._ask.yes("More about the LAN: a fixed address, name servers?", False):
            self._more("lan", self.draft["lan"], "lan.")
        return True

    def _networks(self) -> None:
        networks = self.draft.setdefault("wifi", {}).setdefault("networks", [])
        if not networks:
            networks.append({})
        for i, network in enumerate(networks):  # it grows meanwhile
            self._section("networks", network, f"wifi.networks[{i}].")
            if self._ask.yes("More about this network: one access point alone, a fixed address?", False):
                self._more("networks", network, f"wifi.networks[{i}].")
            if i == len(networks) - 1 < _LONGEST - 1 and self._ask.yes("Another network to try?", False):
                networks.append({})
        if self._ask.yes("More about Wi-Fi: country, name servers, power saving?", False):
            self._more("wifi", self.draft["wifi"], "wifi.")

    def _more(self, section: str, item: dict[str, Any], path: str) -> None:
        """Ask for what may be left out, and for what belongs to a fixed address only where there is one."""
        lines = _lines_of(section, item)
        # Each answer is checked with those before it, not with what comes after it and was true of them.
        former = {key: item.pop(key, None) for key in MORE[section]}
        for key, about in MORE[section].items():
            if key not in _OF_FIXED[section] or "ip" in item:
                self._optional(lines[key], item, path + key, about, former[key])

    def _optional(self, line: str, item: dict[str, Any], path: str, about: str, former: Any) -> None:
        """A value, or nothing for a key that is left out."""
        head, _, default = line.partition(" =")
        key, rule = head.split(" ", 1)
        preset = json.loads(default)
        name, help_ = question(about, path)
        if help_:
            self._say(help_)
        if former or former is False:
            self._say(f"{_NONE}: without the present one.")

        def value(text: str) -> Any:
            text = text.strip()
            if text in ("", _NONE):
                return None
            if rule.startswith("false|true"):
                return _YES_NO.get(text.lower(), text)
            return text.replace("-", ":").lower() if key == "bssid" else _parsed(rule, text)

        def check(text: str) -> bool | str:
            return self._complaint(item, key, value(text), path) or True

        item.pop(key, None)
        shown = {True: "yes", False: "no"}.get(former) if isinstance(former, bool) else former or preset
        if isinstance(shown, list):
            shown = ", ".join(shown)
        answer = value(self._ask.text(path, name, shown or "", check))
        if answer is not None:
            item[key] = answer

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
                root = self._roots_of.get((host, port)) or ca.root_of(host, port, self._bundle)
            except Failed as failed:
                self._say(f"{failed.what}. {failed.do}")
                continue
            self._roots_of[host, port] = root
            file = ca.write(root, self._folder / "certs")
            cloud["ca_files"] = [file.relative_to(self._folder).as_posix()]
            self._say(f"{root.name}, {root.key}: {file}")
            return
        self._say("Then name the file, in DER form, beside the configuration; `realer ca` makes it.")
        line = next(line for line in device.rules("cloud") if line.startswith("ca_files "))
        cloud.setdefault("ca_files", ["certs/ca.der"])
        cloud["ca_files"] = self._value(line, cloud, "cloud.ca_files")

    def _catalog(self) -> list[cloud_catalog.Port]:
        """The ports in the cloud, none when nobody wants to ask or the cloud does not say."""
        cloud = self.draft["cloud"]
        if cloud.get("api", "realer") not in _REALER:
            return []
        while self._ask.yes("Read the device's ports from the cloud with these keys?", True):
            try:
                asked = json.dumps(cloud, sort_keys=True)
                if asked not in self._ports_of:
                    roots = [(self._folder / name).read_bytes() for name in cloud["ca_files"]]
                    self._ports_of[asked] = cloud_catalog.read(cloud, roots)
                return self._ports_of[asked]
            except OSError as error:
                self._say(f"{error.filename}: {error.strerror}")
            except Failed as failed:
                self._say(f"{failed.what}. {failed.do}")
                if self._ask.yes("Enter the keys again?", True):
                    rules = device.rules
                    others = [
                        line.split(" ")[0] for line in rules("cloud") + rules(cloud.get("api", "realer"))
                    ]
                    self._section("cloud", cloud, "cloud.", tuple(key for key in others if key not in _KEYS))
        return []

    def _ports(self, ports: list[cloud_catalog.Port]) -> None:
        for role, section, rest in (("sensor", "sensors", "a sensor"), ("output", "outputs", "an output")):
            found = [port for port in ports if port.role == role]
            self._items(section, rest, found)

    def _items(
        self, section: str, rest: str, ports: Sequence[cloud_catalog.Port] = (),
        holder: dict[str, Any] | None = None, path: str = "",
    ) -> None:  # fmt: skip
        """The list `section` of `holder`, which is at `path`: what is there already, what the cloud has, and what the
        person adds. In an object of the file there is one at least."""
        items = (self.draft if holder is None else holder).setdefault(section, [])
        for i, item in enumerate(items):
            shown = ", ".join(f"{key} {item[key]}" for key in _SHOWN if key in item)
            if not self._ask.yes(f"Keep {path}{section}[{i}] ({shown}) as it is?", True):
                self._section(section, item, f"{path}{section}[{i}].")
        for port in ports:
            if port.pin_port not in [item.get("pin_port") for item in items]:
                self._offer(section, items, port)
        more = f"Add {rest}{' that is not in that list' if ports else ''}?"
        while (holder is not None and not items) or self._ask.yes(more, False):
            items.append({})
            self._section(section, items[-1], f"{path}{section}[{len(items) - 1}].")

    def _offer(self, section: str, items: list[dict[str, Any]], port: cloud_catalog.Port) -> None:
        """Map a port of the cloud to a pin, if this board has it."""
        preset = {"pin_port": port.pin_port}
        for line in device.rules(section):
            key, rule = line.split(" =")[0].split(" ", 1)
            if key == "kind":
                preset["kind"] = port.kind
                if port.kind not in _words(rule):
                    self._say(
                        f"Port {port.pin_port} is of kind {port.kind[:40]}, which this firmware does not support."
                    )
                    return
        if self._ask.yes(f"Port {port.pin_port} ({port.kind[:40]}): is it wired to this board?", True):
            items.append(preset)
            self._section(section, preset, f"{section}[{len(items) - 1}].", tuple(preset))


def _about(board: boards.Board) -> str:
    """A board, for whoever has to tell it from others."""
    if not board.kit:
        return f"another board with an {board.name}"
    examples = [boards.printed(board, gpio) for gpio in sorted(board.kit.printed.values())[:2]]
    named = ", ".join(dict.fromkeys([boards.printed(board, max(board.free)), *examples]))
    return f"{board.name}{', with LAN' if board.kit.lan else ''}; pins are called {named}"


def _is_thermometer(sensor: dict[str, Any]) -> bool:
    word = sensor.get("kind")
    return word in kinds.words() and "degrees" in kinds.sensor(word).MEASURES


def _thinger(host: str) -> str:
    """Where devices of Thinger.io log in."""
    return host if ":" in host else f"{host}:25206"


def _lines_of(section: str, item: dict[str, Any]) -> dict[str, str]:
    """The rules of an object by key, with those that its own words add."""
    lines: dict[str, str] = {}
    names = [section]
    while names:
        for line in device.rules(names.pop(0)):
            key = line.split(" ")[0]
            lines.setdefault(key, line)
            names += [item[key]] if "|" in line and isinstance(item.get(key), str) else []
    return lines


def _questions(name: str) -> list[tuple[str, str]]:
    """The rules of a section that are asked for, in order, each with its explanation."""
    lines = {line.split(" ")[0]: line for line in device.rules(name)}
    about = ABOUT.get(name, {})
    required = [key for key, line in lines.items() if " =" not in line and not _words(line.split(" ", 1)[1])]
    order = [key for key in about if key in lines] + [key for key in required if key not in about]
    return [(lines[key], about.get(key, "")) for key in order]


def _words(rule: str) -> list[str]:
    """The words among the alternatives of a rule; none if it is for a text."""
    first, _, rest = rule.partition(" ")
    words = [word for word in first.split("|") if word[0] > "9"]
    return [] if rest[:1].isdigit() or first in ("object", "list") else words


_SI = re.compile(r"(\d*)(?:[.,](\d*))?\s*([kKmMrR])(\d*)\s*(?:Ω|Ohm|ohm)?")
_UNIT = re.compile(r"([-+]?\d*[.,]?\d+)\s*(s|sec|seconds|min|minutes|h|hours|°C|°|C|K|Ω|Ohm|ohm|V|mV)?")
_SECONDS = {"m": 60, "h": 3600}


def _parsed(rule: str, text: str, key: str = "") -> Any:
    """The JSON value that `text` means under a rule; for `key` in its unit: `4k7` ohms, `5 min`, `21,5`, `GPIO16`."""
    kind, _, rest = rule.partition(" ")
    if kind == "list" and text.strip().startswith("["):
        with contextlib.suppress(ValueError):
            return json.loads(text)
    if kind == "list":
        return [_parsed(rest.partition(" ")[2], part.strip()) for part in text.split(",") if part.strip()]
    if any(word[0] <= "9" or word[0] == "-" for word in kind.split("|")) and not rest[:1].isdigit():
        number = _number(text.strip(), key)
        if number is not None:
            return number
    return text.strip() if kind[:6] != "secret" else text


def _number(text: str, key: str) -> int | float | None:
    for kind in (int, float, lambda text: int(text, 16 if text[:2].lower() == "0x" else 10)):
        with contextlib.suppress(ValueError):
            return kind(text)
    pin = re.fullmatch(r"(?:GPIO|IO)\s*(\d+)", text, re.IGNORECASE)
    if pin and key in boards.PINS:
        return int(pin[1])
    short = _SI.fullmatch(text)
    if short and key.endswith("_ohm") and (short[1] or short[4]) and not (short[2] and short[4]):
        value = float(f"{short[1] or 0}.{short[2] or short[4] or 0}")
        value *= {"k": 1000, "M": 1e6, "m": 1e6}.get(short[3] if short[3] != "K" else "k", 1)
        return int(value) if value == int(value) else value
    unit = _UNIT.fullmatch(text)
    if not unit:
        return None
    value = float(unit[1].replace(",", "."))
    of = (unit[2] or "").lower()
    fits = {"s": "_s", "m": "_s", "h": "_s", "ω": "_ohm", "o": "_ohm", "v": "_mv"}.get(of[:1], "")
    if of[:2] == "mv":
        fits = "_mv"
    elif of[:1] in ("°", "c", "k") and of:
        fits = (
            key if key in ("min", "max", "safe", "step", "hysteresis", "value") or key.endswith("_c") else "?"
        )
    if not key.endswith(fits):
        return None
    value *= _SECONDS.get(of[:1], 1) if fits == "_s" else 1000 if of == "v" else 1
    return int(value) if value == int(value) else value


def _shown(default: Any) -> str:
    return ", ".join(map(str, default)) if isinstance(default, list) else str(default)
