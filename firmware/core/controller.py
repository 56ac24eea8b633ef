"""The device's decisions in one place: outputs, commands, readings, safe state, reports.

Pure: time, readings and lease come in with each call; what has to happen goes out through two functions given at
construction, `drive(index, on)` (switch the relay, return nothing, raise DriverError) and `say(level, text)`.
It knows no cloud API, no pin and no loop.
"""

from firmware.core.catalog import bind
from firmware.core.command import REJECTED, CommandState
from firmware.core.errors import DriverError
from firmware.core.nouns import decimal
from firmware.core.outbox import Reporting


class Controller:
    """`outputs`: Output objects in the order of the config; `sensors`: normalized `sensors` items."""

    def __init__(self, outputs, sensors, outbox, safety, drive, say):
        self.outputs = outputs
        self.outbox = outbox
        self.safety = safety
        self.readings = {}
        self._sensors = sensors
        self._drive = drive
        self._say = say
        self._states = []
        self._command_reports = [Reporting(0, 300) for _ in outputs]
        self._sensor_reports = [Reporting(s["deadband"], s["heartbeat_s"]) for s in sensors]
        self._sensor_rows = {}
        self._notes = ()
        self._utc = None
        self._now = 0

    # -- what the cloud says --

    def adopt(self, catalog):
        """Take over a catalog. A command that is gone leaves its output in the safe state; one that stays keeps what is
        known of it."""
        commands, sensors, notes = bind(catalog, [o.cfg for o in self.outputs], self._sensors)
        states = []
        for row, index in commands:
            states.append(self._state_for(row, self.outputs[index]))
        for state in self._states:
            if state not in states and not [1 for s in states if s.output is state.output]:
                state.output.withdraw()
        self._states = states
        for row, index in sensors:
            if self._sensor_rows.get(index) != row:
                self._sensor_reports[index].forget()
        self._sensor_rows = {index: row for row, index in sensors}
        if notes != self._notes:
            self._notes = notes
            for note in notes:
                self._say("warning", note)

    def _state_for(self, row, output):
        for state in self._states:
            if state.row.id == row.id and state.output is output:
                state.row = row
                return state
        self._command_reports[self.outputs.index(output)].forget()
        return CommandState(row, output, self._answer, self.outbox.repeat)

    def offer(self, desired, now):
        """One desired value from the cloud. In safe state it is not looked at: the link will read it again."""
        if self.safety.safe:
            return
        for state in self._states:
            if state.row.id == desired.command_id:
                before = state.output.target
                note = state.offer(desired, now)
                if note:
                    self._say("warning", "%s: %s" % (state.output.cfg["name"], note))
                elif state.output.target != before:
                    self._say(
                        "info",
                        "%s: cloud wants %s" % (state.output.cfg["name"], decimal(state.output.target)),
                    )

    # -- what happens here --

    def press(self, index, now):
        """A person toggles output `index`, which is a switch."""
        output = self.outputs[index]
        for state in self._states:
            if state.output is output:
                state.supersede()
        output.demand(0.0 if output.relay.on else 1.0, by_hand=True)
        self._say("info", "%s: switched by hand" % output.cfg["name"])

    def reading(self, index, value, now, utc):
        """A new value of sensor `index`, None when it is a fault. Returns nothing; reports when it is due."""
        cfg = self._sensors[index]
        self.readings[cfg["pin_port"]] = value
        row = self._sensor_rows.get(index)
        reporting = self._sensor_reports[index]
        if row is not None and reporting.due(value, now, not len(self.outbox)):
            self.outbox.post("sensor", row.id, decimal(value), utc, now)
            reporting.told(value, now)

    # -- time passes --

    def check(self, lease, now):
        """Enter or leave safe state as lease, contact and faults demand."""
        if not self.safety.update(lease, now):
            return
        if not self.safety.safe:
            self._say("info", "safe state left")
            return
        self._say("warning", "safe state entered: %s" % ", ".join(self.safety.reasons))
        for output in self.outputs:
            output.withdraw()
        for state in self._states:
            state.lapse()

    def tick(self, lease, now, utc):
        """Decide and drive every output, settle what was asked, report what changed."""
        self._now, self._utc = now, utc
        self.check(lease, now)
        for i, output in enumerate(self.outputs):
            self._step(i, output, now)
        for state in self._states:
            state.tick(now)
        for state in self._states:
            self._report_change(state, now)

    def _step(self, index, output, now):
        relay = output.relay
        want = output.wants(self.readings.get(output.cfg.get("sensor")))
        before = relay.why
        level = relay.decide(want, now, self._blocked(output))
        if relay.why and relay.why != before:
            self._say("info", "%s: held %s by %s" % (output.cfg["name"], _word(level), relay.why))
        if level == relay.on:
            return
        try:
            self._drive(index, level)
        except DriverError as e:
            if not output.fault:
                output.fault = str(e)
                self._say("error", "%s: %s" % (output.cfg["name"], e))
            return
        output.fault = None
        relay.switched(level, now)
        self._say("info", "%s: relay %s" % (output.cfg["name"], _word(level)))

    def _blocked(self, output):
        group = output.cfg["interlock"]
        if not group:
            return False
        for other in self.outputs:
            if other is not output and other.cfg["interlock"] == group and other.relay.on:
                return True
        return False

    # -- reports --

    def _report_change(self, state, now):
        value = state.output.physical()
        reporting = self._command_reports[self.outputs.index(state.output)]
        if reporting.due(value, now, not len(self.outbox)):
            self.outbox.post("command", state.row.id, decimal(value), self._utc, now)
            reporting.told(value, now)

    def _answer(self, state, status, desired):
        """Write the answer to `desired`. Without an id there is nothing to answer to, but a refusal is still followed
        by the present value, so that the cloud sees that nothing changed (Realer API, section 14 row 18)."""
        value = state.output.physical()
        if value is None or (desired.desired_id is None and status != REJECTED):
            return None
        reporting = self._command_reports[self.outputs.index(state.output)]
        reporting.told(value, self._now)
        return self.outbox.post(
            "command", state.row.id, decimal(value), self._utc, self._now, desired, status
        )

    def reconcile(self, message_id):
        """The cloud holds something else under this identity: tell the present state again as a new event."""
        for report in self.outbox.batch(len(self.outbox)):
            if report.message_id != message_id:
                continue
            for state in self._states:
                if report.source == "command" and state.row.id == report.id:
                    self._command_reports[self.outputs.index(state.output)].forget()
            for index, row in self._sensor_rows.items():
                if report.source == "sensor" and row.id == report.id:
                    self._sensor_reports[index].forget()

    def panic(self):
        """Last resort when the decisions themselves cannot be trusted: drive every output to its plain safe level,
        `hold` excepted. Never raises DriverError."""
        for i, output in enumerate(self.outputs):
            safe = output.cfg["safe"]
            if safe != "hold":
                try:
                    self._drive(i, safe == "on")
                    output.relay.switched(safe == "on", self._now)
                except DriverError:
                    output.fault = "cannot be switched"


def _word(on):
    return "on" if on else "off"
