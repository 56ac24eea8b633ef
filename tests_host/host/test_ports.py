"""A port that cannot be opened, and a board that does not answer: one clear line each."""

import contextlib
import errno
import os
import pty
import socket
import threading

import pytest
from serial import SerialException

from tests_host.host.test_flash import port
from tools.common import Failed
from tools.serial import ports, raw_repl


@pytest.fixture
def pseudo_terminal():
    leader, follower = pty.openpty()
    yield os.ttyname(follower)
    os.close(leader)
    os.close(follower)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/dev/ttyUSB99", "there is no port /dev/ttyUSB99"),
        (__file__, "is not a serial port"),
        ("/tmp", "is not a serial port"),
        ("foo://bar", "is not a serial port"),
        ("socket://127.0.0.1:9", "nothing answers at"),
        ("socket://nobody.invalid:9", "nothing answers at"),
        ("socket://127.0.0.1", "nothing answers at"),
    ],
)
def test_a_port_that_is_none(name, words):
    with pytest.raises(Failed, match=words) as failed, raw_repl.opened(name):
        pass
    assert failed.value.do
    with pytest.raises(Failed, match=words):
        ports.opened(name, 115200)


def test_connected_ports_are_suggested_for_a_missing_one():
    error = SerialException(errno.ENOENT, "could not open port")
    assert "ttyUSB1" in ports.trouble("/dev/ttyUSB0", error, lambda: [port("/dev/ttyUSB1")]).do


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "permission denied"), (errno.EBUSY, "another program uses")]
)
def test_a_port_that_is_there(number, words):
    found = ports.trouble("/dev/ttyUSB0", SerialException(number, "could not open port"))
    assert words in found.what and found.do


def test_a_serial_port_has_one_user(pseudo_terminal):
    with ports.opened(pseudo_terminal, 115200):
        with pytest.raises(Failed, match="another program uses"):
            ports.opened(pseudo_terminal, 115200)
        with pytest.raises(Failed, match="another program uses"), raw_repl.opened(pseudo_terminal):
            pass
    with raw_repl.opened(pseudo_terminal), pytest.raises(Failed, match="another program uses"):
        ports.opened(pseudo_terminal, 115200)


class Mute:
    """A port at which somebody says one thing, whatever is asked."""

    def __init__(self, words=b""):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._words = words
        self._clients = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client):
        with contextlib.suppress(OSError):
            while client.recv(64):
                client.sendall(self._words)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.close()
        for client in self._clients:
            client.close()


@pytest.mark.parametrize(
    ("words", "what", "do"),
    [
        (b"", "no answer from the board", "realer flash"),
        (b"invalid header: 0xffffffff\r\n", "but no prompt", "realer flash"),
    ],
)
def test_an_unreachable_board_is_distinguished_from_a_lost_one(monkeypatch, words, what, do):
    monkeypatch.setattr(raw_repl, "_STOP_S", 0.5)
    monkeypatch.setattr(raw_repl, "_PATIENCE_S", 0.5)
    with Mute(words) as mute, raw_repl.opened(mute.url) as transport:
        with (
            pytest.raises(Failed, match=what) as failed,
            raw_repl.stopped(transport, "It keeps what it had."),
        ):
            pytest.fail("there is no board")
        assert do in failed.value.do and "keeps" not in failed.value.do
