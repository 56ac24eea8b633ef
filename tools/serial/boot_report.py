"""Derives from the log of a board how its start after a deploy went.

The lines are those of `main.py`, `firmware/device.py` and the loops. Lines from before the reset, which a board
repeats, do not count. Pure: `tools.cli.deploy` reads the port and decides how long.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from tools.serial.board_log import level

STATUS = "status "
_START = re.compile(
    r"(?:starting, slot (?P<begins>[\w:]+)"
    r"|firmware (?P<version>\S+) in slot (?P<runs>[\w:]+)(?P<why>, as .* failed)?,? .*)"
)
_CONFIG = re.compile(r"config has \d+ errors|no \S+ on this device|\S+ is not JSON|cloud\.ca_files: ")
_CHIP = ("Guru Meditation Error", "abort() was called", "FATAL: ", "Fatal Python error")
_TRACEBACK = "Traceback (most recent call last):"
_LOOK = "The lines above say what happened; `realer monitor` shows what follows."
_LAN = "Check cable, switch and router, and whether board names the kit; the board retries. `realer doctor` tests it."
_WIFI = "Check wifi.networks, and whether the access point offers 2.4 GHz; the board retries. `realer doctor` tests it."


@dataclass(frozen=True)
class Outcome:
    """`kind`: online, refused, crashed, fell_back, configuration, safe_mode, stopped, portal, wifi, lan, time, link,
    loop, restarts, starting, nothing. `text`: what is the case; `do`: what the owner can do about it."""

    kind: str
    text: str
    do: str = ""


class Start:
    """One start, line by line. `slot`: where what was to start lies: "a", "b", "root", or "rom:" and an offset.
    `received`: anything at all, also of the chip's boot loader; `spoke`: the firmware."""

    def __init__(self, slot: str):
        self._slot = slot
        self.received = self.spoke = False
        self._running = ""  # the slot that said it starts
        self._version = ""
        self._starts = 0
        self._wrong: list[str] = []  # errors so far: those of a configuration come one by one
        self._doing: Outcome | None = None  # what it waits for
        self._frames: list[str] | None = None

    def take(self, line: str) -> Outcome | None:
        """The outcome, as soon as a line decides it; `line` as it is shown, with a ? for what cannot be."""
        self.received = self.received or bool(line.strip("?> OK"))
        if self._frames is not None or line.startswith(_TRACEBACK):
            return self._traceback(line)
        if line.startswith(_CHIP):
            return self._crashed(line)
        if line.startswith("stopped, outputs are safe"):
            return Outcome("stopped", "somebody stopped the firmware at the console", "Reset the board.")
        of, text = level(line), line.split(" ", 2)[-1]
        if found := _START.fullmatch(text if of else line):
            return self._started(found, bool(of))
        return self._logged(of, text) if of and self._running else None

    def answered(self, line: str) -> Outcome | None:
        """The same of an answer to `status`, for whoever missed the first lines because the port was away."""
        self.received = True
        try:
            answer = json.loads(line.removeprefix(STATUS))
            found = self._now(str(answer["slot"]), str(answer["version"]), "")
        except (ValueError, KeyError, TypeError):
            return None  # bytes were lost on the wire, or there was no memory for it
        self._starts = max(self._starts, 1)
        return found or (self._logged("I", "online") if answer.get("state") == "online" else None)

    def over(self, seconds: float) -> Outcome:
        """What is to be said when nothing decided it in that time."""
        if not self.received:
            return Outcome(
                "nothing",
                f"nothing received from the board in {seconds:.0f} s",
                "Is it still plugged in? Press its reset button, and watch realer monitor.",
            )
        if self._starts > 1:
            return Outcome("restarts", f"the board started {self._starts} times in {seconds:.0f} s", _LOOK)
        if not self._version:
            what = f"began to start slot {self._running}, and no more" if self._running else "did not start"
            return Outcome(
                "starting", f"the board responds, but the firmware {what} in {seconds:.0f} s", _LOOK
            )
        return self._doing or Outcome(
            "link", f"not online after {seconds:.0f} s, and no reason logged", _LOOK
        )

    def _traceback(self, line: str) -> Outcome | None:
        if self._frames is None:
            self._frames = []
        elif line[:1] == " ":
            self._frames.append(line.strip())
        elif line:
            where = f" ({self._frames[-1]})" if self._frames else ""
            return self._crashed(line + where)
        return None

    def _crashed(self, text: str) -> Outcome:
        do = f"A new version that fails three times is replaced by the previous one, if any. {_LOOK}"
        return Outcome("crashed", f"the firmware crashed: {text}", do)

    def _started(self, found: re.Match[str], logged: bool) -> Outcome | None:
        self._starts += not logged
        return self._now(
            found["runs"] or found["begins"], found["version"] or self._version, found["why"] or ""
        )

    def _now(self, running: str, version: str, failed: str) -> Outcome | None:
        """That slot runs, and `failed` says which one does not any more."""
        self.spoke = True
        self._running, self._version = running, version
        # `main.py` knows the ROM partition, and not which copy in it.
        if self._running == self._slot or (self._running == "rom" and self._slot.startswith("rom:")):
            return None
        why = failed.removeprefix(", ")
        text = f"fell back to slot {self._running}" + (
            f", {why}" if why else f" instead of slot {self._slot}"
        )
        return Outcome("fell_back", text, _LOOK)

    def _logged(self, of: str, text: str) -> Outcome | None:
        """What a line of the log decides, or is remembered for."""
        head, _, rest = text.partition(": ")
        if text == "online":
            return Outcome("online", f"online: firmware {self._version} in slot {self._running}")
        if _CONFIG.match(text):
            why = "; ".join(self._wrong) or text
            do = "Correct it (see realer check_config) and deploy again. Outputs are safe; a setup portal may be open."
            return Outcome("configuration", f"the configuration cannot be used: {why}", do)
        if head == "refused":
            return Outcome(
                "refused", f"the cloud refused: {rest}", "Correct what it names; the board retries."
            )
        if head == "safe mode":
            return Outcome("safe_mode", text, "Look at the log, correct it, reset.")
        if head == "portal" and rest.startswith("open"):
            do = "Join that Wi-Fi with a phone, and enter network and keys."
            return Outcome("portal", f"no network; the setup portal is {rest}", do)
        if of == "E":
            self._wrong.append(text)
        self._doing = self._waiting(of, text, head, rest) or self._doing
        return None

    def _waiting(self, of: str, text: str, head: str, rest: str) -> Outcome | None:
        if head in ("Wi-Fi", "LAN") and rest.startswith("address"):
            return Outcome("time", "no time from the network yet", _LOOK)
        if head == "LAN":
            return (
                self._doing
                if rest == "starting" and self._doing
                else Outcome("lan", f"waiting for the LAN: {rest}", _LAN)
            )
        if head == "Wi-Fi":
            joining = rest.startswith("joining") and self._doing
            return self._doing if joining else Outcome("wifi", f"waiting for Wi-Fi: {rest}", _WIFI)
        if head == "no time":
            return Outcome(
                "time", text, "Let UDP 123 through, or name a server that is reachable in time.servers."
            )
        if text == "clock set":
            return Outcome("link", "waiting for the cloud", _LOOK)
        if head == "link failed":
            return Outcome(
                "link",
                f"the cloud is not reached: {rest}",
                "`realer doctor` asks the board about network and certificates.",
            )
        if head[:5] == "loop ":
            return Outcome("loop", text, _LOOK)
        return None
