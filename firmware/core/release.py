"""The bundle of firmware that runs, as the target of a command: the cloud asks for a number, and the device reports
which one runs.

So an update needs no API of its own in any cloud: a designated command is received, checked, acknowledged and reported
like every other. There is no relay and no limit: UpdateLoop fetches `target`. Pure.
"""


class Release:
    """`number`: the bundle that runs, 0 for one that came over the cable. It has what CommandState asks for."""

    def __init__(self, pin_port, number):
        # `wait`: after a start it is unknown whether the number is older than a deploy by cable.
        self.cfg = {"after_lapse": "wait", "min": 1, "max": 999999}
        self.name = "update"
        self.pin_port = pin_port
        self.number = float(number)
        self.target = None
        # Why the number that was asked for does not run.
        self.why = None
        self.on = self.manual_override = False
        self.fault = self.stalled = None

    def demand(self, target):
        self.target = target

    def expired(self):
        self.target = self.number

    def value(self):
        return self.number

    def holding(self):
        """Nothing has to survive a power cut: the record of slots has what is being fetched."""

    def hold(self, value):
        """Nothing was held."""
