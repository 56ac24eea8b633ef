"""The upper steps of the escalation ladder (core.escalation). In memory only while nothing is received or a reset is
pending, and briefly after memory was short.

While nothing is received, it queries time servers, which needs name servers, and then the gateway. Any answer ends
that.
"""

from micropython import const

from firmware.core.escalation import Silence, broken_step, may_reset, memory_step
from firmware.core.timing import Timer

_LATER_MS = const(21600000)
_STEADY_MS = const(60000)
_ACTIONS = {
    "join": "joining %s again",
    "interface": "restarting %s",
    "reset": "resetting once no output is on",
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
            step = memory_step(net.memory_failures, fresh > 1, network.clock.uptime_s())
            self.take(step, "memory was short %d times in a row" % net.memory_failures)
        elif network.stranded() and not network.cloud_loop.serving:
            network.alone.start = now
            await self.keep_time()
            if network.backoff.failures:  # else only the cloud is down
                self.take("join", "no cloud and no time server was reached for ten minutes")
        elif net.unanswered and self.control:
            await self.query(now)
        broken = self.control and network.interface.broken
        if broken:
            self.take(broken_step(network.clock.uptime_s()), "interface not usable")
        contact = network.controller.safety.silence.ms(now)
        if network.short and network.short.passed(now):
            answered = network.short.ms(now) > contact  # the cloud has answered since memory was short
            network.short = None if answered else Timer(now, _STEADY_MS)
            if answered:
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
            await self.keep_time(network.interface.address(2))
        if net.unanswered:
            step = self.silence.step(network.clock.ms(), network.up)
            self.take(step, "nothing received from any host in %d attempts" % net.unanswered)

    async def keep_time(self, gateway=None):
        """See `keep` of links.time_query. The link is not opened meanwhile."""
        network = self.network
        network.probing = True
        try:
            await network.net.keep_time(network, gateway)
        finally:
            network.probing = False

    def take(self, step, why):
        """Log and carry out `step`, None for none. DriverError."""
        if not step or (self.reset if step == "reset" else not self.control):
            return
        network = self.network
        action = _ACTIONS[step]
        if "%" in action:
            action %= network.interface.what
        network.log("warning", "%s: %s" % (why, action))
        if step == "join":
            # Another network, if there are several: this one may be a dead end.
            network.joined = (network.joined + 1) % len(network.networks)
            self.control.disconnect()
        elif step == "interface":
            self.control.restart()
        else:
            self.reset = Timer(network.clock.ms(), _LATER_MS)
