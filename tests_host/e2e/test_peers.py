"""The comparison with other clients, once: ours is measured, what is not at hand is named, and a copy of the user's is
preferred."""

import pytest

from tools.checks.bench_peers import PEERS, Peers
from tools.env import interpreter
from tools.repository import ROOT

OTHERS = {
    "umqtt/simple.py": '__version__ = "9.9"\nraise ImportError("first of all ours")\n',
    "requests/__init__.py": '__version__ = "9.9"\ndef get(url):\n    raise OSError("used " + url)\n',
}


async def test_ours_and_a_peer_that_is_not_here(tmp_path):
    for name, text in OTHERS.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    peers = Peers(1, interpreter.find(), ROOT, tmp_path)
    found = {
        line["figure"]: line
        for line in await peers.peers([peer for peer in PEERS if peer.name in ("lib/mqtt5", "umqtt.simple")])
    }
    ours = found["beside peers: lib/mqtt5"]
    assert {"publish_ms", "rate", "echo_ms", "connect_ms", "import_ms", "heap"} <= ours.keys()
    assert all(0 < least <= middle <= most for middle, least, most in (ours["rate"], ours["heap"]))
    assert "first of all ours" in found["beside peers: umqtt.simple"]["skipped"]
    assert "beside peers, connect of lib/mqtt5, umqtt.simple (times)" not in found
    with pytest.raises(OSError, match="used https://localhost:"):
        await peers.peers([peer for peer in PEERS if peer.name == "requests"])
