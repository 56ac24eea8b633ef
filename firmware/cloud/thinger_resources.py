"""The resources of the device at Thinger.io: their names, their values, and which values may be written to them.

Sources: Thinger.io API, "Access Device Resources"; the vendor's device libraries. Pure. The controller decides whether
an output follows a written value. This cloud has no catalog: one is made from the configuration. It has no desired
state either, so a written value cannot be read again.
"""

from micropython import const

from firmware.core.command import range_error
from firmware.core.models import Catalog, Command, Sensor, number

_RUN = const(1)
_INPUT = const(2)
_OUTPUT = const(3)
_BOTH = const(4)
_SWITCHED = {"on": 1.0, "off": 0.0}


class Resources:
    """The resources of `controller`: an input for each output of the configuration, an output for each sensor, `status`
    and `restart`, and unless these names are taken `reset` and `io`, the examples of the documentation. `kinds`: kind
    by name, 1 run, 2 input, 3 output, 4 both (`iotmp.session`). `catalog`: a Catalog whose ids are the names."""

    def __init__(self, controller, version):
        self.controller = controller
        self.version = version
        self.kinds = {"status": _OUTPUT, "restart": _RUN}
        self.outputs = {}
        self.ports = {}
        commands = []
        sensors = []
        for output in controller.outputs:
            cfg = output.cfg
            name = self.named(cfg, _INPUT)
            self.outputs[name] = output
            limits = (cfg["min"], cfg["max"], cfg["step"]) if "min" in cfg else (0, 1, 1)
            commands.append(Command(name, "relay", cfg["pin_port"], *limits, None))
        for cfg in controller.items:
            name = self.named(cfg, _OUTPUT)
            self.ports[name] = cfg["pin_port"]
            sensors.append(Sensor(name, cfg["kind"], cfg["pin_port"], None))
        self.catalog = Catalog(commands, sensors)
        self.kinds.setdefault("reset", _RUN)
        self.kinds.setdefault("io", _BOTH)

    def named(self, cfg, kind):
        """Add a resource of `kind` and return its name, unique and without a slash: the configured one, else the
        `pin_port`."""
        name = cfg["name"]
        if name in ("unnamed", "api") or "/" in name or name in self.kinds:  # `api` requests descriptions
            name = cfg["pin_port"].replace("/", "_")
        while name in self.kinds:
            name += "_"
        self.kinds[name] = kind
        return name

    def read(self, name):
        """Return the present value of a resource: for an output whether it is on, or its setpoint (None: none is in
        force); for a sensor its reading (None: a fault); for `status` a dict."""
        if name in self.ports:
            return self.controller.readings.get(self.ports[name])
        if name in self.outputs:
            output = self.outputs[name]
            return output.value() if "min" in output.cfg else output.on
        if name == "io":
            example = {"value1": 0, "value2": 0}
            return {"in": example, "out": self.demand(name, example)[0]}
        safety = self.controller.safety
        return {
            "outputs": {name: self.state(name) for name in self.outputs},
            "sensors": {name: self.read(name) for name in self.ports},
            "safe": ", ".join(safety.reasons) if safety.safe else None,
            "firmware": self.version,
        }

    def state(self, name):
        """Return the state of an output as a dict: relay, desired value (None: none), the limit that overrides it,
        fault."""
        output = self.outputs[name]
        return {"on": output.on, "target": output.target, "held": output.why, "fault": output.fault}

    def demand(self, name, raw):
        """Return (value, None) for `raw`, which was written to an input, or (None, why it is refused). A switch accepts
        booleans, 0, 1, "on" and "off"; a setpoint accepts numbers."""
        if name not in self.outputs:  # the example `io`
            try:
                one, two = number(raw["value1"]), number(raw["value2"])
                return {"sum": one + two, "mult": one * two}, None
            except (KeyError, TypeError):
                return None, "value1, value2"
        output = self.outputs[name]
        if "min" in output.cfg:
            value = number(raw)
        elif raw is True or raw is False:
            value = float(raw)
        else:
            value = _SWITCHED[raw] if raw in ("on", "off") else number(raw)
        for row in self.catalog.commands:
            if row.id == name:
                wrong = range_error(value, row.low, row.high, row.step)
                return (None, wrong) if wrong else (value, None)
