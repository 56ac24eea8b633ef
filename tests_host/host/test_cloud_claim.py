"""Ports of servers that go down and come back."""

import socket

import pytest

from tools.cloud import claim


def test_a_claimed_port_is_exclusive_until_released(monkeypatch):
    with claim.claim() as sign:
        port = claim.number(sign)
        monkeypatch.setattr(claim, "_NUMBERS", [port])
        monkeypatch.setattr(claim, "_TRIES", 1)
        with pytest.raises(OSError, match="no port is free"):
            claim.claim()
    with claim.claim() as again:
        assert claim.number(again) == port


def test_a_port_in_use_is_not_claimed(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(claim, "_NUMBERS", [server.getsockname()[1]])
        monkeypatch.setattr(claim, "_TRIES", 1)
        with pytest.raises(OSError, match="no port is free"):
            claim.claim()


def test_the_system_gives_it_to_nobody():
    """What it hands out begins where these end, on Linux and elsewhere."""
    with socket.create_server(("127.0.0.1", 0)) as server, claim.claim() as sign:
        assert claim.number(sign) < server.getsockname()[1]
