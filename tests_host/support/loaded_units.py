"""Units that are there all the time: what a part loads for a while on a device, for tests that build the part alone."""


class Loaded:
    """`parts`: what `load` returns."""

    def __init__(self, parts):
        self.parts = parts
        self.loads = 0

    def load(self):
        self.loads += 1
        return self.parts

    def drop(self):
        pass
