"""The device's decisions in one place: outputs, commands, readings, safe state, reports.

Pure: time, readings and lease are arguments of each call. It acts through two functions that are passed to the
constructor: `drive(index, on)`, which switches the relay, returns nothing and raises DriverError, and
`log(level, text)`. It does not depend on a cloud API, pins or loops.
"""

from firmware.core.command import CommandState
from firmware.core.errors import DriverError
from firmware.core.models import Command, decimal
from firmware.core.outbox import Reporter


class Controller:
    """`outputs`: Output objects in the order of the configuration. `sensors`: normalized `sensors` items. `more`: other
    targets of commands: a Release. `restart`: set it to make the supervisor reset the chip in an orderly way."""

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
            # The catalog row is unknown until the first contact. Until then events have the port as their id, which
            # `catalog` replaces.
            command.row = Command([command.output.pin_port], None, None, None, None, None, None)
            command.value = command.output.value() or 0
            command.last_reported = -1
        self.sensors = [Reporter(outbox, s["deadband"], s["heartbeat_s"], s["keep"]) for s in sensors]
        self.notes = ()
        self.restart = False

    # -- desired values (the catalog: see core.catalog) --

    def receive_desired(self, desired, now):
        """Apply a Desired from the cloud. In safe state, one without an identity is ignored, because it will be read
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
        """Report the present state again as a new event, because the cloud has other content under `message_id`."""
        for reporter in self.commands + self.sensors:
            if reporter.last_reported and reporter.last_reported == self.outbox.key(message_id):
                reporter.last_reported = 0

    # -- local events --

    def press(self, index, now, on=None):
        """Handle a press of the button of output `index` (`on` is None), or its switch being turned on or off."""
        output = self.outputs[index]
        self.commands[index].supersede()
        output.pressed(on)
        self.log_output("info", output, "switched by hand")

    def reading(self, index, value, now, utc):
        """Store and report a new value of sensor `index`, in its unit; None for a fault."""
        self.outbox.update(now, utc)
        self.readings[self.items[index]["pin_port"]] = value
        self.sensors[index].report(value)

    # -- periodic --

    def check(self, lease, now):
        """Enter or leave safe state according to lease, silence and faults."""
        if not self.safety.update(lease, now):
            return
        if not self.safety.safe:
            self.log("info", "safe state left")
            return
        self.log("warning", "safe state entered: " + ", ".join(self.safety.reasons))
        for command in self.commands:
            command.enter_safe_state()

    def tick(self, lease, now, utc):
        """Decide on and drive every output, acknowledge desired values, report changes. `now`: ms; `utc`: Unix seconds
        or None."""
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
            # Driven on every tick, even without a change: only then a pin that does not follow is noticed.
            self.drive(index, on)
            output.fault = None
        except DriverError as e:
            if not output.fault:
                output.fault = str(e)
                self.log_output("error", output, output.fault)
            try:
                # Drive it off, so that a stuck relay that comes free does not switch on, perhaps beside another of its
                # interlock group.
                self.drive(index, False)
            except DriverError:
                pass  # logged above
            on = not on
        if on != output.on:
            if not (on and output.on):  # not just a step of a ramp
                self.outbox.changed = True  # the value to hold may have to be written down
                self.log_output("info", output, "relay on" if on else "relay off")
            output.switched(on, now)

    def excluded(self, output, group, now):
        """Return whether another output of the interlock group is on, or may have been within `interlock_wait_ms`.
        After a start that is unknown, so the wait applies then too."""
        wait_ms = output.cfg.get("interlock_wait_ms", 500)
        for other in self.outputs:
            if other is output or other.cfg["interlock"] != group:
                continue
            # A relay that did not follow may switch at any moment.
            if other.on or other.fault or not (output.on or other.since.ms(now) >= wait_ms):
                return True
        return False

    def force_safe(self):
        """Last resort if the decisions themselves fail: drive every output to its safe level, except those with `hold`.
        Never raises DriverError."""
        for i, output in enumerate(self.outputs):
            cfg = output.cfg
            if cfg["safe"] != "hold":
                now = self.outbox.now
                on = cfg["safe"] == "on"
                if not output.on:
                    # In an interlock group another output may have been on until now, so none is newly switched on.
                    on = on and not (
                        cfg["interlock"] or output.why or output.since.ms(now) < cfg["min_off_s"] * 1000
                    )
                try:
                    self.drive(i, on)
                    output.switched(on, now)
                except DriverError:
                    output.fault = "stuck"

    def log_output(self, level, output, text):
        self.log(level, "%s: %s" % (output.name, text))
