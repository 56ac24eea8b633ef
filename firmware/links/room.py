"""Whether MQTT fits into memory: checked before its catalog is read, and before its half is loaded."""

from firmware.core.errors import LinkError


def check_room(link, takes):
    """LinkError where less than that many bytes of the Python heap are free; in `auto` MQTT is not tried again then.
    `link`: a Transports."""
    free = link.account.net.heap_free()
    if free >= takes:
        return
    if link.auto:
        link.fits = False
    raise LinkError("memory: MQTT takes up to %d bytes of heap, %d are free" % (takes, free))
