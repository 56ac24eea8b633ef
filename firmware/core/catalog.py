"""Bind the cloud's catalog to the configured hardware by `pin_port`.

An item that the device cannot represent is left out and logged; no output is ever driven on a guess. Pure. In memory
only while a new catalog is applied.
"""

from firmware.core.models import NOTHING_NEW, Desired, Report


def bind(rows, ports, items, what, notes):
    """Return a list with the catalog row of each of `items`, or None. `items`: normalized `outputs` or `sensors` of the
    configuration; `ports`: their `pin_port`. Problems are appended to `notes` as text for the log; `what`: the word for
    a row there."""
    sound = [row.pin_port for row in rows if not row.error]
    bound = [None] * len(items)
    for row in rows:
        port = row.pin_port
        if row.error:
            wrong = "cloud cannot describe it: %s" % row.error
        elif sound.count(port) > 1:
            wrong = "pin_port %s is used twice in the catalog" % port
        elif port not in ports:
            wrong = "pin_port %s is not in this device's config" % port
        else:
            index = ports.index(port)
            wrong = _mismatch(row, items[index])
            if not wrong:
                bound[index] = row
        if wrong:
            notes.append("%s %s ignored: %s" % (what, row.id, wrong))
    for port, row in zip(ports, bound):
        if not row:
            notes.append("%s on pin_port %s is configured, but not served by the cloud" % (what, port))
    return bound


def _mismatch(row, item):
    kind = item.get("kind", "relay")
    if row.kind != kind:
        return "kind %s in the catalog, %s in the config" % (row.kind, kind)
    mode = item.get("mode")
    if mode and row.low is not None and (row.low == 0 and row.high == 1) != ("step" not in item):
        return "its range %s..%s does not fit mode %s" % (row.low, row.high, mode)
    return None


def apply_catalog(controller, catalog):
    """Apply a Catalog to a Controller. Each problem is logged once."""
    notes = []
    outputs = [command.output for command in controller.commands]
    sensors = controller.items
    rows = bind(catalog.commands, [o.pin_port for o in outputs], [o.cfg for o in outputs], "command", notes)
    rows += bind(catalog.sensors, [s["pin_port"] for s in sensors], sensors, "sensor", notes)
    for reporter, row in zip(controller.commands + controller.sensors, rows):
        reporter.bind_row(row)
    _rename(controller.commands, controller.outbox)
    for report in controller.outbox.reports:
        if report.desired_id is not None:
            _remember(controller.commands, report)
    for note in notes:
        if note not in controller.notes:
            controller.log("warning", note)
    controller.notes = notes


def _remember(commands, report):
    """Mark the desired state that `report`, kept since before the start, acknowledges as already applied."""
    for command in commands:
        last = command.last
        if not command.row or command.row.id != report.id or (last and last.value != NOTHING_NEW):
            continue
        if not last or None in (last.sequence, report.sequence) or last.sequence < report.sequence:
            command.last = Desired(report.id, NOTHING_NEW, report.desired_id, report.sequence, None)
            command.answered = report


def _rename(commands, outbox):
    """Give events from before the first catalog the id of their port's row, or drop them if the cloud has no such
    row."""
    waiting, outbox.reports = outbox.reports, []
    for report in waiting:
        for command in commands:
            if report.id == [command.output.pin_port] and command.row:
                report = Report(*(report[:2] + (command.row.id,) + report[3:]))
        if not isinstance(report.id, list):
            outbox.reports.append(report)
