"""The power is cut at every write of a story, before it and behind it: no answer is lost, given twice, or obeyed again.

What a file system that survives power cuts promises is kept here too: a file has its new content once it was closed,
and a rename happens or does not.
"""

import asyncio
import re
from pathlib import Path

import pytest

from tests_host.sim.conftest import check_always, pump
from tests_host.support.linkbench import HELD, POLLING, named
from tools.sim.loop import VirtualLoop
from tools.sim.sim_device import SimDevice, demo_config

_ROWS = [row for row in (*POLLING, *HELD) if row[0] != "auto"]
_DESIRED = re.compile(r'"(des_[0-9]{26})", "(applied|rejected|stale)"')
_PUMP, _HEATER = 1, 2


class Flash:
    """Counts what is changed in `folder`, and dies at change number `last` (0: never): before it, or once it is done.
    `answers`: {desired_id: message_id} of what an event on it says."""

    def __init__(self, patch, last=0, done=False):
        self.changes, self.last, self.done, self.dead = 0, last, done, False
        self.death = asyncio.Event()
        self.answers = {}
        for module in ("journal.files", "firmware.runtime.store"):
            patch.setattr(f"{module}.open", self.open, raising=False)
            patch.setattr(f"{module}.os", self)

    def open(self, path, mode="r"):
        return _File(self, path, mode) if mode[0] in "wa" else Path(path).open(mode)

    def rename(self, old, new):
        self.change(lambda: Path(old).rename(new))

    def change(self, make):
        self.changes += not self.dead
        if self.dead or (self.changes == self.last and not self.done):
            self.die()
        make()
        if self.changes == self.last:
            self.die()

    def die(self):
        self.dead = True
        self.death.set()
        raise asyncio.CancelledError


class _File:
    def __init__(self, flash, path, mode):
        self.flash, self.path, self.mode, self.data = flash, path, mode, []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.flash.change(self.make)

    def write(self, data):
        self.data.append(data)
        return len(data)

    def make(self):
        with Path(self.path).open(self.mode) as f:
            for data in self.data:
                f.write(data)
                text = data if isinstance(data, str) else data.decode("latin-1")
                for desired_id, _ in _DESIRED.findall(text):
                    self.flash.answers.setdefault(desired_id, re.search(r'\["([^"]+)"', text)[1])


class Scenario:
    """A device at the cloud of `row` that is played with until the story or its power ends."""

    def __init__(self, loop, folder, row):
        def edit(config):
            config["outputs"][0]["safe"] = "hold"
            return config

        self.device = SimDevice(
            loop, folder, edit(demo_config(api=row[0], transport=row[1])), mqtt=row[2], most_tls=1
        )
        self.device.model.served.bootstrap = row[0] == "bootstrap"
        self.messages = []
        if self.device.broker:
            self.device.broker.on_desired = self.messages.append

    def power_on(self):
        self.device.power_on()
        for command in self.device.app.controller.commands:
            self.device.history.watch(command, "pending")

    def accepted(self):
        """The identities of the desired states that the device has taken for new ones, in order."""
        return [
            desired.desired_id
            for desired in self.device.history.of("pending")
            if desired and desired.desired_id
        ]

    async def play(self):
        device = self.device
        self.power_on()
        await device.until(lambda: device.online and not len(device.app.controller.outbox), 200)
        await pump(device, 1, 30)
        device.press()
        await device.until(lambda: not device.on("pump"), 5)
        await asyncio.sleep(70)
        for fault in ("feed-data drop", "batches drop", "ack lost"):
            device.faults.add(fault)
        device.want("9", 50)
        device.want("6", 0)
        await asyncio.sleep(12)
        device.want("6", 1)
        await asyncio.sleep(15)
        device.faults.clear()
        await device.until(lambda: not len(device.app.controller.outbox), 300)
        await asyncio.sleep(70)

    async def until_dead(self, flash):
        play = asyncio.ensure_future(self.play())
        death = asyncio.ensure_future(flash.death.wait())
        await asyncio.wait((play, death), return_when=asyncio.FIRST_COMPLETED)
        for task in (play, death):
            task.cancel()
        if not flash.dead:
            play.result()
        await self.device.power_off()
        self.device.faults.clear()

    async def come_back(self):
        """After the power cut; what the broker has sent it sends once more."""
        device = self.device
        self.power_on()
        await device.until(lambda: device.online, 200)
        if device.broker:
            await device.until(lambda: device.app.link.account.on_mqtt, 200)
            device.broker.post([(0, message) for message in self.messages])
        await asyncio.sleep(140)


def _play(folder, row, last=0, done=False):
    """(how many changes there were, whether the power was cut); what has to hold is looked at."""
    folder.mkdir()
    loop = VirtualLoop()
    with pytest.MonkeyPatch.context() as patch:
        flash = Flash(patch, last, done)
        scenario = Scenario(loop, folder, row)
        device = scenario.device
        loop.run_until_complete(scenario.until_dead(flash))
        known = dict(flash.answers)
        if flash.dead:
            flash.dead, flash.last = False, 0
            loop.run_until_complete(scenario.come_back())
        loop.run_until_complete(device.power_off())
        reported = {}
        for item in device.feed("command"):
            if "desired_id" in item:
                reported.setdefault(item["desired_id"], []).append(item["message_id"])
        where = f"{row}, change {last}, {'done' if done else 'not done'}"
        accepted = scenario.accepted()
        assert not [name for name in known if accepted.count(name) > 1], f"obeyed again: {where}"
        for name, message_id in known.items():
            assert reported.get(name) == [message_id], f"not the first report: {where}"
        assert all(len(names) == 1 for names in reported.values()), where
        assert not device.model.named("feed_conflict"), where
        check_always(device)
        loop.close()
        return flash.changes, bool(known)


@pytest.mark.thorough
@pytest.mark.button
@pytest.mark.parametrize("row", _ROWS, ids=named)
def test_a_power_cut_at_any_write_changes_no_acknowledgement(tmp_path, row):
    changes, answered = _play(tmp_path / "whole", row)
    identities = row[0] == "bootstrap" or row[2]
    assert changes > 5 and answered == identities
    for last in range(1, changes + 1):
        for done in (False, True):
            _play(tmp_path / f"{last}-{done}", row, last, done)


@pytest.mark.parametrize("row", [row for row in _ROWS if row[0] == "bootstrap" or row[2]], ids=named)
@pytest.mark.parametrize("delay_s", [0, 0.05, 1])
def test_a_power_cut_right_after_a_desired_state_was_obeyed_does_not_repeat_it(
    virtual_loop, tmp_path, row, delay_s
):
    """Its answer is on the flash before anything else happens: a door strike must not open twice."""
    scenario = Scenario(virtual_loop, tmp_path, row)
    device = scenario.device

    async def story():
        scenario.power_on()
        await device.until(lambda: device.online and not len(device.app.controller.outbox), 200)
        before = len(scenario.accepted())
        device.want("6", 1)
        await device.until(lambda: len(scenario.accepted()) > before, 30)
        await asyncio.sleep(delay_s)
        await device.power_off()
        await scenario.come_back()
        return scenario.accepted()[before:]

    names = virtual_loop.run_until_complete(story())
    virtual_loop.run_until_complete(device.power_off())
    answered = [
        item["status"] for item in device.model.named("desired_answered") if item["desired_id"] in names
    ]
    assert len(names) == 1 and answered == ["applied"]
    check_always(device)
