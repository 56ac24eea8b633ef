"""The demo's story, on each interpreter that is here: 32-bit with the heap of an ESP32, and 64-bit."""

import pytest

from tools.smoke import ACTS, APIS, of, story
from tools.stage import Stage

PROMISED = {
    "micropython",
    "bits",
    "runtime",
    "desired_to_relay_ms",
    "readings_stored",
    "lapse_to_safe_ms",
    "recovery_ms",
}


@pytest.mark.parametrize("api", APIS)
async def test_the_story_holds(any_interpreter, api):
    told = []
    async with Stage(any_interpreter, edit=of(api)) as stage:
        facts = await story(stage, told.append)
    assert len(told) == len(ACTS)
    assert PROMISED | {"heap_used", "board_heap"} <= set(facts)
    assert facts["bits"] == any_interpreter.bits
    assert facts["readings_stored"] > 5
    # One connection, and one more after the cloud's refusal closed it.
    assert facts["handshakes"] <= 2
