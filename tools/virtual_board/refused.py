"""How a part of the chip refuses a request of the program."""


class Refused(Exception):
    """What the port would raise; `kind` V, O, E, A or R as in a reply of `chip.py`."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
