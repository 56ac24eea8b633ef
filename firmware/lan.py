"""The functions that import the units of a LAN. In memory only on a device that has a LAN."""


def import_lan_joining():
    """Import the unit that NetworkLoop loads while the LAN is not connected."""
    from firmware.drivers.lan_control import LanControl
    from firmware.runtime.lan_joining import LanJoining

    return LanJoining, LanControl


def import_lan_ladder():
    """Import the unit that NetworkLoop loads for the escalation ladder."""
    from firmware.drivers.lan_control import LanControl
    from firmware.runtime.ladder import Ladder

    return Ladder, LanControl
