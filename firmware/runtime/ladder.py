"""The upper rungs of the escalation ladder (core.escalation): in memory only while nothing is received or a reset
waits, and for a moment when memory was short.

It queries time servers, which needs name servers, and then the gateway. Any answer ends it.
"""

from micropython import const

from firmware.core.escalation import Silence, may_reset, memory_rung
from firmware.core.timing import Timer

_LATER_MS = const(21600000)
_STEADY_MS = const(60000)
_ACTIONS = {
    "join": "joining Wi-Fi again",
    "radio": "restarting the radio",
    "reset": "restarting the device once no output is on",
}


class Ladder:
    """`network`: a NetworkLoop; `control`: its driver, see drivers.wifi_control, None without Wi-Fi of our own.
    `reset`: Timer of the reset that waits, or None."""

    def __init__(self, network, control):
        self.network = network
        self.control = control
        self.silence = Silence(network.clock.ms(), network.net.known)
        self.reset = None

    async def step(self):
        """Take the next step, if it is time for one; whether there is more to do soon. DriverError.

        Short memory is looked at once and then let alone: to stay loaded would take what is missing."""
        network = self.network
        net = network.net
        now = network.clock.ms()
        fresh, net.new_memory_failure = net.new_memory_failure, 0
        if fresh:
            network.short = Timer(now, _STEADY_MS)
            rung = memory_rung(net.memory_failures, fresh > 1, network.clock.uptime_s())
            self.climb(rung, "memory was short %d times in a row" % net.memory_failures)
        elif net.unanswered and self.control:
            await self.query(now)
        contact = network.controller.safety.silence.ms(now)
        if network.short and network.short.passed(now):
            # Whether the cloud has answered since, and goes on.
            good = network.short.ms(now) > contact
            network.short = None if good else Timer(now, _STEADY_MS)
            if good:
                net.memory_failures = 0
        if not (net.unanswered or network.short):
            self.reset = None
        if self.reset and may_reset(network.controller.outputs, self.reset.passed(now)):
            network.controller.restart = True
        return net.unanswered or self.reset

    async def query(self, now):
        network = self.network
        net = network.net
        loop = network.cloud_loop
        if (loop.online or not loop.serving) and self.silence.probes(now, network.up):
            network.probing = True
            try:
                await net.keep_time(network, self.control.gateway())
            finally:
                network.probing = False
        if net.unanswered:
            rung = self.silence.step(network.clock.ms(), network.up)
            self.climb(rung, "nothing was received from anybody, %d questions in a row" % net.unanswered)

    def climb(self, rung, why):
        """Log and do it. DriverError."""
        if not rung or (self.reset if rung == "reset" else not self.control):
            return
        self.network.log("warning", "%s: %s" % (why, _ACTIONS[rung]))
        if rung == "join":
            self.control.disconnect()
        elif rung == "radio":
            self.control.restart()
        else:
            self.reset = Timer(self.network.clock.ms(), _LATER_MS)
