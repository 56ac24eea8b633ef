"""The status as one line of JSON: names, numbers and lines of the log, in which secrets are masked. Loaded for one
answer and unloaded again."""

import json

from firmware.runtime.store import BOOT_RECORD, SLOT_RECORD


def status(device, version):
    """Return the line. `heap`: used and free bytes. `outbox`: queued and dropped events. `outputs`: name, on, desired
    value, and the limit that overrules it or the fault. `roots`: the days since 1970-01-01 on which the first and the
    last root certificate expire. `errors`: the last three warnings and errors."""
    clock, board, store = device.clock, device.board, device.store
    controller = device.controller
    lease = device.link.lease
    outbox = controller.outbox
    heap = board.heap()
    readings = controller.readings
    return "status " + json.dumps(
        {
            "version": version,
            "slot": store.load(SLOT_RECORD).get("slot") or "root",
            "boots": store.load(BOOT_RECORD).get("boots"),
            "reset": board.reset_cause(),
            "uptime_s": clock.uptime_s(),
            "utc": clock.utc(),
            "state": device.state(),
            "lease_s": lease.token.left_ms(clock.ms()) // 1000 if lease.held else 0,
            "safe": list(controller.safety.reasons),
            "outputs": [
                [o.name, o.on, o.target, o.fault or o.why or o.stalled]
                for o in [command.output for command in controller.commands]
            ],
            "readings": [[s["name"], readings.get(s["pin_port"])] for s in controller.items],
            "outbox": [len(outbox), outbox.dropped],
            "heap": list(heap),
            "roots": device.network.net.ends,
            "errors": [line for line in board.noted() if " W " in line[:24] or " E " in line[:24]][-3:],
        }
    )
