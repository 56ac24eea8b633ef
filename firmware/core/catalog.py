"""Ties the cloud's catalog to the configured hardware through `pin_port`.

An item the device cannot represent is kept out and named in a note; it is never actuated on a guess. Pure.
"""

from micropython import const

_RELAY = const("relay")


def bind(catalog, outputs, sensors):
    """(commands, sensors, notes): lists of (row, index into `outputs` or `sensors`), and texts for the log.

    `outputs` and `sensors` are the normalized lists of the configuration.
    """
    notes = []
    commands = _bind(catalog.commands, outputs, "command", _command_fault, notes)
    bound = _bind(catalog.sensors, sensors, "sensor", _sensor_fault, notes)
    return commands, bound, notes


def _bind(rows, items, noun, fault, notes):
    pairs = []
    for row in rows:
        index = _find(items, row.pin_port)
        if row.error:
            wrong = "cloud cannot describe it: %s" % row.error
        elif sum(1 for other in rows if other.pin_port == row.pin_port and not other.error) > 1:
            wrong = "pin_port %s is used twice in the catalog" % row.pin_port
        elif index is None:
            wrong = "pin_port %s is not in this device's config" % row.pin_port
        else:
            wrong = fault(row, items[index])
        if wrong:
            notes.append("%s %s left alone: %s" % (noun, row.id, wrong))
        else:
            pairs.append((row, index))
    for i, item in enumerate(items):
        if not [1 for _, index in pairs if index == i]:
            notes.append(
                "%s on pin_port %s is configured, but not served by the cloud" % (noun, item["pin_port"])
            )
    return pairs


def _find(items, pin_port):
    for i, item in enumerate(items):
        if item["pin_port"] == pin_port:
            return i
    return None


def _command_fault(row, item):
    if row.kind != _RELAY:
        return "unknown kind %s" % row.kind
    binary = row.low == 0 and row.high == 1
    if row.low is not None and binary != (item["mode"] == "switch"):
        return "its range %s..%s does not fit mode %s" % (row.low, row.high, item["mode"])
    return None


def _sensor_fault(row, item):
    if row.kind != item["kind"]:
        return "kind %s here, %s in the config" % (row.kind, item["kind"])
    return None
