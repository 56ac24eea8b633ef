"""A text that cannot be shown by accident.

Owns the masking of passwords and client secrets: whatever formats, prints or dumps a `Secret` gets `***`. Refuses to
be clever about who may look: `reveal()` is the one way to the text, so every use of a secret can be found by its name.
"""


class Secret:
    def __init__(self, text):
        self._text = text

    def __repr__(self):
        return "***"

    def reveal(self):
        """The text itself, for the one call that needs it."""
        return self._text
