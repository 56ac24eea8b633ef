"""Every engine on two thousand random and damaged inputs, and that the fuzzer finds what it looks for."""

import pytest

from tools.checks import fuzz


@pytest.mark.gate
@pytest.mark.parametrize("name", fuzz.ENGINES)
def test_damaged_bytes(name: str):
    facts = fuzz.fuzz(name, 2000, 0)
    assert facts["inputs"] == 2000


def test_fuzzing_finds_what_it_looks_for(monkeypatch: pytest.MonkeyPatch):
    def fragile(data: bytes, chance: object) -> None:
        if b"\xff" in data:
            raise ValueError("no")

    monkeypatch.setitem(fuzz.ENGINES, "fragile", fuzz.Engine((b"abc",), fragile))
    with pytest.raises(ValueError) as caught:
        fuzz.fuzz("fragile", 2000, 0)
    assert "fragile, input " in caught.value.__notes__[0]
    kept = []
    monkeypatch.setitem(
        fuzz.ENGINES, "greedy", fuzz.Engine((b"abc",), lambda data, chance: kept.append(bytes(400)))
    )
    with pytest.raises(fuzz.Wrong, match="memory grew"):
        fuzz.fuzz("greedy", 4000, 0)
