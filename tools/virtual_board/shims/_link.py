"""The connection from a shim to the simulated hardware of the host process: one line out, one line back, blocking. Both
begin with the same control character, which occurs nowhere else.

It turns a reply into a value or an exception, and knows no operation. Part of the virtual board, never of a device.
"""

import binascii
import socket

_wire = []
_line = bytearray(560)
_tag = [0]
before = [None]
"""What is called before each request, which may make some itself."""
edges = [None]
"""What is called with a line about edges at a pin, likewise."""
link = [None]
"""What is called with a line about the network, which comes unasked, and is read before the next reply."""


class Gone(SystemExit):
    """Nobody is left to run for."""


def open_wire(port, token):
    wire = socket.socket()
    wire.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    _wire.append(wire)
    _send("hello", token)


def _send(*words):
    _wire[0].write(" ".join([str(word) for word in words]) + "\n")


def ask(*words):
    """The reply's text. Does not return when the host ends this run, which it does by killing the process.

    A request travels as words, because a name costs the table of names on the heap less than a format for each.
    """
    if before[0]:
        before[0]()
    # After Ctrl-C in the middle of a dialogue its reply is still to come, and must not be taken for this one's.
    _tag[0] = tag = _tag[0] % 3 + 1
    _send(chr(tag), *words)
    return _answer(tag)


def _answer(tag):
    reply = b"\0"
    while reply[0] != tag:
        reply = _wire[0].readline()
        if not reply:
            raise Gone
        if reply[0] == 5 and link[0]:
            link[0](reply)
        elif reply[0] == 6 and edges[0]:
            edges[0](reply)
    reply = reply[1:]
    text = str(reply[2:-1], "ascii")
    kind = reply[:2]
    if reply[0] == 61:  # =
        return str(reply[1:-1], "ascii")
    if kind == b"!V":
        raise ValueError(text[1:])
    if kind == b"!R":
        raise RuntimeError(text[1:])
    if kind == b"!O":
        raise OSError(text[1:])
    if kind == b"!A":
        raise AttributeError(text[1:])
    if kind == b"!K":
        raise KeyboardInterrupt
    number, name = text[1:].split(" ", 1)
    raise OSError(int(number), name)


def ask_bytes(operation, data):
    """A request with bytes as its word, at most 256. It is put together in a buffer that is there anyway, and leaves at
    once: a request in parts could be torn by Ctrl-C."""
    _tag[0] = tag = _tag[0] % 3 + 1
    piece = ("%c %s ." % (tag, operation)).encode()
    end = len(piece)
    _line[:end] = piece
    for i in range(0, len(data), 32):
        piece = binascii.hexlify(data[i : i + 32])
        _line[end : end + len(piece)] = piece
        end += len(piece)
    _line[end] = 10
    _wire[0].write(memoryview(_line)[: end + 1])
    return _answer(tag)


def tell(line):
    """Send a ready line and wait for nothing, which takes no memory. A reply to it is taken for nobody's where the line
    begins with a control character that `ask` does not use."""
    _wire[0].write(line)


def packed(data):
    """Bytes or text as one word."""
    return "." + "".join(["%02x" % byte for byte in (data.encode() if isinstance(data, str) else data)])
