"""The bundle of firmware that runs, as if it were an output: the cloud asks for a number, and the device reports which
one runs.

So an update needs no API of its own in any cloud: a designated command is received, checked, acknowledged and reported
like every other. Nothing is switched here; UpdateLoop fetches `target`. Pure.
"""


class Release:
    """`number`: the bundle that runs, 0 for one that came over the cable. Like an Output, as far as commands ask."""

    def __init__(self, pin_port, number):
        # `wait`: after a start it is unknown whether the number is older than a deploy by cable.
        self.cfg = {"pin_port": pin_port, "name": "update", "safe": "hold", "after_lapse": "wait"}
        self.cfg.update({"interlock": None, "min": 1, "max": 999999, "step": 1})
        self.number = float(number)
        self.on = self.manual_override = False
        self.target = self.fault = self.stalled = None
        # Why the number that was asked for does not run.
        self.why = None

    def demand(self, target, manual_override=False):
        self.target = target

    def value(self):
        return self.number

    def level(self, reading, now, blocked):
        return False

    def set(self, on):
        """There is no relay."""

    def holding(self):
        return None

    def hold(self, value):
        pass
