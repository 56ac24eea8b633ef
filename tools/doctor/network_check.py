"""Runs on the board, after `wifi_check.py`: time, servers, certificates, with the libraries of a stock image.

Names and time are asked of the servers of the configuration, on their ports, as the firmware does it; its code has no
part in it. Sends no secret, and asks nobody whose certificate it has not verified. It sets the clock.
"""
# ruff: noqa: F821  (`end_day` comes in place of END_DAY, see doctor_command; `say`, `found`, `attend`, `tally` are those of board_check.py, `online`, `name_servers` those of wifi_check.py)

import json
import os
import socket
import ssl
import time
from machine import RTC

END_DAY = None

_WAIT_S = 10
_DATAGRAM_S = 3
_TO_1970 = 2208988800  # from 1900, where NTP begins to count
_1970_TO_2000 = 946684800
_2024 = 1704067200
_WORDS = (
    ("signed by", "the chain ends in none of cloud.ca_files", "realer ca %s, realer config, realer deploy"),
    (
        "match",
        "the certificate is for another name than %s",
        "correct cloud.base_url (cloud.host at Thinger.io)",
    ),
    (
        "expired",
        "the certificate has expired",
        "compare the clock above; else the server's owner must renew it",
    ),
    ("future", "the certificate is not valid yet", "compare the clock above; let UDP 123 through"),
)
"""In what a TLS library says -> the meaning, and what to do."""


def split(server, port):
    """(host, port) of "host" or "host:port"."""
    host, _, digits = server.partition(":")
    return host, int(digits or port)


def datagram(host, port, question):
    """The answer to one question over UDP. OSError."""
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        wire.settimeout(_DATAGRAM_S)
        wire.connect(socket.getaddrinfo(host, port)[0][-1])
        wire.send(question)
        return wire.recv(512)
    finally:
        wire.close()


def lookup(host):
    """The address of a name as a text, from the first name server that answers. OSError or ValueError: why not."""
    if not name_servers or host.replace(".", "").isdigit():
        return host  # a network that somebody else set up has names of its own
    problem = ""
    for server in name_servers:
        question = os.urandom(2) + b"\1\0\0\1\0\0\0\0\0\0"  # recursion desired, one question
        for label in host.encode().split(b"."):
            question += bytes([len(label)]) + label
        question += b"\0\0\1\0\1"  # an address, of the internet
        try:
            return address_in(datagram(*split(server, 53), question), question)
        except (OSError, ValueError, IndexError) as error:
            problem = "%s says %s" % (server, error)
    raise OSError(problem)


def address_in(answer, question):
    """The first IPv4 address of a DNS answer (RFC 1035, 4.1). ValueError, IndexError."""
    if answer[:2] != question[:2]:
        raise ValueError("something else")
    if answer[3] & 15:
        raise ValueError("there is none" if answer[3] & 15 == 3 else "error %d" % (answer[3] & 15))
    at = len(question)
    for _ in range(answer[6] << 8 | answer[7]):
        while answer[at] and answer[at] < 0xC0:
            at += 1 + answer[at]
        at += 2 if answer[at] else 1
        kind, size = answer[at + 1], answer[at + 8] << 8 | answer[at + 9]
        at += 10
        if kind == 1 and size == 4:
            return "%d.%d.%d.%d" % tuple(answer[at : at + 4])
        at += size
    raise ValueError("no address")


def sntp(host, port):
    """Unix seconds (RFC 4330). OSError, ValueError."""
    sent = os.urandom(8)
    answer = datagram(host, port, b"\x23" + bytes(39) + sent)
    if len(answer) < 48 or answer[24:32] != sent or answer[0] & 7 != 4:
        raise ValueError("something other than the time")
    if answer[0] >> 6 == 3 or not 0 < answer[1] < 16:
        raise ValueError("it is not synchronised itself")
    seconds = int.from_bytes(answer[40:44], "big")
    seconds += (0 if seconds >> 31 else 1 << 32) - _TO_1970  # the counter wraps in 2036
    if seconds < _2024:
        raise ValueError("a time long ago, which the firmware would not accept")
    return seconds


def clock(servers):
    """The time, from the first server that answers."""
    for server in servers:
        try:
            host, port = split(server, 123)
            unix_s = sntp(lookup(host), port)
        except (OSError, ValueError) as error:
            say("note", "time", "%s does not answer: %s" % (server, error))
            continue
        since = _1970_TO_2000 if time.gmtime(0)[0] == 2000 else 0
        year, month, day, hour, minute, second, weekday = time.gmtime(unix_s - since)[:7]
        RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
        text = "%04d-%02d-%02d %02d:%02d:%02d UTC from %s"
        say("ok", "time", text % (year, month, day, hour, minute, second, server))
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
    context = trusting(names, lambda name, wrong, do: say("problem", what, name + wrong, do % host))
    error = handshake(context, host, address)
    if error is not None:
        return explained(host, error, what)
    say("ok", what, "TLS to %s:%d, certificate verified" % (host, port))
    used(host, address, names, what)
    return context


def trusting(names, wrong):
    """A context that verifies with these roots; `wrong(name, what, do)`: of one that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    for name in names:
        try:
            with open(name, "rb") as file:
                context.load_verify_locations(cadata=file.read())
        except OSError:
            wrong(name, " is not on the board", "realer deploy; %s cannot be verified without it")
        except ValueError:
            wrong(name, " is not a DER certificate", "realer ca %s, then realer deploy")
    return context


def used(host, address, names, what):
    """How long the root is good for that verifies this server: the last to end, where several do."""
    days = []
    for name in names:
        attend()
        if len(names) == 1 or handshake(trusting((name,), lambda *_: None), host, address) is None:
            try:
                with open(name, "rb") as file:
                    days.append((end_day(file.read()) - today(), name))
            except (OSError, ValueError):
                pass
    if days:
        left, name = max(days)
        level = "ok" if left >= 180 else "note" if left >= 30 else "problem"
        do = ("add the next root; see Root certificates in the manual",) if level != "ok" else ()
        say(level, what, "its root, %s, expires in %d days" % (name, left), *do)


def today():
    """Days since 1970."""
    return time.time() // 86400 + (_1970_TO_2000 // 86400 if time.gmtime(0)[0] == 2000 else 0)


def roots(settings):
    """The certificate files of the configuration, and those that came with the bundle that runs."""
    names = list(settings.get("ca_files") or ())
    try:
        with open("slot.json") as file:
            slot = json.load(file).get("slot") or ""
        folder = ("/rom" if slot[:4] == "rom:" else "/" + slot) + "/firmware/certs"
        return names + [folder + "/" + name for name in sorted(os.listdir(folder))] if slot else names
    except (OSError, ValueError, AttributeError):
        return names


def worst(what):
    """The level of a failure: only a device that speaks nothing but MQTT needs the broker, and none needs updates."""
    needed = what not in ("broker", "update") or (
        what == "broker" and (found.get("cloud") or {}).get("transport") == "mqtt"
    )
    return "problem" if needed else "note"


def resolved(host, port, what):
    """The server's address, when its name is known and its port open."""
    try:
        address = socket.getaddrinfo(lookup(host), port)[0][-1]
    except (OSError, ValueError) as error:
        say(
            worst(what),
            what,
            "the name %s is not known: %s" % (host, error),
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
            "does a firewall block it? is the port right?",
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


def explained(host, error, what):
    for words, meaning, do in _WORDS:
        if words in error:
            return say(worst(what), what, meaning.replace("%s", host), do.replace("%s", host))
    return say(
        worst(what), what, "TLS: %s" % error, "is %s the right server, and the port that of TLS?" % host
    )


def api(context, host, port):
    """One plain question, without keys: any answer of HTTP will do."""
    wire = socket.socket()
    wire.settimeout(_WAIT_S)
    try:
        wire.connect(socket.getaddrinfo(lookup(host), port)[0][-1])
        secured = context.wrap_socket(wire, server_hostname=host)
        secured.write(("GET / HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n" % (host, port)).encode())
        version, status = secured.readline().split(b" ", 2)[:2]
        if version[:5] != b"HTTP/":
            raise ValueError("something else")
        say("ok", "api", "answers HTTP %d" % int(status))
    except (OSError, ValueError) as error:
        say("problem", "api", "does not answer HTTP: %s" % error, "is cloud.base_url that of the API?")
    finally:
        wire.close()


class Verified:
    """Stands for `socket` inside umqtt.simple, so that no version of it connects without looking at the certificate."""

    def __init__(self, context, host):
        self.context, self.host = context, host

    def getaddrinfo(self, host, port, *rest):
        return socket.getaddrinfo(lookup(host), port)

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
        say("note", "broker", "this image has no umqtt.simple", "use a stock image")
        return
    simple.socket = Verified(context, host)
    try:
        simple.MQTTClient("doctor", host, port).connect()
        say("note", "broker", "accepts anybody, without credentials", "tell its operator")
    except simple.MQTTException as error:
        say("ok", "broker", "speaks MQTT, and refuses clients without credentials (%s)" % error)
    except (OSError, AssertionError, IndexError):
        say("ok", "broker", "closes connections without credentials")
    simple.socket.close()


def cloud(found):
    """Everything about the servers."""
    clock((found.get("time") or {}).get("servers") or ("pool.ntp.org", "time.cloudflare.com"))
    attend()
    settings = found.get("cloud") or {}
    names = roots(settings)
    if settings.get("api") == "thinger":
        server(*split(settings.get("host") or "iot.thinger.io", 25206), names, "thinger")
        return
    host, port = split(address_of(settings.get("base_url", "https://api.therealer.com")), 443)
    context = server(host, port, names, "api")
    if context:
        attend()
        api(context, host, port)
    if host[:4] == "api." and settings.get("api") != "realino":
        attend()
        broker("mqtt." + host[4:], 8883, names)
    if (found.get("update") or {}).get("url"):
        attend()
        server(*split(address_of(found["update"]["url"]), 443), names, "update")


def address_of(url):
    """host or host:port of https://host[:port]/"""
    return url.split("//")[-1].rstrip("/")


if online:
    attend()
    cloud(found)
counts = [(tally[level], level) for level in ("ok", "note", "problem")]
print(", ".join(["%d %s%s" % (n, level, "" if n == 1 or level == "ok" else "s") for n, level in counts]))
