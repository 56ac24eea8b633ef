"""Checks whether MQTT fits into memory, before its catalog is read and before its half is loaded."""

from firmware.core.errors import LinkError


def check_room(link, takes):
    """Raise LinkError if less than `takes` bytes of the Python heap are free; in `auto` MQTT is then not tried again.
    `link`: a Transports."""
    free = link.account.net.heap_free()
    if free >= takes:
        return
    if link.auto:
        link.fits = False
    raise LinkError("memory: MQTT takes up to %d bytes of heap, %d are free" % (takes, free))
