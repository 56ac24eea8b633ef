"""Reads the fields of a JSON object. Never raises, whatever the answer looks like. Pure."""


def get(thing, key):
    """What an object holds under `key`, None when it is no object."""
    return thing.get(key) if isinstance(thing, dict) else None


def get_scalar(thing, key):
    """A text or number, "" in place of anything else: only these can be hashed, compared and printed without a thought;
    lists may nest deeper than the stack can follow."""
    value = get(thing, key)
    return value if type(value) in (str, int, float) else ""


def get_text(thing, key):
    """A text, "" in place of anything else."""
    value = get(thing, key)
    return value if isinstance(value, str) else ""


def error_text(body):
    """The text of `error` in a reply or an item, "" without one."""
    error = get(body, "error")
    try:
        return "" if error is None else str(error)[:160]
    except (MemoryError, RuntimeError):  # it nests deeper than the stack can follow
        return "error"
