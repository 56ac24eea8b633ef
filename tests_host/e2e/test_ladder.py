"""The escalation ladder (docs/decisions/0024) on the virtual board: Wi-Fi says that it is joined and carries nothing.

The firmware is the real one but for its waits, which are shorter: a quarter of an hour becomes less than a minute.
"""

import asyncio

import pytest

from tests_host.support.trees import changed_tree, replaced
from tools.fixture.system import SystemFixture

pytestmark = [pytest.mark.gate, pytest.mark.long]

WAITS = {
    "firmware/core/escalation.py": (
        ("_JOIN_MS = const(120000)", "_JOIN_MS = const(4000)"),
        ("_RADIO_MS = const(180000)", "_RADIO_MS = const(4000)"),
        ("_RESET_MS = const(600000)", "_RESET_MS = const(6000)"),
        ("_PROBE_MS = const(30000)", "_PROBE_MS = const(1000)"),
    ),
    "firmware/links/time_query.py": (("_DIAL_MS = const(5000)", "_DIAL_MS = const(500)"),),
    "firmware/links/mqtt_connecting.py": (("_DIAL_MS = const(20000)", "_DIAL_MS = const(2000)"),),
    "lib/dnsstub/resolver.py": (("_TIMEOUT_MS = const(2000)", "_TIMEOUT_MS = const(300)"),),
    "lib/sntp/client.py": (("_TIMEOUT_MS = const(3000)", "_TIMEOUT_MS = const(300)"),),
    "lib/http1/client.py": (
        ("_CONNECT_MS = const(20000)", "_CONNECT_MS = const(2000)"),
        ("_ANSWER_MS = const(15000)", "_ANSWER_MS = const(3000)"),
    ),
}


class Bench(SystemFixture):
    """`silence_s`: of the device, 0 for never. `steps`: what happened to the board, in order: "boot", "reset" with its
    cause, "wdt", and when the pump was switched by the device, ("pump", whether on)."""

    def __init__(self, found, folder, silence_s, transport="https"):
        texts = {path: replaced(path, *pairs) for path, pairs in WAITS.items()}
        self.steps = []
        super().__init__(
            found,
            transport=transport,
            tree=changed_tree(folder / "tree", texts),
            edit=lambda config: config["safety"].update(silence_s=silence_s),
            on_event=self._note,
        )

    def _note(self, event):
        if event[0] in ("boot", "reset", "wdt", "crash"):
            self.steps.append(event)
        elif event[0] == "pin" and event[1] == 16 and event[2] is not None:
            self.steps.append(("pump", event[2] == self.plant.wiring["pump"]["active"]))

    @property
    def radio(self):
        return self.board.chip.radio

    @property
    def climbed(self):
        """How often Wi-Fi was joined, the radio restarted and the board started."""
        return self.radio.joins, self.radio.restarts, self.board.boots

    async def pump_on(self):
        await self.online()
        self.want("6", 1)
        await self.until("the pump runs", lambda: self.on("pump"), 8)
        await self.until("the cloud knows", lambda: self.reported("6") == "1.0", 8)

    def die(self, ends):
        """The association is dead until its remedy; what was open ends."""
        self.radio.zombie = ends
        self.site.server.cut()
        if self.site.broker:
            self.kick()


async def test_a_dead_association_leads_step_by_step_to_a_reset_with_safe_outputs(smallest, tmp_path):
    async with Bench(smallest, tmp_path, silence_s=50) as bench:
        await bench.pump_on()
        assert bench.climbed == (1, 0, 1)
        bench.die("reset")
        await bench.until("it joins again", lambda: bench.climbed == (2, 0, 1), 40)
        await bench.until("then the radio is restarted", lambda: bench.climbed == (3, 1, 1), 20)
        assert bench.on("pump"), "neither switches anything"
        before = len(bench.steps)
        # The evidence for a reset is there long before; it waits until the silence has made the outputs safe.
        await bench.until("a reset", lambda: bench.board.boots == 2, 60)
        assert bench.steps[before:][:3] == [("pump", False), ("reset", "hard"), ("boot", 2)]
        await bench.online(30)
        await bench.until("the pump runs as desired", lambda: bench.on("pump"), 10)
    assert bench.model.violations == []


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("transport", "ends", "climbed"),
    [("https", "join", (2, 0, 1)), ("https", "interface", (3, 1, 1)), ("mqtt", "interface", (3, 1, 1))],
)
async def test_a_remedy_ends_the_ladder_and_switches_nothing(smallest, tmp_path, transport, ends, climbed):
    async with Bench(smallest, tmp_path, silence_s=0, transport=transport) as bench:
        await bench.pump_on()
        switched = len(bench.steps)
        bench.die(ends)
        await bench.until("the remedy", lambda: bench.climbed == climbed, 60)
        bench.want("9", 21)
        await bench.until("it obeys again", lambda: bench.reported("9") == "21.0", 40)
        await asyncio.sleep(15)
        assert bench.climbed == climbed and bench.steps[switched:] == []
