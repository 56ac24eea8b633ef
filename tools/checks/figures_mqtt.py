"""Measures the figures of MQTT with a real mosquitto: latency, publishes per second, renewal, heap and stall."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import statistics
import time
from typing import Any

from tools.checks import bench_servers, cycles
from tools.checks.figures import HEAP, STALL, Figures, Line, line, run_probe
from tools.cloud.certs import TestCA
from tools.cloud.entities import Plan
from tools.cloud.site import CERTS
from tools.fixture.system import NotInTimeError, SystemFixture
from tools.repository import ROOT

_TRIALS = 250
_MEDIAN_MS, _P99_MS = 5, 25
_TIMES = 5
_GAP_MS, _GAP_ALONE_MS = 500, 6000
"""Without a session at a renewal: with memory for two TLS connections, and on the 32-bit board with memory for one."""
_EVERY_S = 0.3
_HOST = "mqtt.realer.test"


class MqttFigures(Figures):
    """Those of MQTT beside the others."""

    async def mqtt_latency(self) -> list[Line]:
        """From the desired value in the cloud to the level on the pin, asked for at random moments."""
        chance, took = random.Random(1), []
        async with self.fixture(transport="mqtt") as fixture:
            await fixture.online()
            await asyncio.sleep(1)
            for trial in range(_TRIALS):
                await asyncio.sleep(chance.uniform(0.05, 0.3))
                took.append(await _switch(fixture, trial % 2 == 0))
        took.sort()
        about: dict[str, Any] = {
            "bits": self._found.bits,
            "trials": _TRIALS,
            "min": round(took[0], 1),
            "max": round(took[-1], 1),
        }
        what, p99 = "desired state published to relay switched", took[int(_TRIALS * 0.99)]
        return [
            line(f"{what}, median (ms)", round(statistics.median(took), 1), _MEDIAN_MS, **about),
            line(f"{what}, p99 (ms)", round(p99, 1), _P99_MS, **about),
        ]

    async def mqtt_publishes(self) -> Line:
        """The engine alone, on the real MicroPython, at a broker configured like the cloud's."""
        rates = await self._rates(3 if self._quick else 10)
        alone, together = statistics.median(rates["alone"]), statistics.median(rates["together"])
        ratio = round(together / alone, 1)
        return line(
            "QoS 1 publishes over TLS, those of one at a time (times)", ratio, _TIMES, at_least=True,
            bits=self._found.bits, per_s=together, alone_per_s=alone,
        )  # fmt: skip

    async def _rates(self, rounds: int) -> dict[str, list[int]]:
        certs, topic = TestCA(CERTS), "bench/publishes"
        async with bench_servers.broker(certs, "bench", topic) as port:
            orders = {
                "lib": str(self._settings.get("tree", ROOT) / "lib"), "ca": str(certs.der.resolve()), "host": _HOST,
                "port": port, "topic": topic, "rounds": rounds, "account": ["bench", "bench", bench_servers.SECRET],
            }  # fmt: skip
            status, printed = await asyncio.to_thread(run_probe, self._found, "publishes", orders)
        if status:
            raise OSError(printed)
        found: dict[str, list[int]] = json.loads(printed)
        return found

    async def mqtt_renewal(self) -> list[Line]:
        """Credentials that are renewed every few seconds, while desired states go down and reports up."""
        times = 3 if self._quick else 10
        plan = Plan(credential_s=60, credential_renew_s=4)
        async with self.fixture(transport="mqtt", plan=plan) as fixture:
            await fixture.online()
            async with fixture.traffic(lambda on: asyncio.sleep(_EVERY_S)):
                await fixture.until("renewals", lambda: len(fixture.gaps_ms()) >= times, 20 * times)
            with contextlib.suppress(NotInTimeError):
                await fixture.until("everything is reported", lambda: not lost(fixture), 10)
        gaps = fixture.gaps_ms()
        about: dict[str, Any] = {"renewals": len(gaps), "events": len(numbers(fixture))}
        most_ms, median = (
            _GAP_ALONE_MS if fixture.interpreter.bits == 32 else _GAP_MS,
            round(statistics.median(gaps)),
        )
        return [
            line("renewal gap, longest (ms)", round(max(gaps)), most_ms, median=median, **about),
            line("events lost in renewals", lost(fixture), 0, **about),
        ]

    async def cycles_mqtt(self) -> list[Line]:
        """Thousands of messages with every fault on the way, and renewals, between two rests."""
        plan = Plan(credential_s=600, credential_renew_s=300)
        return await self._cycles("mqtt", "messages", plan=plan)

    async def cycles_changes(self) -> Line:
        """Hundreds of changes from MQTT to polling and back, between two rests."""
        times = 25 if self._quick else 500
        plan = Plan(credential_s=600, credential_renew_s=300)
        async with self.fixture(HEAP, transport="auto", edit=cycles.calm, plan=plan) as fixture:
            await fixture.online(60)
            for _ in range(5):
                await cycles.change(fixture)
            before = await cycles.at_rest(fixture)
            for _ in range(times):
                await cycles.change(fixture)
            after = await cycles.at_rest(fixture)
            about: dict[str, Any] = {"bits": fixture.interpreter.bits, "changes": 2 * times}
            about |= {"before": before.used, "after": after.used, "boots": fixture.board.boots}
            about |= {"third_area": fixture.third_area} | fixture.memory()
        what = "heap growth over changes of transport (bytes)"
        return line(what, after.used - before.used, cycles.NOISE_BYTES, **about)

    async def stall_mqtt(self) -> Line:
        """A session that is held, and used, and needs no TLS handshake meanwhile."""
        async with self.fixture(STALL, transport="mqtt") as fixture:
            await fixture.online()
            async with fixture.traffic(lambda on: asyncio.sleep(_EVERY_S)):
                return await self._stall("online over MQTT", fixture)


def numbers(fixture: SystemFixture) -> list[int]:
    """The numbers that the device gave its events, as far as the cloud has stored them."""
    return [int(item["message_id"].rpartition("-")[2], 16) for item in fixture.model.named("feed_stored")]


def lost(fixture: SystemFixture) -> int:
    """How many of the device's events up to the last one that is stored are not."""
    found = numbers(fixture)
    return max(found) - len(set(found))


async def _switch(fixture: SystemFixture, on: bool) -> float:
    """Want the pump on or off; the milliseconds until the relay did it."""
    at = time.monotonic()
    fixture.want("6", int(on))
    await fixture.until("the relay switches", lambda: fixture.switched("pump", on, at), 5)
    return ((fixture.switched("pump", on, at) or at) - at) * 1000
