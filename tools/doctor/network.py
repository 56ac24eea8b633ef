"""Runs on the board, after `board.py`: Wi-Fi, time, servers, certificates, asked with a stock image's own libraries.

Owns: the checks that need a network, and the words for what a TLS library says. Sends no secret but the Wi-Fi password
to the access point; no certificate goes unseen where something of the answer counts. It sets the clock.
"""
# ruff: noqa: F821  (`say`, `found`, `attend`, `tally` are those of board.py)

import network
import socket
import ssl
import time

_WAIT_S = 10
_WORDS = (
    ("signed by", "the chain ends in none of cloud.ca_files", "make ca HOST=%s, make config, make deploy"),
    ("match", "the certificate is for another name than %s", "correct cloud.base_url"),
    (
        "expired",
        "the certificate has expired",
        "compare the clock above; else the server's owner must renew it",
    ),
    ("future", "the certificate is not valid yet", "compare the clock above; let UDP 123 through"),
)
"""In what a TLS library says -> the verdict, and what to do."""


def wifi(networks):
    """Whether the board is on the network; joins the first that lets it in."""
    station = network.WLAN(network.STA_IF)
    station.active(True)
    for entry in networks:
        name = str(entry.get("ssid"))
        if not station.isconnected():
            status = join(station, name, entry.get("password") or "")
            if status is None:
                continue
        if station.isconnected():
            return joined(station)
        reason = {201: "there is no such network here", 202: "the password is wrong"}.get(
            status, "status %d" % status
        )
        say(
            "problem",
            "wifi",
            "%s: %s" % (name, reason),
            "wifi.networks: only 2.4 GHz; go closer; check the password",
        )
    return station.isconnected() and joined(station)


def join(station, name, password):
    """The station's status in the end; None when it could not even begin."""
    try:
        station.disconnect()
        station.connect(name, password)
    except OSError as error:
        say("problem", "wifi", "%s: %s" % (name, error), "reset the board, then try again")
        return None
    for _ in range(_WAIT_S * 10):
        if station.isconnected() or station.status() in (201, 202):
            break
        time.sleep_ms(100)
    return station.status()


def joined(station):
    address, _, gateway, dns = station.ifconfig()
    say("ok", "wifi", "address %s, gateway %s, name server %s" % (address, gateway, dns))
    signal = station.status("rssi")
    good = signal > -75
    say(
        "ok" if good else "note",
        "signal",
        "%d dBm" % signal,
        "" if good else "weak: move board, antenna or router",
    )
    return True


def clock(servers):
    """The time, from the first server that answers."""
    try:
        import ntptime
    except ImportError:
        say("note", "time", "this image has no ntptime", "take a stock image")
        return
    for server in servers:
        ntptime.host, ntptime.timeout = server.split(":")[0], 5
        try:
            ntptime.settime()
        except (OSError, IndexError) as error:
            say("note", "time", "%s does not answer: %s" % (server, error))
            continue
        say("ok", "time", "%04d-%02d-%02d %02d:%02d:%02d UTC from %s" % (time.gmtime()[:6] + (server,)))
        return
    if time.gmtime()[0] < 2024:
        say(
            "problem",
            "time",
            "no time server answers, and the clock is not set",
            "let UDP 123 through, or see time.servers",
        )


def server(host, port, names, what):
    """Name, connection and certificate of a server; a context that verifies, or None."""
    address = resolved(host, port, what)
    if not address:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    for name in names:
        try:
            with open(name, "rb") as file:
                context.load_verify_locations(cadata=file.read())
        except OSError:
            say("problem", what, "%s is not on the board" % name, "make deploy")
        except ValueError:
            say(
                "problem", what, "%s is no DER certificate" % name, "make ca HOST=%s, then make deploy" % host
            )
    error = handshake(context, host, address)
    if error is not None:
        return judged(host, error, what)
    say("ok", what, "TLS to %s:%d, certificate verified" % (host, port))
    return context


def worst(what):
    """The level of a failure: only a device that speaks nothing but MQTT needs the broker."""
    needed = what != "broker" or (found.get("cloud") or {}).get("transport") == "mqtt"
    return "problem" if needed else "note"


def resolved(host, port, what):
    """The server's address, when its name is known and its port open."""
    try:
        address = socket.getaddrinfo(host, port)[0][-1]
    except OSError:
        say(
            worst(what),
            what,
            "the name %s is not known" % host,
            "check the spelling, wifi.dns and the router",
        )
        return None
    wire, started = socket.socket(), time.ticks_ms()
    wire.settimeout(_WAIT_S)
    try:
        wire.connect(address)
        say("ok", what, "TCP to %s:%d in %d ms" % (host, port, time.ticks_diff(time.ticks_ms(), started)))
        return address
    except OSError as error:
        say(
            worst(what),
            what,
            "%s:%d cannot be reached: %s" % (host, port, error),
            "is a firewall between? is the port right?",
        )
        return None
    finally:
        wire.close()


def handshake(context, host, address):
    """What went wrong, None if nothing did."""
    wire = socket.socket()
    wire.settimeout(_WAIT_S)
    try:
        wire.connect(address)
        context.wrap_socket(wire, server_hostname=host).close()
        return None
    except (OSError, ValueError) as error:
        return str(error)
    finally:
        wire.close()


def judged(host, error, what):
    for words, verdict, do in _WORDS:
        if words in error:
            return say(worst(what), what, verdict.replace("%s", host), do.replace("%s", host))
    return say(
        worst(what), what, "TLS: %s" % error, "is %s the right server, and the port that of TLS?" % host
    )


def api(url):
    """One plain question, without keys: any answer of HTTP will do."""
    try:
        import requests

        answer = requests.get(url + "/", timeout=_WAIT_S)
        say("ok", "api", "answers HTTP %d" % answer.status_code)
        answer.close()
    except ImportError:
        say("note", "api", "this image has no requests", "take a stock image")
    except (OSError, ValueError, NotImplementedError) as error:
        say("problem", "api", "does not answer HTTP: %s" % error, "is cloud.base_url that of the API?")


class Verified:
    """Stands for `socket` inside umqtt.simple, so that no version of it connects without looking at the certificate."""

    def __init__(self, context, host):
        self.getaddrinfo = socket.getaddrinfo
        self.context, self.host = context, host

    def socket(self):
        return self

    def settimeout(self, seconds):
        pass

    def connect(self, address):
        wire = socket.socket()
        wire.settimeout(_WAIT_S)
        wire.connect(address)
        wire = self.context.wrap_socket(wire, server_hostname=self.host)
        self.read, self.write, self.close = wire.read, wire.write, wire.close


def broker(host, port, names):
    """Whether a broker speaks MQTT there. Without credentials its refusal is the best answer there can be."""
    context = server(host, port, names, "broker")
    if not context:
        return
    try:
        from umqtt import simple
    except ImportError:
        say("note", "broker", "this image has no umqtt.simple", "take a stock image")
        return
    simple.socket = Verified(context, host)
    try:
        simple.MQTTClient("doctor", host, port).connect()
        say("note", "broker", "lets anybody in, without credentials", "tell who runs it")
    except simple.MQTTException as error:
        say("ok", "broker", "speaks MQTT, and refuses whoever has no credentials (%s)" % error)
    except (OSError, AssertionError, IndexError):
        say("ok", "broker", "hangs up on whoever has no credentials")
    simple.socket.close()


def cloud(found):
    """Everything about the servers."""
    clock((found.get("time") or {}).get("servers") or ("pool.ntp.org", "time.cloudflare.com"))
    attend()
    settings = found.get("cloud") or {}
    url, names = settings.get("base_url", "https://api.therealer.com"), settings.get("ca_files") or ()
    host, _, port = url.split("//")[-1].partition(":")
    if server(host, int(port or 443), names, "api"):
        attend()
        api(url)
    if host[:4] == "api.":
        attend()
        broker("mqtt." + host[4:], 8883, names)


if found:
    wanted = found.get("wifi")
    if not wanted or wifi(wanted.get("networks") or ()):
        attend()
        cloud(found)
print("%(ok)d ok, %(note)d notes, %(problem)d problems" % tally)
