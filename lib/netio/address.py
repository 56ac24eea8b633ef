"""Host and port as people write them. Refuses IPv6, which the stock ESP32 image does not route."""


def is_ip(host):
    """True for a dotted IPv4 address."""
    parts = host.split(".")
    return len(parts) == 4 and all(p.isdigit() and len(p) < 4 and int(p) < 256 for p in parts)


def split(server, port):
    """(host, port) of "host" or "host:port"; `port` is the default. ValueError when the port is no number."""
    host, colon, digits = server.partition(":")
    return host, int(digits) if colon else port
