"""A day of a device on a real littlefs, cut at every single write: `micropython flash_probe.py ROOT cuts|errors|day`.

`cuts`: at each write and each erase of a scripted day the flash is copied as a power cut would leave it, once without
that write and once with half of it; on every copy boot.py runs, the firmware restores what it wrote, is checked, and
lives on. `errors`: the same day with a flash that refuses all changes from one of them on, for a while. `day`: what an
ordinary day writes. The last line of standard output is one JSON object.
"""

import gc
import json
import os
import sys
import vfs

ROOT, MODE = sys.argv[1:]
sys.path[:] = [ROOT, ".frozen", ROOT + "/lib"]

from journal.files import Journal, TwoSlots  # noqa: E402
from journal.recover import latest, replay  # noqa: E402

from firmware.core.catalog import apply_catalog  # noqa: E402 - after the path to it
from firmware.core.controller import Controller  # noqa: E402
from firmware.core.models import Catalog, Command, Desired, Sensor  # noqa: E402
from firmware.core.outbox import Outbox  # noqa: E402
from firmware.core.output import Output  # noqa: E402
from firmware.core.safety import Lease, Safety  # noqa: E402
from firmware.persistence_writing import opened, write  # noqa: E402
from firmware.runtime.persistence import Persistence  # noqa: E402
from firmware.runtime.restore import restore  # noqa: E402
from firmware.runtime.store import Store  # noqa: E402
from tests_host.support import fakemachine  # noqa: E402
from tests_host.support.loaded_units import Loaded  # noqa: E402
from tests_host.support.parts import ROOM, SWITCH  # noqa: E402

BLOCK, BLOCKS = 4096, 24
UTC = 1795300000
LOCK = dict(SWITCH, name="lock", gpio=16, active="high", safe="hold", boot="off")
VALVE = dict(SWITCH, pin_port="9", name="valve", gpio=17, active="high", boot="off")
SENSOR = dict(ROOM, deadband=0.2)
CATALOG = Catalog(
    [Command("cmd_1", "relay", "6", 0, 1, 1, None), Command("cmd_2", "relay", "9", 0, 1, 1, None)],
    [Sensor("sns_1", "thermistor", "14", None)],
)
with open(ROOT + "/boot.py") as f:
    BOOT = f.read()


class Flash:
    """A block device over `image`. `cut(at, data)` is called before each change; data None: erased. It
    returns the error, if any: raised, it would leave littlefs from the middle, with a closed file still in its list."""

    def __init__(self, image, cut=None):
        self.image = image
        self.cut = cut
        self.changes = self.erased = self.programmed = 0

    def readblocks(self, n, buf, off=0):
        at = n * BLOCK + off
        try:
            buf[:] = self.image[at : at + len(buf)]
        except MemoryError:
            # The collector closes a file, and nothing can be allocated meanwhile.
            for i in range(len(buf)):
                buf[i] = self.image[at + i]

    def writeblocks(self, n, buf, off=0):
        error = self.change(n * BLOCK + off, buf)
        if error:
            return error
        self.programmed += len(buf)
        at = n * BLOCK + off
        try:
            self.image[at : at + len(buf)] = buf
        except MemoryError:
            for i in range(len(buf)):
                self.image[at + i] = buf[i]
        return 0

    def ioctl(self, op, arg):
        if op in (4, 5):
            return BLOCKS if op == 4 else BLOCK
        if op == 6:
            error = self.change(arg * BLOCK, None)
            if error:
                return error
            self.erased += 1
            self.image[arg * BLOCK : (arg + 1) * BLOCK] = b"\xff" * BLOCK
        return 0

    def change(self, at, data):
        self.changes += 1
        return self.cut(at, data) if self.cut else None


class Clock:
    """`now` in seconds, moved by the story."""

    now = 0.0
    offset = UTC

    def ms(self):
        return int(self.now * 1000)

    def utc(self):
        return UTC + int(self.now)


class Device:
    """What of the firmware touches the flash, in the current folder, with a cloud that is asked by hand."""

    def __init__(self, clock, bits, log=lambda *line: None):
        fakemachine.install()
        exec(BOOT, {"__name__": "__main__"})
        self.clock = clock
        self.store = Store()
        self.boots = self.store.load("boot.json").get("boots", 0)
        self.lease = Lease(clock.ms())
        outputs = [Output(dict(cfg), False, clock.ms()) for cfg in (LOCK, VALVE)]
        self.outbox = Outbox(self.boots, bits, clock.ms())
        safety = Safety(0, clock.ms())
        self.controller = Controller(outputs, [SENSOR], self.outbox, safety, lambda *_: None, log)
        journal, slots = Journal("events"), TwoSlots("state")
        self.persistence = Persistence(clock, log, self.controller, self.lease, Loaded((write, opened)))
        restore(self.persistence, replay(journal), latest(slots))
        self.persistence.size, self.persistence.generation = journal.size, slots.generation
        self.posted = {}
        self.answered = {}  # command id: the answer to a desired state that is on the flash, the latest

    def go_online(self):
        self.lease.grant(self.clock.ms(), 360000, 0)
        self.lease.confirm()
        apply_catalog(self.controller, CATALOG)
        self.pass_s(1)

    def pass_s(self, seconds, step=1):
        """Time passes: outputs are decided, and the flash is brought up to date."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now += step
            self.controller.tick(self.lease, self.clock.ms(), self.clock.utc())
            self.persistence.write()
            self.note()
            for command in self.controller.commands:
                report = command.answered
                if report and self.outbox.kept.get(report.message_id) is not False:
                    self.answered[report.id] = self.outbox.complete(report)

    def note(self):
        for report in map(self.outbox.complete, self.outbox.reports):
            self.posted[report.message_id] = report

    def desire(self, command, value, number):
        self.controller.receive_desired(
            Desired(command, value, "des_%d" % number, number, 600), self.clock.ms()
        )
        self.pass_s(1)

    def press(self, index):
        self.controller.press(index, self.clock.ms())
        self.pass_s(1)

    def measure(self, value):
        self.controller.reading(0, value, self.clock.ms(), self.clock.utc())
        self.note()

    def content(self):
        return {r.message_id: r[:5] + r[6:] for r in map(self.outbox.complete, self.outbox.reports)}


class Cloud:
    """What was received, and what the device knows to have been received."""

    def __init__(self):
        self.received = {}
        self.unanswered = {}
        self.problems = []

    def take(self, device, answers=True):
        """One batch leaves; without `answers` the device does not learn of its fate."""
        for report in device.outbox.batch(20):
            body = report[1:5] + report[6:]
            known = self.received.get(report.message_id, body)
            if known != body:
                self.problems.append("%s twice: %s, %s" % (report.message_id, known, body))
            self.received[report.message_id] = body
            if report.source == "command" and device.outbox.key(report.message_id) in device.outbox.kept:
                self.unanswered[report.message_id] = body
            if answers:
                self.unanswered.pop(report.message_id, None)
                device.outbox.acknowledge(report.message_id)


def scenario(device, cloud):
    """A day in which everything happens that is written down."""
    device.go_online()
    device.desire("cmd_1", 1, 5)
    device.desire("cmd_2", 1, 6)
    cloud.take(device)
    device.pass_s(70)
    for i in range(4):  # an outage
        device.measure(20.0 + i)
        device.press(1)
        device.pass_s(40)
    cloud.take(device, answers=False)
    device.desire("cmd_1", 0, 7)
    cloud.take(device)
    device.pass_s(65)
    device.store.mark_good()
    for i in range(60):  # a long one: readings have to go
        device.measure(i / 2)
        device.pass_s(15)
    device.lease.end("refused")
    device.pass_s(70)
    device.lease.confirm()
    device.desire("cmd_1", 1, 8)
    while device.outbox.reports:
        cloud.take(device)
        device.pass_s(30)
    device.pass_s(70)


class Cuts:
    """Checks a copy of the flash at every change, while the story goes on."""

    def __init__(self):
        self.clock = Clock()
        self.cloud = Cloud()
        self.device = None
        self.cuts = 0
        self.problems = []
        self.image = bytearray(b"\xff" * (BLOCK * BLOCKS))
        self.flash = Flash(self.image)
        vfs.VfsLfs2.mkfs(self.flash)
        vfs.mount(vfs.VfsLfs2(self.flash), "/day")
        os.chdir("/day")

    def run(self):
        with open("config.json", "w") as f:
            json.dump({"outputs": [LOCK, VALVE]}, f)
        self.flash.changes = 0
        self.flash.cut = self.cut
        self.device = Device(self.clock, 0xABC)
        scenario(self.device, self.cloud)
        self.flash.cut = None
        if self.device.outbox.kept or os.stat("events")[6]:
            self.problems.append("at the end of the day something is still written down")
        self.problems += self.cloud.problems

    def cut(self, at, data):
        length = BLOCK if data is None else len(data)
        for share in (0, length // 2):
            self.cuts += 1
            image = bytearray(self.image)
            image[at : at + share] = b"\xff" * share if data is None else data[:share]
            vfs.mount(vfs.VfsLfs2(Flash(image)), "/cut")
            os.chdir("/cut")
            try:
                self.check()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next cut is looked at too
                sys.print_exception(error)
                self.problems.append("cut %d: %r" % (self.cuts, error))
            os.chdir("/day")
            vfs.umount("/cut")

    def check(self):
        old = self.device
        clock = Clock()
        clock.now = self.clock.now
        new = Device(clock, 0xDEF)
        found = new.content()
        if old is None:
            assert not found
            return
        assert new.boots > old.boots
        old.note()
        kept = old.outbox.kept
        for report in old.outbox.reports:
            if kept.get(report.message_id, False) is not False:
                report = old.outbox.complete(report)
                assert found[report.message_id] == report[:5] + report[6:], "an accepted event is gone"
        for message_id, body in self.cloud.unanswered.items():
            assert found[message_id][1:] == body, "an event that may have arrived is gone"
        for message_id, content in found.items():
            posted = old.posted[message_id]
            assert content == posted[:5] + posted[6:], "an event nobody posted"
        held = new.controller.outputs[0].holding()
        assert held in ((old.persistence.holds or [0.0])[0], old.controller.outputs[0].holding())
        self.live_on(new)

    def live_on(self, new):
        """Everything that waited arrives once, and the flash forgets it."""
        cloud = Cloud()
        cloud.received.update(self.cloud.received)
        new.go_online()
        for command, answer in zip(
            new.controller.commands, map(self.device.answered.get, ("cmd_1", "cmd_2"))
        ):
            if answer:
                target = command.output.target
                new.desire(answer.id, 1 - float(answer.value), answer.sequence)
                assert command.output.target == target, "a desired state is obeyed again"
                waiting = [
                    new.outbox.identity(r.message_id)
                    for r in new.outbox.reports
                    if r.desired_id == answer.desired_id
                ]
                newest = command.answered.sequence > answer.sequence
                assert newest or waiting == [answer.message_id], "another answer than the first"
        new.press(1)
        waiting = [new.outbox.identity(r.message_id) for r in new.outbox.reports]
        while new.outbox.reports:
            cloud.take(new)
        new.pass_s(70, 5)
        assert [i for i in waiting if i not in cloud.received] == []
        assert not cloud.problems, cloud.problems
        assert not new.outbox.kept
        again = Device(new.clock, 0x123)
        assert not again.outbox.reports, "what was answered came back"


def ordinary_day():
    """24 hours online: two hundred switches in each direction, a kept reading every five minutes; what was written."""
    image = bytearray(b"\xff" * (BLOCK * BLOCKS))
    flash = Flash(image)
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/day")
    os.chdir("/day")
    cloud = Cloud()
    device = Device(Clock(), 0xABC)
    device.go_online()
    flash.changes = flash.erased = flash.programmed = 0
    for number in range(288):
        device.measure(20.0 + number % 2)
        if number % 3 != 2:
            device.desire("cmd_1", number % 2, number + 1)
        cloud.take(device)
        device.pass_s(300, 10)
    return {
        "events": len(cloud.received),
        "erased_blocks": flash.erased,
        "programmed_bytes": flash.programmed,
    }


def errors(start, most):
    """The day once more on a flash that refuses `most` changes from number `start` on; how many changes there were."""
    flash = Flash(bytearray(b"\xff" * (BLOCK * BLOCKS)))
    vfs.VfsLfs2.mkfs(flash)
    system = vfs.VfsLfs2(flash)
    vfs.mount(system, "/day")
    os.chdir("/day")
    cloud = Cloud()
    flash.changes = 0

    def refuse(at, data):
        return -5 if start <= flash.changes < start + most else None

    flash.cut = refuse
    device = Device(Clock(), 0xABC)
    scenario(device, cloud)
    flash.cut = None
    device.pass_s(61)
    while device.outbox.reports:
        cloud.take(device)
    device.persistence.lazy.start -= 60000
    device.persistence.write()
    assert not device.outbox.kept and not cloud.problems
    lost = [r for r in device.posted.values() if r.message_id not in cloud.received]
    assert len(lost) <= device.outbox.dropped, "lost without being counted"
    assert not [r for r in lost if r.source == "command"]
    assert not Device(device.clock, 0xDEF).outbox.reports, "what was answered came back"
    os.chdir("/")
    vfs.umount("/day")
    # Files that could not be closed are closed by the collector: that has to be before their file system goes.
    gc.collect()
    return system and flash.changes


if MODE == "errors":
    total = errors(0, 0)
    for start in range(1, total, 7):
        for most in (1, 3, 100):
            errors(start, most)
    print(json.dumps({"changes": total}))
elif MODE == "day":
    print(json.dumps(ordinary_day()))
else:
    cuts = Cuts()
    cuts.run()
    print(json.dumps({"changes": cuts.flash.changes, "cuts": cuts.cuts, "problems": cuts.problems[:20]}))
