"""What loads the units of a LAN: in memory only on a device that has one."""


def import_lan_joining():
    """What a network loop loads while there is no connection, see runtime.network_loop."""
    from firmware.drivers.lan_control import LanControl
    from firmware.runtime.lan_joining import LanJoining

    return LanJoining, LanControl


def import_lan_ladder():
    """What it loads for the escalation ladder."""
    from firmware.drivers.lan_control import LanControl
    from firmware.runtime.ladder import Ladder

    return Ladder, LanControl
