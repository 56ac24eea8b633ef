"""Ports of servers that go down and come back."""

import socket

import pytest

from tools.cloud import port_reservation


def test_a_claimed_port_is_exclusive_until_released(monkeypatch):
    with port_reservation.claim() as sign:
        port = port_reservation.number(sign)
        monkeypatch.setattr(port_reservation, "_NUMBERS", [port])
        monkeypatch.setattr(port_reservation, "_TRIES", 1)
        with pytest.raises(OSError, match="no port is free"):
            port_reservation.claim()
    with port_reservation.claim() as again:
        assert port_reservation.number(again) == port


def test_a_port_in_use_is_not_claimed(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(port_reservation, "_NUMBERS", [server.getsockname()[1]])
        monkeypatch.setattr(port_reservation, "_TRIES", 1)
        with pytest.raises(OSError, match="no port is free"):
            port_reservation.claim()


def test_no_other_program_gets_it():
    """What it hands out begins where these end, on Linux and elsewhere."""
    with socket.create_server(("127.0.0.1", 0)) as server, port_reservation.claim() as sign:
        assert port_reservation.number(sign) < server.getsockname()[1]
