"""Runs on the board, after `wifi_check.py`: time, servers, certificates, with the libraries of a stock image.

It queries the configured name and time servers, as the firmware does, but does not use the firmware's code. It sends no
secret, and talks only to servers whose certificate it has verified. It sets the clock.
"""
# ruff: noqa: F821  (`end_day` comes in place of END_DAY, see doctor_command; `say`, `found`, `attend`, `tally` are
# those of board_check.py, `online`, `name_servers` those of wifi_check.py)

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
_CONNECT = b"\x10\x12\0\4MQTT\4\2\0\x3c\0\6doctor"
"""A CONNECT of MQTT 3.1.1 with the client id doctor, without credentials."""
_WORDS = (
    ("signed by", "the chain ends in none of cloud.ca_files", "realer ca %s, realer config, realer deploy"),
    ("match", "the certificate is for another name than %s", "correct cloud.base_url (cloud.host at Thinger.io)"),
    ("expired", "the certificate has expired", "compare the clock above; else the server's owner must renew it"),
    ("future", "the certificate is not valid yet", "compare the clock above; let UDP 123 through"),
)  # fmt: skip
"""(part of an error text of mbedTLS, its meaning, what to do)."""


def split(server, port):
    """(host, port) of "host" or "host:port"."""
    host, _, digits = server.partition(":")
    return host, int(digits or port)


def datagram(host, port, question):
    """The answer to `question` over UDP. OSError."""
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        wire.settimeout(_DATAGRAM_S)
        wire.connect(socket.getaddrinfo(host, port)[0][-1])
        wire.send(question)
        return wire.recv(512)
    finally:
        wire.close()


def addresses(host):
    """The IPv4 addresses of a name, from the first name server that answers. OSError: why there are none."""
    if not name_servers or host.replace(".", "").isdigit():
        return [host]  # an address, or no name server is known
    problem = ""
    for server in name_servers:
        question = os.urandom(2) + b"\1\0\0\1\0\0\0\0\0\0"  # recursion desired, one question
        for label in host.encode().split(b"."):
            question += bytes([len(label)]) + label
        question += b"\0\0\1\0\1"  # an address, of the internet
        try:
            return addresses_in(datagram(*split(server, 53), question), question)
        except (OSError, ValueError, IndexError) as error:
            problem = "%s says %s" % (server, error)
    raise OSError(problem)


def addresses_in(answer, question):
    """The IPv4 addresses in a DNS answer (RFC 1035, section 4.1). ValueError, IndexError: it is not valid."""
    if answer[:2] != question[:2]:
        raise ValueError("not an answer to this query")
    if answer[3] & 15:
        raise ValueError("there is none" if answer[3] & 15 == 3 else "error %d" % (answer[3] & 15))
    at = len(question)
    named = []
    for _ in range(answer[6] << 8 | answer[7]):
        while answer[at] and answer[at] < 0xC0:
            at += 1 + answer[at]
        at += 2 if answer[at] else 1
        kind, size = answer[at + 1], answer[at + 8] << 8 | answer[at + 9]
        at += 10
        if kind == 1 and size == 4:
            named.append("%d.%d.%d.%d" % tuple(answer[at : at + 4]))
        at += size
    if not named:
        raise ValueError("no address")
    return named


def sntp(host, port):
    """The time of a server in Unix seconds (RFC 4330). OSError, ValueError: it does not answer, or not usably."""
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


def epoch():
    """The epoch of this image, in seconds since 1970."""
    return _1970_TO_2000 if time.gmtime(0)[0] == 2000 else 0


def clock(servers):
    """Set the clock from the first server that answers."""
    for server in servers:
        try:
            host, port = split(server, 123)
            unix_s = sntp(addresses(host)[0], port)
        except (OSError, ValueError) as error:
            say("note", "time", "%s does not answer: %s" % (server, error))
            continue
        year, month, day, hour, minute, second, weekday = time.gmtime(unix_s - epoch())[:7]
        RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
        text = "%04d-%02d-%02d %02d:%02d:%02d UTC from %s"
        say("ok", "time", text % (year, month, day, hour, minute, second, server))
        return
    if time.gmtime()[0] < 2024:
        do = "let UDP 123 through, or see time.servers"
        say("problem", "time", "no time server answers, and the clock is not set", do)


def failed(what, text, do):
    """Report a failure: a note if the device can do without it, as without the broker unless its transport is `mqtt`,
    and without the update server. Returns None."""
    mqtt_alone = (found.get("cloud") or {}).get("transport") == "mqtt"
    needed = what != "update" and (what != "broker" or mqtt_alone)
    say("problem" if needed else "note", what, text, do)


def server(host, port, names, what):
    """Check name, connection and certificate of a server. Returns a function that connects to it again and verifies it,
    None if the check failed. `names`: files of root certificates; `what`: the server in the report."""
    address = reached(host, port, what)
    if not address:
        return None
    context = trusting(names, lambda name, wrong, do: say("problem", what, name + wrong, do % host))
    try:
        secured(context, host, address).close()
    except (OSError, ValueError) as error:
        return explained(host, str(error), what)
    say("ok", what, "TLS to %s:%d, certificate verified" % (host, port))
    used(host, address, names, what)
    return lambda: secured(context, host, address)


def explained(host, error, what):
    for words, meaning, do in _WORDS:
        if words in error:
            return failed(what, meaning.replace("%s", host), do.replace("%s", host))
    return failed(what, "TLS: %s" % error, "is %s the right server, and the port that of TLS?" % host)


def reached(host, port, what):
    """The first of a server's addresses at which the port is open, None if there is none. The firmware, too, tries one
    after the other."""
    try:
        named = addresses(host)
    except (OSError, ValueError) as error:
        text = "the name %s is not known: %s" % (host, error)
        return failed(what, text, "check the spelling, wifi.dns and the router")
    while True:
        name = named.pop(0)
        wire, started = socket.socket(), time.ticks_ms()
        wire.settimeout(_WAIT_S)
        try:
            address = socket.getaddrinfo(name, port)[0][-1]
            wire.connect(address)
            took = time.ticks_diff(time.ticks_ms(), started)
            say("ok", what, "TCP to %s:%d in %d ms" % (host, port, took))
            return address
        except OSError as error:
            if not named:
                text = "%s:%d cannot be reached: %s" % (host, port, error)
                return failed(what, text, "does a firewall block it? is the port right?")
            say("note", what, "%s, an address of %s, cannot be reached: %s" % (name, host, error))
        finally:
            wire.close()


def trusting(names, wrong):
    """A TLS context that verifies with the root certificates in the files `names`. `wrong(name, what, do)`: called for
    each file that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    for name in names:
        try:
            context.load_verify_locations(cadata=content(name))
        except OSError:
            wrong(name, " is not on the board", "realer deploy; %s cannot be verified without it")
        except ValueError:
            wrong(name, " is not a DER certificate", "realer ca %s, then realer deploy")
    return context


def content(name):
    with open(name, "rb") as file:
        return file.read()


def secured(context, host, address):
    """A verified TLS connection. OSError, ValueError: it failed."""
    wire = socket.socket()
    wire.settimeout(_WAIT_S)
    try:
        wire.connect(address)
        return context.wrap_socket(wire, server_hostname=host)
    except (OSError, ValueError):
        wire.close()
        raise


def used(host, address, names, what):
    """Report how long the root certificate that verifies this server is valid: of several, the one that ends last."""
    days = []
    for name in names:
        attend()
        try:
            if len(names) > 1:
                secured(trusting((name,), lambda *_: None), host, address).close()
            days.append((end_day(content(name)) - today(), name))
        except (OSError, ValueError):
            pass  # another one verifies this server
    if days:
        left, name = max(days)
        text = "its root, %s, expires in %d days" % (name, left)
        if left >= 180:
            return say("ok", what, text)
        do = "add the next root; see Root certificates in the manual"
        say("note" if left >= 30 else "problem", what, text, do)


def today():
    """The present day, in days since 1970."""
    return time.time() // 86400 + epoch() // 86400


def roots(settings):
    """The root certificate files of the configuration, and those of the bundle that runs."""
    names = list(settings.get("ca_files") or ())
    try:
        slot = json.loads(content("slot.json")).get("slot") or ""
        folder = ("/rom" if slot[:4] == "rom:" else "/" + slot) + "/firmware/certs"
        return names + [folder + "/" + name for name in sorted(os.listdir(folder))] if slot else names
    except (OSError, ValueError, AttributeError):
        return names


def api(connect, host, port):
    """Send one request without keys: any HTTP response is good."""
    try:
        wire = connect()
        wire.write(("GET / HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n" % (host, port)).encode())
        version, status = wire.readline().split(b" ", 2)[:2]
        wire.close()
        if version[:5] != b"HTTP/":
            raise ValueError("not an HTTP response")
        say("ok", "api", "answers HTTP %d" % int(status))
    except (OSError, ValueError) as error:
        say("problem", "api", "does not answer HTTP: %s" % error, "is cloud.base_url that of the API?")


def broker(connect):
    """Check that the server speaks MQTT. It should refuse this client, which has no credentials."""
    try:
        wire = connect()
        wire.write(_CONNECT)
        answer = wire.read(4) or b""
        wire.close()
    except OSError:
        answer = b""
    if answer[:3] != b"\x20\2\0":
        say("ok", "broker", "closes connections without credentials")
    elif answer[3]:
        say("ok", "broker", "speaks MQTT, and refuses clients without credentials (%d)" % answer[3])
    else:
        say("note", "broker", "accepts anybody, without credentials", "tell its operator")


def cloud(found):
    """Check time servers, API, broker and update server of the configuration."""
    clock((found.get("time") or {}).get("servers") or ("pool.ntp.org", "time.cloudflare.com"))
    attend()
    settings = found.get("cloud") or {}
    names = roots(settings)
    if settings.get("api") == "thinger":
        server(*split(settings.get("host") or "iot.thinger.io", 25206), names, "thinger")
        return
    host, port = split(address_of(settings.get("base_url", "https://api.therealer.com")), 443)
    connect = server(host, port, names, "api")
    attend()
    if connect:
        api(connect, host, port)
    if host[:4] == "api." and settings.get("api") != "realino":
        attend()
        connect = server("mqtt." + host[4:], 8883, names, "broker")
        if connect:
            broker(connect)
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
