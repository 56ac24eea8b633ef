"""Read the fields of parsed JSON. Nothing here raises, whatever the response contains. Pure."""


def get(thing, key):
    """Return the value of `key`, None if it is missing or `thing` is not an object."""
    return thing.get(key) if isinstance(thing, dict) else None


def get_scalar(thing, key):
    """Return the value of `key` if it is a str, int or float, else "". These can be hashed, compared and printed
    safely, while nested lists may overflow the stack."""
    value = get(thing, key)
    return value if type(value) in (str, int, float) else ""


def get_text(thing, key):
    """Return the value of `key` if it is a str, else ""."""
    value = get(thing, key)
    return value if isinstance(value, str) else ""


def error_text(body):
    """Return the field `error` of a response or an item as a str of at most 160 characters, "" if there is none."""
    error = get(body, "error")
    try:
        return "" if error is None else str(error)[:160]
    except (MemoryError, RuntimeError):  # nested too deeply for the stack
        return "error"
