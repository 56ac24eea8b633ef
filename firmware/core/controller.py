"""The device's decisions in one place: outputs, commands, readings, safe state, reports.

Pure: time, readings and lease come in with each call. It acts through two functions that it gets at construction,
`drive(index, on)` (switches the relay, returns nothing, raises DriverError) and `log(level, text)`. It knows no cloud
API, no pin and no loop.
"""

from firmware.core.command import CommandState
from firmware.core.errors import DriverError
from firmware.core.models import Command, decimal
from firmware.core.outbox import Reporter


class Controller:
    """`outputs`: Output objects in the order of the config; `sensors`: normalized `sensors` items; `more`: what else
    has a command, a Release. `restart`: set to have the supervisor reset the chip in an orderly way."""

    def __init__(self, outputs, sensors, outbox, safety, drive, log, more=()):
        self.outputs = outputs
        self.outbox = outbox
        self.safety = safety
        self.drive = drive
        self.log = log
        self.readings = {}
        self.items = sensors
        self.commands = [CommandState(outbox, output) for output in outputs + list(more)]
        for command in self.commands:
            # Until the first contact the row is unknown. Events belong to the port, `catalog` finds its row.
            command.row = Command([command.output.pin_port], None, None, None, None, None, None)
            command.value = command.output.value() or 0
            command.last_reported = -1
        self.sensors = [Reporter(outbox, s["deadband"], s["heartbeat_s"], s["keep"]) for s in sensors]
        self.notes = ()
        self.restart = False

    # -- desired values (the catalog: see core.catalog) --

    def receive_desired(self, desired, now):
        """One desired value from the cloud. In safe state one without an identity is ignored, for it will be read
        again; any other is acknowledged as too late."""
        safe = self.safety.safe
        if safe and desired.desired_id is None:
            return
        for command in self.commands:
            if command.row and command.row.id == desired.command_id:
                output = command.output
                before = output.target
                refusal = command.receive_desired(desired, now, safe)
                if refusal:
                    self.log_output("warning", output, refusal)
                elif output.target != before:
                    self.log_output("info", output, "desired value " + decimal(output.target))

    def reconcile(self, message_id):
        """The cloud holds something else under this identity: report the present state again as a new event."""
        for reporter in self.commands + self.sensors:
            if reporter.last_reported and reporter.last_reported == self.outbox.key(message_id):
                reporter.last_reported = 0

    # -- what happens here --

    def press(self, index, now, on=None):
        """A person presses the button of output `index`, or turns its switch `on` or off."""
        output = self.outputs[index]
        self.commands[index].supersede()
        output.pressed(on)
        self.log_output("info", output, "switched by hand")

    def reading(self, index, value, now, utc):
        """A new value of sensor `index`, None when it is a fault."""
        self.outbox.update(now, utc)
        self.readings[self.items[index]["pin_port"]] = value
        self.sensors[index].report(value)

    # -- time passes --

    def check(self, lease, now):
        """Enter or leave safe state as lease, contact and faults demand."""
        if not self.safety.update(lease, now):
            return
        if not self.safety.safe:
            self.log("info", "safe state left")
            return
        self.log("warning", "safe state entered: " + ", ".join(self.safety.reasons))
        for command in self.commands:
            command.enter_safe_state()

    def tick(self, lease, now, utc):
        """Decide and drive every output, acknowledge desired values, report what changed."""
        self.outbox.update(now, utc)
        self.check(lease, now)
        for i, output in enumerate(self.outputs):
            self.step(i, output, now)
        for command in self.commands:
            command.tick(now)

    def step(self, index, output, now):
        cfg = output.cfg
        group = cfg["interlock"]
        blocked = group is not None and self.excluded(output, group, now)
        before = output.why
        on = output.level(self.readings.get(cfg.get("sensor")), now, blocked)
        if output.why and output.why != before:
            self.log_output("info", output, "held by " + output.why)
        try:
            # Every time, for only so is noticed what does not follow, or not any more.
            self.drive(index, on)
            output.fault = None
        except DriverError as e:
            if not output.fault:
                output.fault = str(e)
                self.log_output("error", output, output.fault)
            try:
                # It must not come free later and pull, perhaps beside another one.
                self.drive(index, False)
            except DriverError:
                pass  # known already
            on = not on
        if on != output.on:
            if not (on and output.on):  # no step of a ramp
                self.outbox.changed = True  # what it holds is
                self.log_output("info", output, "relay on" if on else "relay off")
            output.switched(on, now)

    def excluded(self, output, group, now):
        """Whether another output of the group is on, or was just before; after a start that is not known."""
        wait_ms = output.cfg.get("interlock_wait_ms", 500)
        for other in self.outputs:
            if other is output or other.cfg["interlock"] != group:
                continue
            # A relay that did not follow may pull at any moment.
            if other.on or other.fault or not (output.on or other.since.ms(now) >= wait_ms):
                return True
        return False

    def force_safe(self):
        """Last resort when the decisions themselves fail: drive every output to its safe level,
        `hold` excepted. Never raises DriverError."""
        for i, output in enumerate(self.outputs):
            cfg = output.cfg
            if cfg["safe"] != "hold":
                # Another one of its group may have been on until now.
                on = cfg["safe"] == "on" and (output.on or cfg["interlock"] is None)
                try:
                    self.drive(i, on)
                    output.switched(on, self.outbox.now)
                except DriverError:
                    output.fault = "stuck"

    def log_output(self, level, output, text):
        self.log(level, "%s: %s" % (output.name, text))
