"""Runs drivers of `firmware/sensors` through the real sampling loop and controller, on any interpreter."""

from firmware.app import items
from firmware.core.controller import Controller
from firmware.core.errors import DriverError
from firmware.core.outbox import Outbox
from firmware.core.safety import Safety
from firmware.runtime.sampling_loop import SamplingLoop


class Ticks:
    """A clock whose time passes only while somebody sleeps. `slept`: how long each time."""

    def __init__(self):
        self.now = 0
        self.slept = []

    def ms(self):
        return self.now

    def utc(self):
        return None

    async def sleep_ms(self, ms):
        self.slept.append(ms)
        self.now += ms


class Pins:
    """A board for drivers. `uv`: by GPIO the samples of its ADC, `levels` those of a contact, the last one for ever."""

    def __init__(self, uv=None, levels=None, buses=None, frames=None):
        self.buses = buses or {}
        self.counted = None
        self.frames = frames or []
        self.uv = uv or {}
        self.levels = levels or {}

    def bus(self, name, *args):
        return getattr(self, name)(*args)

    def pulses(self, gpio, pull, rising, debounce_ms, ms):
        self.counted = Counted()
        return self.counted

    def one_wire(self, gpio):
        return self.buses[gpio]

    def i2c(self, sda, scl):
        return self.buses[sda, scl]

    def dht(self, gpio):
        return Dht(self.frames)

    def button(self, gpio, active_low, pull):
        return _Contact(self.levels[gpio], active_low)

    def adc(self, gpio):
        return _Adc(self.uv.get(gpio, [0]))


class _Adc:
    def __init__(self, samples):
        self.samples = list(samples)

    def read_uv(self):
        found = self.samples.pop(0) if len(self.samples) > 1 else self.samples[0]
        if isinstance(found, DriverError):
            raise found
        return found


class Counted:
    """Pulses of a pin, as a test says."""

    count = 0
    last = None


class Dht:
    """What answers with these frames, of which None is a failure."""

    def __init__(self, frames):
        self.frames = frames

    async def measured(self, clock, rest_ms):
        found = self.frames.pop(0) if len(self.frames) > 1 else self.frames[0]
        if found is None:
            raise DriverError("garbled")
        return found


class _Contact:
    def __init__(self, levels, active_low):
        self.levels = levels
        self.low = active_low

    def active(self):
        level = self.levels.pop(0) if len(self.levels) > 1 else self.levels[0]
        return bool(level) != self.low


class Sampled:
    """One sensor and its loop. `kind`: the module of its kind; `cfg`: its normalized item."""

    def __init__(self, kind, cfg, board, clock=None, store=None):
        self.clock = clock or Ticks()
        self.lines = []
        cfg = dict(cfg)
        for key, value in (
            ("pin_port", "1"),
            ("name", "it"),
            ("deadband", 0),
            ("heartbeat_s", 300),
            ("keep", False),
        ):
            cfg.setdefault(key, value)
        self.items = items([cfg])
        self.driver = kind.driver(cfg, board, self.clock, store)
        log = lambda level, text: self.lines.append(text)  # noqa: E731
        self.controller = Controller([], self.items, Outbox(0, 0, 0), Safety(0, 0), None, log)
        sensors = [(self.driver, cfg.get("period_s", 5), cfg["count"])]
        self.loop = SamplingLoop(self.clock, log, self.controller, sensors)

    def read(self):
        """Of each value what the controller has of it now; of a fault the text of the log."""
        before = len(self.lines)
        self.loop.faults[0] = None
        run(self.loop.measure(0, self.driver, 0, len(self.items)))
        if len(self.lines) > before:
            return [self.lines[-1]] * len(self.items)
        return [self.controller.readings[item["pin_port"]] for item in self.items]


def measured(kind, cfg, board):
    return Sampled(kind, cfg, board).read()


def run(coroutine):
    """The result of a coroutine that waits for nothing but `Ticks`."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")
