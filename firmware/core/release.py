"""The firmware bundle as the target of a command: the cloud asks for a number, and the device reports which one runs.

An update thus needs no API of its own: its command is received, checked, acknowledged and reported like any other.
There is no relay and there are no limits: UpdateLoop fetches `target`. Pure.
"""


class Release:
    """`number`: the bundle that runs, 0 for one that was deployed by cable. `reported`: the confirmed one, which while
    that is on trial is the one before. It has the attributes that CommandState uses."""

    def __init__(self, pin_port, number, reported):
        # `wait`: after a start it is unknown whether the number is older than a deploy by cable.
        self.cfg = {"after_lapse": "wait", "min": 1, "max": 999999}
        self.name = "update"
        self.pin_port = pin_port
        self.number = float(number)
        self.reported = float(reported)
        self.target = None
        self.why = None  # why the requested bundle does not run
        self.on = self.manual_override = False
        self.fault = self.stalled = None

    def demand(self, target):
        self.target = target

    def expired(self):
        self.target = self.number

    def value(self):
        return self.reported

    def reached(self):
        return self.reported == self.target

    def holding(self):
        """Return None: nothing needs to be held, because the slot record has the bundle that is being fetched."""

    def hold(self, value):
        """No effect, see `holding`."""
