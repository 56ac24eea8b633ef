"""Runs on the board, after `wifi_check.py`: the LAN, if the configuration has one.

It is a file of its own, because a board has no memory for the text of all checks at once.
"""
# ruff: noqa: F821  (`say`, `found` are those of board_check.py, `address`, `addressed` of wifi_check.py)

import network
import time
from machine import Pin

_CABLE_S = 8
_ADDRESS_S = 20
_CONNECTED = 3  # of `network.LAN.status`, in all images
LANS = {}
"""The arguments of `network.LAN` by board, which `realer doctor` inserts here from `firmware/boards`."""


def lan(settings, board):
    """Connect as `lan` of the configuration says; return whether the board is on the network."""
    phy = LANS.get(board)
    if not phy:
        return failed(
            "the board %s has no LAN that this firmware knows" % board, "correct board, or remove lan"
        )
    if not hasattr(network, "LAN"):
        return failed("this MicroPython has no network.LAN", "use an image of ESP32_GENERIC")
    phy, number, mdc, mdio, power, clock, mode = phy.split(":")
    try:
        fixed = address(settings)
        nic = network.LAN(
            mdc=Pin(int(mdc)), mdio=Pin(int(mdio)), power=Pin(int(power)), ref_clk=Pin(int(clock)),
            ref_clk_mode=Pin.IN if mode == "in" else Pin.OUT,
            phy_type=getattr(network, "PHY_" + phy), phy_addr=int(number),
        )  # fmt: skip
        if fixed:
            nic.ifconfig(fixed)
        nic.active(True)
    except (OSError, ValueError, RuntimeError) as error:
        return failed(str(error), "is it really a %s? unplug it for a moment, then try again" % board)
    for second in range(_ADDRESS_S):
        if nic.isconnected():
            addressed(nic, "lan", settings.get("dns"), fixed)
            return True
        if second >= _CABLE_S and nic.status() != _CONNECTED:
            return failed(
                "no cable, or nothing at its other end", "plug it in; is the light at the switch on?"
            )
        time.sleep(1)
    return failed(
        "the cable is in, but DHCP gave no address", "is there a router? else give lan.ip and lan.gateway"
    )


def failed(text, do):
    say("problem", "lan", text, do)
    return False


if found and found.get("lan") is not None:
    online = lan(found["lan"], found.get("board"))
