"""Runs on the board, after `board_check.py`: joins the configured Wi-Fi network.

The only secret that it sends is the Wi-Fi password, to the access point. It is a file of its own, because a board has
no memory for the text of all checks at once.
"""
# ruff: noqa: F821  (`say`, `demand`, `found` are those of board_check.py)

import errno
import network
import socket
import time

_JOIN_S = 20  # as the firmware does
_KNOCK_S = 3
name_servers = []
"""Servers that resolve names: "ip" or "ip:port" each."""


def wifi(settings):
    """Join the first of the configured networks that accepts the board; return whether it is on the network."""
    dns = settings.get("dns")
    if settings.get("country"):
        try:
            network.country(settings["country"])
        except (OSError, ValueError) as error:
            say("problem", "wifi", "country: %s" % error, "wifi.country: two capital letters (ISO 3166-1)")
    station = network.WLAN(network.STA_IF)
    station.active(True)
    for entry in settings.get("networks") or ():
        name = str(entry.get("ssid"))
        try:
            bssid, fixed = access_point(entry), address(entry)
        except (ValueError, TypeError, AttributeError) as error:
            say("problem", "wifi", "%s: %s" % (name, error), "realer config, then realer deploy")
            bssid = fixed = None
        if station.isconnected():
            return joined(station, dns, fixed)
        status = join(station, name, entry.get("password") or "", bssid, fixed)
        if status is None:
            continue
        if station.isconnected():
            return joined(station, dns, fixed)
        known = {201: "there is no such network here", 202: "the password is wrong"}
        text = "%s: %s" % (name, known.get(status, "status %d" % status))
        say("problem", "wifi", text, "wifi.networks: only 2.4 GHz; go closer; check the password")
    return station.isconnected() and joined(station, dns)


def access_point(entry):
    """The six bytes of `bssid`, None if it is not configured. ValueError."""
    text = entry.get("bssid")
    if not text:
        return None
    found = bytes([int(part, 16) for part in text.split(":")])
    if len(found) != 6:
        raise ValueError("bssid is not the address of an access point")
    return found


def address(entry):
    """(address, netmask, gateway, name server) of a network, None if DHCP assigns them. ValueError."""
    ip, mask, gateway = entry.get("ip"), entry.get("netmask") or "255.255.255.0", entry.get("gateway")
    if not ip:
        return None
    if not gateway or gateway == ip or (number(ip) ^ number(gateway)) & number(mask):
        raise ValueError(
            "the fixed address %s and the gateway %s are not in one network (netmask %s); DHCP is used now"
            % (ip, gateway, mask)
        )
    dns = entry.get("dns")
    return ip, mask, gateway, dns if isinstance(dns, str) and dns else gateway


def number(ip):
    parts = [int(part) for part in ip.split(".")]
    if len(parts) != 4 or min(parts) < 0 or max(parts) > 255:
        raise ValueError("%s is not an address" % ip)
    return parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3]


def join(station, name, password, bssid, fixed):
    """Try to join; return the final status of the station, None if the attempt could not start."""
    try:
        station.disconnect()
        if bssid and elsewhere(station.scan(), name, bssid):
            return None
        if fixed:
            station.ifconfig(fixed)
        else:
            try:
                station.ifconfig("dhcp")
            except (OSError, RuntimeError):
                pass  # DHCP runs already
        station.connect(name, password, bssid=bssid)
    except (OSError, RuntimeError) as error:
        say("problem", "wifi", "%s: %s" % (name, error), "reset the board, then try again")
        return None
    for _ in range(_JOIN_S * 10):
        if station.isconnected() or station.status() in (201, 202):
            break
        time.sleep_ms(100)
    return station.status()


def elsewhere(points, name, bssid):
    """Whether the network's other access points are in range, but not the configured one."""
    others = [point for point in points if point[0] == name.encode()]
    if not others or bssid in [point[1] for point in points]:
        return False
    seen = ", ".join(["%s with %d dBm" % (radio(point[1]), point[3]) for point in others])
    text = "%s: its access point %s is not seen here, but %s" % (name, radio(bssid), seen)
    say("problem", "wifi", text, "wifi.networks: correct bssid, or leave it out")
    return True


def radio(bssid):
    return ":".join(["%02x" % byte for byte in bssid])


def joined(station, dns, fixed=None):
    addressed(station, "wifi", dns, fixed)
    signal = station.status("rssi")
    demand(signal > -75, "signal", "%d dBm" % signal, "weak: move board, antenna or router", "note")
    return True


def addressed(nic, what, dns, fixed):
    """Report the address, and for a fixed one whether the gateway answers. Sets `name_servers`."""
    ip, _, gateway, from_router = nic.ifconfig()
    name_servers[:] = dns or [from_router]
    kind = "fixed address" if fixed else "address"
    say("ok", what, "%s %s, gateway %s, name server %s" % (kind, ip, gateway, ", ".join(name_servers)))
    if fixed and not knocked(gateway):
        do = "is it the router, and the address in its network? compare with another device"
        say("note", what, "the gateway %s answers at no port that was tried" % gateway, do)


def knocked(gateway):
    """Whether the gateway answers a connection, be it by refusing it."""
    for port in (53, 80, 443):
        wire = socket.socket()
        wire.settimeout(_KNOCK_S)
        try:
            wire.connect(socket.getaddrinfo(gateway, port)[0][-1])
            return True
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                return True
        finally:
            wire.close()
    return False


online = bool(found) and found.get("lan") is None and (not found.get("wifi") or wifi(found["wifi"]))
