"""A fixed handful of the simulation that `make soak` plays for thousands of days."""

import pytest

from tools.sim.chaos import KINDS
from tools.simulate import PACE, simulate


@pytest.fixture(autouse=True)
def own_pace():
    before = [(module, name, getattr(module, name)) for module, name, _ in PACE]
    yield
    for module, name, value in before:
        setattr(module, name, value)


# 7 and 9: a time server that lied once kept the clock out for a day; 18: a freed pin pulled its relay unasked.
@pytest.mark.parametrize("seed", [3, 7, 9, 12, 18])
def test_nothing_is_violated(seed):
    found = simulate((seed, 8.0))
    assert found["violations"] == [], "\n".join(found["timeline"][-60:])
    assert len(found["kinds"]) > len(KINDS) // 2


def test_the_same_seed_is_the_same_story():
    first, second = simulate((5, 2.0)), simulate((5, 2.0))
    assert first["timeline"] == second["timeline"] and first["kinds"] == second["kinds"]
