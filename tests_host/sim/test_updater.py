"""Fetching a bundle goes wrong: what is tried again, and what is not. In virtual time, with a fetch made to order."""

import asyncio
from types import SimpleNamespace

import pytest

from firmware import update
from firmware.core.errors import ConfigError, LinkError
from firmware.core.release import Release
from firmware.runtime.clock import Clock
from firmware.updater import UpdateLoop


async def sleep_ms(ms):
    await asyncio.sleep(ms / 1000)


class Rig:
    """An update loop of a device that is online and has just been asked for bundle 8."""

    def __init__(self, monkeypatch, outcomes, exclusive=False):
        self.exclusive = exclusive
        self.tries, self.resets, self.said = [], [], []
        self.outcomes = list(outcomes)
        loop = asyncio.get_running_loop()
        self.now = loop.time
        clock = Clock(lambda: int(loop.time() * 1000), sleep_ms)
        supervisor = SimpleNamespace(
            clock=clock, rng=lambda: 1 << 31, say=lambda level, text: self.said.append(text),
            store=SimpleNamespace(load=lambda name: {}), board=SimpleNamespace(reset=self.reset),
        )  # fmt: skip
        self.paused = False
        session = SimpleNamespace(online=True, pause=self.pause, resume=self.resume)
        link = SimpleNamespace(exclusive=lambda: exclusive)
        device = SimpleNamespace(supervisor=supervisor, session=session, link=link, shutdown=self.shutdown)
        self.release = Release("u", 7)
        self.release.demand(8)
        self.loop = UpdateLoop(device, {"prove_s": 60}, self.release)
        monkeypatch.setattr(update, "fetch", self.fetch)

    async def fetch(self, *arguments):
        assert self.paused == self.exclusive, "one TLS connection at a time, where two do not fit"
        self.tries.append(self.now())
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome:
            raise outcome

    async def shutdown(self):
        pass

    async def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False

    def reset(self):
        self.resets.append(self.now())

    async def play(self, seconds):
        task = asyncio.create_task(self.loop.run(lambda: None))
        await asyncio.sleep(seconds)
        task.cancel()


@pytest.mark.parametrize("error", [MemoryError(), LinkError("the cloud is away")])
async def test_what_may_go_better_later_is_tried_again(virtual_loop, monkeypatch, error):
    rig = Rig(monkeypatch, [error, error])
    await rig.play(120)
    first, second, third = rig.tries[:3]
    assert second - first >= 5 and third - second > second - first
    assert rig.resets and rig.release.target == 8


async def test_it_is_given_up_when_it_never_goes_better(virtual_loop, monkeypatch):
    rig = Rig(monkeypatch, [MemoryError()] * 99)
    await rig.play(3600)
    assert len(rig.tries) == 6 and not rig.resets
    assert rig.release.target is None and rig.release.why == "no memory"


async def test_what_is_wrong_with_the_bundle_itself_is_not_tried_again(virtual_loop, monkeypatch):
    rig = Rig(monkeypatch, [ConfigError("not signed by the owner")])
    await rig.play(3600)
    assert len(rig.tries) == 1 and not rig.resets and rig.release.target is None


@pytest.mark.parametrize("exclusive", [True, False])
async def test_the_link_rests_while_a_bundle_is_fetched_where_two_connections_do_not_fit(
    virtual_loop, monkeypatch, exclusive
):
    rig = Rig(monkeypatch, [LinkError("the server is away")], exclusive)
    await rig.play(120)
    assert rig.tries[1] == rig.resets[0] and not rig.paused
