"""Fetching a bundle goes wrong: what is tried again, and what is not. In virtual time, with a fetch made to order."""

import asyncio
from types import SimpleNamespace

import pytest

from firmware import update
from firmware.core.errors import ConfigError, LinkError
from firmware.core.models import Secret
from firmware.core.release import Release
from firmware.runtime.clock import Clock
from firmware.updater import UpdateLoop, release
from tools.cli.update_bundle import rescue


async def sleep_ms(ms):
    await asyncio.sleep(ms / 1000)


HANGS = object()
KEY = "test-update-key-not-real"
SETTINGS = {"prove_s": 60, "url": "https://update.test", "folder": "/firmware/", "key": Secret(KEY)}


class Rig:
    """An update loop of a device that is online and has just been asked for bundle 8."""

    def __init__(self, monkeypatch, outcomes, exclusive=False, record=None):
        self.exclusive = exclusive
        self.tries, self.resets, self.output, self.fetched = [], [], [], []
        self.outcomes = list(outcomes)
        loop = asyncio.get_running_loop()
        self.now = loop.time
        clock = Clock(lambda: int(loop.time() * 1000), sleep_ms)
        self.record = record or {}
        self.tried = {}
        self.paused = False
        cloud_loop = SimpleNamespace(online=True, pause=self.pause, resume=self.resume)
        link = SimpleNamespace(exclusive=lambda: exclusive, lend=self.lend)
        self.net = SimpleNamespace(distrusted=False)
        network = SimpleNamespace(net=self.net)
        device = SimpleNamespace(cloud_loop=cloud_loop, link=link, network=network, shutdown=self.shutdown)
        self.cloud_loop = cloud_loop
        self.release = Release("u", 7, 7)
        self.release.demand(None if record else 8)
        self.loop = UpdateLoop(
            device, SETTINGS, self.release, clock, lambda: 1 << 31, self.log, self, self.reset
        )
        monkeypatch.setattr(update, "fetch", self.fetch)

    def load(self, name):
        return dict(self.record if name == "slot.json" else self.tried)

    def save(self, name, record):
        if name == "slot.json":
            self.record = record
        else:
            self.tried = record
        return True

    async def lend(self, host, port):
        """The client for the update server: this rig, which answers which bundle is for lost devices."""
        assert (host, port) == ("update.test", 443)
        return self

    failures = OSError

    def close(self):
        pass

    async def request(self, method, path, headers):
        assert (method, path) == ("GET", "/firmware/rescue")
        number = await self.fetch(None)
        return SimpleNamespace(status=200, body=rescue(number, KEY.encode()).encode())

    async def fetch(self, number, *arguments):
        self.fetched.append(number)
        assert self.paused == self.exclusive, "one TLS connection at a time, where two do not fit"
        self.tries.append(self.now())
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is HANGS:
            await asyncio.Event().wait()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def log(self, level, text):
        self.output.append(text)

    def confirm_update(self, online):
        return online

    async def shutdown(self):
        pass

    async def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False

    def reset(self):
        self.resets.append(self.now())
        self.cloud_loop.online = False

    async def play(self, seconds):
        task = asyncio.create_task(self.loop.run(lambda: None))
        await asyncio.sleep(seconds)
        task.cancel()


@pytest.mark.parametrize("error", [MemoryError(), LinkError("the cloud is away")])
async def test_a_temporary_failure_is_tried_again(virtual_loop, monkeypatch, error):
    rig = Rig(monkeypatch, [error, error])
    await rig.play(120)
    first, second, third = rig.tries[:3]
    assert second - first >= 5 and third - second > second - first
    assert rig.resets and rig.release.target == 8


async def test_repeated_failures_end_the_update(virtual_loop, monkeypatch):
    rig = Rig(monkeypatch, [MemoryError()] * 99)
    await rig.play(3600)
    assert len(rig.tries) == 6 and not rig.resets
    assert rig.release.target is None and rig.release.why == "no memory"


async def test_an_invalid_bundle_is_not_tried_again(virtual_loop, monkeypatch):
    rig = Rig(monkeypatch, [ConfigError("not signed by the owner")])
    await rig.play(3600)
    assert len(rig.tries) == 1 and not rig.resets and rig.release.target is None


@pytest.mark.parametrize("exclusive", [True, False])
async def test_the_link_is_closed_while_a_bundle_is_fetched_with_one_connection(
    virtual_loop, monkeypatch, exclusive
):
    rig = Rig(monkeypatch, [LinkError("the server is away")], exclusive)
    await rig.play(120)
    assert rig.tries[1] == rig.resets[0] and not rig.paused


async def test_an_update_is_resumed_after_a_restart(virtual_loop, monkeypatch):
    """Without a new desired value: a value that was there before the start is none."""
    rig = Rig(monkeypatch, [], record={"slot": "a", "asked": [8, 1]})
    await rig.play(120)
    assert rig.fetched[0] == 8 and rig.resets


@pytest.mark.parametrize("desired_state", [9, 7])
async def test_a_newer_desired_number_replaces_it(virtual_loop, monkeypatch, desired_state):
    """7 is the number that runs: the update was taken back."""
    rig = Rig(monkeypatch, [], record={"slot": "a", "asked": [8, 1]})
    rig.release.demand(desired_state)
    await rig.play(5)
    assert rig.fetched[:1] == ([9] if desired_state == 9 else [])
    assert rig.record.get("asked") == ([9, 1] if desired_state == 9 else None)


async def test_a_safe_state_postpones_the_update(virtual_loop, monkeypatch):
    rig = Rig(monkeypatch, [LinkError("away")])
    task = asyncio.create_task(rig.loop.run(lambda: None))
    await asyncio.sleep(3)
    rig.cloud_loop.online = False
    rig.release.demand(None)
    await asyncio.sleep(600)
    assert len(rig.fetched) == 1
    rig.cloud_loop.online = True
    await asyncio.sleep(60)
    assert rig.fetched[:2] == [8, 8] and rig.resets
    task.cancel()


async def test_an_abandoned_update_is_not_resumed(virtual_loop, monkeypatch):
    rig = Rig(monkeypatch, [ConfigError("not signed by the owner")])
    await rig.play(100)
    assert rig.record == {} and rig.release.why == "not signed by the owner"


async def test_a_bundle_that_crashes_the_board_each_time_is_abandoned(virtual_loop, monkeypatch):
    record, starts = {"slot": "a", "asked": [8, 1]}, 0
    while record.get("asked"):
        rig = Rig(monkeypatch, [HANGS], record=record)
        task = asyncio.create_task(rig.loop.run(lambda: None))
        await asyncio.sleep(1.5)
        task.cancel()
        record, starts = rig.record, starts + 1
        assert starts < 20
    assert starts == 6 and rig.release.why


def lost(monkeypatch, outcomes, **more):
    """A device of which the cloud's certificate is not trusted, and that nobody asked for anything."""
    rig = Rig(monkeypatch, outcomes, **more)
    rig.release.demand(None)
    rig.cloud_loop.online, rig.net.distrusted = False, True
    return rig


@pytest.mark.parametrize("exclusive", [True, False])
async def test_a_device_that_does_not_trust_its_cloud_asks_after_an_hour(
    virtual_loop, monkeypatch, exclusive
):
    rig = lost(monkeypatch, [9], exclusive=exclusive)
    started = rig.now()
    await rig.play(3590)
    assert not rig.fetched
    await rig.play(60)
    assert rig.fetched == [None, 9] and not rig.paused
    assert rig.resets == [rig.tries[1]] and rig.resets[0] - started > 3600
    assert rig.tried == {"number": 9, "trials": 1}


async def test_only_certificates_that_are_not_trusted_make_it_ask(virtual_loop, monkeypatch):
    """A cloud that is down, and certificates that were wrong for less than an hour."""
    rig = lost(monkeypatch, [9])
    task = asyncio.create_task(rig.loop.run(lambda: None))
    for _ in range(5):
        await asyncio.sleep(3500)
        rig.net.distrusted = False
        await asyncio.sleep(7200)
        rig.net.distrusted = True
        await asyncio.sleep(3500)
        rig.cloud_loop.online = True
        await asyncio.sleep(10)
        rig.cloud_loop.online = False
    task.cancel()
    assert not rig.fetched


@pytest.mark.parametrize("number", [0, 6, 7])
async def test_nothing_newer_than_what_runs_is_installed(virtual_loop, monkeypatch, number):
    rig = lost(monkeypatch, [number] * 9)
    await rig.play(8000)
    assert rig.fetched == [None, None] and not rig.resets and not rig.paused


@pytest.mark.parametrize("error", [LinkError("away"), ConfigError("not signed"), MemoryError()])
async def test_it_asks_again_an_hour_later(virtual_loop, monkeypatch, error):
    rig = lost(monkeypatch, [error, 9, error, 9])
    await rig.play(11500)
    first, second, _, third, _ = rig.tries
    assert second - first > 3600 and third - second > 3600
    assert rig.fetched == [None, None, 9, None, 9] and rig.resets
    assert rig.tried == {"number": 9, "trials": 1}, "only what was put in place was tried"


async def test_a_bundle_that_did_not_help_is_tried_twice_and_a_newer_one_again(virtual_loop, monkeypatch):
    for trials, fetched in ((1, [None, 9]), (2, [None])):
        rig = lost(monkeypatch, [9])
        rig.tried = {"number": 9, "trials": trials}
        await rig.play(3700)
        assert rig.fetched == fetched
    rig = lost(monkeypatch, [10])
    rig.tried = {"number": 9, "trials": 2}
    await rig.play(3700)
    assert rig.fetched == [None, 10] and rig.tried == {"number": 10, "trials": 1}


CONFIRMED = {"slot": "b", "back": "a", "online": True, "number": 7, "was": 6}
ON_TRIAL = CONFIRMED | {"tries": 0}


async def test_a_copy_on_trial_gives_way_when_it_was_not_online_for_ten_times_prove_s(
    virtual_loop, monkeypatch
):
    rig = Rig(monkeypatch, [], record=ON_TRIAL)
    rig.cloud_loop.online = False
    await rig.play(599)
    assert not rig.resets
    await rig.play(2)
    assert rig.resets


async def test_a_confirmed_copy_waits_for_its_network_and_asks_for_the_bundle_of_lost_devices(
    virtual_loop, monkeypatch
):
    """Found by reading: it was as if on trial after each start, so it was reset every ten minutes without a network,
    and never asked."""
    rig = Rig(monkeypatch, [], record=CONFIRMED)
    rig.cloud_loop.online = False
    await rig.play(5000)
    assert not rig.resets and not rig.fetched
    rig = lost(monkeypatch, [9], record=CONFIRMED)
    await rig.play(3700)
    assert rig.fetched == [None, 9] and len(rig.resets) == 1


@pytest.mark.parametrize(("record", "reported"), [(CONFIRMED, 7), (ON_TRIAL, 6), ({}, 0)])
def test_the_number_of_a_copy_on_trial_is_not_reported(record, reported):
    target = release({"pin_port": "99"}, SimpleNamespace(load=lambda name: record))
    assert (target.value(), target.number) == (reported, record.get("number", 0))


async def test_it_is_reported_when_it_is_confirmed(virtual_loop, monkeypatch):
    rig = Rig(monkeypatch, [], record=ON_TRIAL)
    rig.release.reported = 6.0
    task = asyncio.create_task(rig.loop.run(lambda: None))
    await asyncio.sleep(59)
    assert rig.release.value() == 6
    await asyncio.sleep(10)
    task.cancel()
    assert rig.release.value() == 7 and not rig.resets and rig.output == ["update: this copy is confirmed"]
