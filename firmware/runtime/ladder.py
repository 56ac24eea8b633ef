"""The upper steps of the escalation ladder (core.escalation). In memory only while nothing is received or a reset is
pending, and briefly after memory was short.

While nothing is received, it queries time servers, which needs name servers, and then the gateway. Any answer ends
that.
"""

from micropython import const

from firmware.core.escalation import Silence, broken_rung, may_reset, memory_rung
from firmware.core.timing import Timer

_LATER_MS = const(21600000)
_STEADY_MS = const(60000)
_ACTIONS = {
    "join": "joining %s again",
    "interface": "restarting %s",
    "reset": "restarting the device once no output is on",
}


class Ladder:
    """`network`: a NetworkLoop. `control`: see drivers.wifi_control and lan_control; None if the firmware manages no
    interface. `reset`: Timer until a pending reset no longer waits for outputs, None if no reset is pending."""

    def __init__(self, network, control):
        self.network = network
        self.control = control
        rejoins = hasattr(control, "disconnect")
        self.silence = Silence(network.clock.ms(), network.net.known, rejoins)
        self.reset = None

    async def step(self):
        """Take the next step, if one is due. Return whether this unit is still needed. DriverError.

        A shortage of memory is handled once, without staying loaded, because that would take more memory."""
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
        broken = self.control and network.interface.broken
        if broken:
            self.climb(broken_rung(network.clock.uptime_s()), "no interface")
        contact = network.controller.safety.silence.ms(now)
        if network.short and network.short.passed(now):
            # Good: the cloud has answered since memory was short.
            good = network.short.ms(now) > contact
            network.short = None if good else Timer(now, _STEADY_MS)
            if good:
                net.memory_failures = 0
        if not (net.unanswered or network.short or broken):
            self.reset = None
        if self.reset and may_reset(network.controller.outputs, self.reset.passed(now)):
            network.controller.restart = True
        return net.unanswered or self.reset or broken

    async def query(self, now):
        network = self.network
        net = network.net
        loop = network.cloud_loop
        if (loop.online or not loop.serving) and self.silence.probes(now, network.up):
            network.probing = True
            try:
                await net.keep_time(network, network.interface.address(2))
            finally:
                network.probing = False
        if net.unanswered:
            rung = self.silence.step(network.clock.ms(), network.up)
            self.climb(rung, "nothing was received from anybody, %d questions in a row" % net.unanswered)

    def climb(self, rung, why):
        """Log and carry out the step `rung`, None for none. DriverError."""
        if not rung or (self.reset if rung == "reset" else not self.control):
            return
        action = _ACTIONS[rung]
        if "%" in action:
            action %= self.network.interface.what
        self.network.log("warning", "%s: %s" % (why, action))
        if rung == "join":
            self.control.disconnect()
        elif rung == "interface":
            self.control.restart()
        else:
            self.reset = Timer(self.network.clock.ms(), _LATER_MS)
