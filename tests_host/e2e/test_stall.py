"""The loop of the real MicroPython goes on whatever the network does: no DNS, no connect and no answer is waited for in
a way that keeps the relays waiting. The bound is far from what `realer bench` measures, so that a busy machine is no
fault, and far from any deadline, so that a blocking call is.
"""

from tools.checks.cycles import probes
from tools.fixture.system import SystemFixture
from tools.repository import ROOT

BOUND_MS = 2000
MAIN = (ROOT / "main.py").read_bytes()
STALL = (ROOT / "tools/virtual_board/probes/stall.py").read_bytes()
PLANTED = b"""
import time
from firmware.device import Device
state = Device.state
def wait(self):
    if self.network.up and not hasattr(self, "waited"):
        self.waited = True
        time.sleep_ms(3000)
    return state(self)
Device.state = wait
"""


async def longest_ms(interpreter, main, seconds):
    """The longest delay of a device whose name server, cloud and time server take turns in saying nothing."""
    async with SystemFixture(interpreter, files={"main.py": STALL, "device_main.py": main}) as fixture:
        await fixture.online()
        fixture.site.faults.add("commands hang times=1")
        fixture.site.faults.add("any drop times=3")
        fixture.site.dns.mode = "silent"
        start = len(probes(fixture.lines))
        looked = lambda: len(probes(fixture.lines)) >= start + seconds  # noqa: E731
        await fixture.until("the probe has looked often enough", looked, 3 * seconds + 20)
        return max(probes(fixture.lines)) / 1000


async def test_unanswered_requests_do_not_stall_the_loop(smallest):
    assert await longest_ms(smallest, MAIN, 8) < BOUND_MS


async def test_a_blocking_call_would_be_seen(roomiest):
    assert await longest_ms(roomiest, PLANTED + MAIN, 1) > BOUND_MS
