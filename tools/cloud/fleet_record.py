"""What a fleet of devices at one cloud is, and what is counted of it, in real time as in virtual time.

Pure but for the listeners: a Record gets what the cloud's model reports, and each switch of a pump.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tools.cloud.entities import Command, Device, Sensor
from tools.cloud.model import Model

PORT, PUMP = "6", "pump"
"""The command that is switched again and again, and its relay."""
_SECRET = "test-secret-not-real"


def fleet_device(number: int) -> Device:
    """The demo's device under another id, with keys of its own."""
    return Device(
        number, client_id(number), _SECRET,
        commands=[Command(1, PORT), Command(2, "9", value="18.5", limits=(5, 35, 0.5))],
        sensors=[Sensor(1, "14"), Sensor(2, "15", kind="ldr_sensor", qc="illuminance", mu="lux:0")],
    )  # fmt: skip


def client_id(number: int) -> str:
    return f"cdv_{number:026d}"


def fleet_config(config: dict[str, Any], number: int) -> dict[str, Any]:
    """The configuration of that device. No button and no LED: most of a device's turns would be looks at them."""
    config["cloud"] |= {"device_id": str(number), "client_id": client_id(number), "client_secret": _SECRET}
    config["cloud"] |= {"poll_s": 10, "probe_s": 60}
    config["buttons"] = []
    config.pop("led")
    for output in config["outputs"]:
        output["min_off_s"] = 0
    for sensor in config["sensors"]:
        sensor["period_s"] = 10
    return config


class Rate:
    """How many of something happened in each second, by counts that were taken now and then."""

    def __init__(self) -> None:
        self._at: list[float] = []
        self._counts: list[int] = []

    def count(self, at: float, so_far: int) -> None:
        if not self._counts or so_far != self._counts[-1] or at - self._at[-1] >= 1:
            self._at.append(at)
            self._counts.append(so_far)

    def peak(self, since: float) -> int:
        """The most within a second, from that moment on."""
        first = bisect_left(self._at, since)
        best, before = 0, 0
        for right in range(first, len(self._at)):
            # What was counted last before that second began.
            while before < right and self._at[before + 1] <= self._at[right] - 1:
                before += 1
            best = max(best, self._counts[right] - self._counts[before])
        return best

    def total(self, since: float) -> int:
        first = max(bisect_left(self._at, since) - 1, 0)
        return self._counts[-1] - self._counts[first] if self._counts else 0


class Record:
    """What a fleet did. `now()`: seconds, the clock of the model's events.

    `began`: when it began. `latencies`: seconds from each desired value to its relay. `sent_again`: events that came
    once more and were known.
    """

    def __init__(self, model: Model, now: Callable[[], float]) -> None:
        self._model, self._now = model, now
        self.latencies: list[float] = []
        self.sent_again = 0
        self.began, self._since = now(), 0.0
        self._on: dict[str, bool] = {}
        self._asked: dict[str, tuple[bool, float]] = {}
        self._ids: dict[str, dict[str, set[int]]] = {}
        self._answers = Counter[str]()
        self._contact: dict[str, float] = {}
        model.listeners.append(self._happened)

    def begin(self) -> None:
        """Of latencies only those count that begin from now on."""
        self.latencies, self._since = [], self._now()

    # what the owner does

    def ask(self, key: str) -> None:
        """Let the owner of that device ask for the other state of its pump."""
        on = not self.desired(key)
        self._asked[key] = on, self._now()
        self._model.set_desired(key, PORT, int(on), self._now())

    def desired(self, key: str) -> bool:
        return float(self._model.desired(key, PORT)) > 0

    # what it gets

    def switched(self, key: str, on: bool) -> None:
        """The relay of a pump is on or off now."""
        if self._on.get(key, False) == on:
            return
        self._on[key] = on
        asked = self._asked.get(key)
        if asked and asked[0] == on:
            del self._asked[key]
            if asked[1] > self._since:
                self.latencies.append(self._now() - asked[1])

    def _happened(self, event: dict[str, Any]) -> None:
        name, key = event["event"], event["device"]
        if name in ("mqtt_connected", "mqtt_subscribed", "catalog_read"):
            self._contact[key] = event["at"]
        elif name == "feed_stored":
            start, _, number = event["message_id"].rpartition("-")
            self._ids.setdefault(key, {}).setdefault(start, set()).add(int(number, 16))
        elif name == "feed_replayed":
            self.sent_again += 1
        elif name == "desired_answered":
            self._answers[event["desired_id"]] += 1

    # what came of it

    def back(self, keys: Sequence[str], since: float) -> int:
        """How many are on MQTT again with a session of after that moment."""
        held = {session["device"]: session["since"] for session in self._model.sessions.values()}
        return sum(held.get(key, 0) >= since and self._contact.get(key, 0) >= since for key in keys)

    def latest(self, keys: Sequence[str]) -> float:
        """When the last of them subscribed, or read desired values, the last time."""
        return max(self._contact.get(key, 0) for key in keys)

    def reconciled(self, key: str) -> bool:
        """Whether relay and report are what the owner asked for last."""
        reported = self._model.reported(key, PORT)
        desired = self.desired(key)
        return (
            self._on.get(key, False) == desired and reported is not None and (float(reported) > 0) == desired
        )

    def waiting(self) -> int:
        """How many desired values no relay has followed yet."""
        return len(self._asked)

    def lost(self) -> int:
        """Events that a device made between others which the cloud has: their numbers are missing."""
        return sum(max(ids) - len(ids) for starts in self._ids.values() for ids in starts.values())

    def stored(self) -> int:
        return sum(len(ids) for starts in self._ids.values() for ids in starts.values())

    def doubled(self) -> int:
        """Desired states that were acknowledged more than once."""
        return sum(count > 1 for count in self._answers.values())

    def latency(self) -> dict[str, int]:
        """Milliseconds: half, 95 of 100 and 99 of 100 took no longer, and the longest."""
        if len(self.latencies) < 2:
            return {}
        cuts = statistics.quantiles(self.latencies, n=100, method="inclusive")
        found = {"median": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(self.latencies)}
        return {name: round(seconds * 1000) for name, seconds in found.items()}
