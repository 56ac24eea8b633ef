"""The escalation ladder: what a device that cannot reach its cloud does about it, rung by rung, each with its
evidence.

| rung              | evidence                                              | waiting time         | where             |
|-------------------|-------------------------------------------------------|----------------------|-------------------|
| try again         | a kept connection failed during a request             | none                 | http1.client      |
| other address     | an address of the host failed                         | the next try         | netio.sockets     |
| other time server | one does not answer, or is alone with its time        | the next try         | links.time_query  |
| ask the time      | a certificate's dates do not fit the clock            | none, 30 s between   | core.failures     |
| reconnect         | the link failed                                       | Backoff              | runtime.cloud_loop|
| free memory       | memory was short                                      | none                 | the link's close  |
| join Wi-Fi again  | nothing was received from anybody: cloud, name        | 2 min                | here              |
|                   | servers, time servers, gateway                        |                      |                   |
| restart Wi-Fi,    | the same after that, with a LAN at once               | 3 min more           | here              |
| or the LAN        |                                                       |                      |                   |
|                   | memory outside the heap was short three times running | none                 | here              |
| orderly reset     | nothing was received after that, either               | 10 min more; hours   | here              |
|                   |                                                       | if never since start |                   |
|                   | memory was short, or the heap full, six times running | 10 min after start   | here              |
|                   | the chip of the LAN does not answer                   | 10 min after start   | here              |
| reset             | a loop failed six times running                       | none                 | runtime.supervisor|
|                   | a loop is silent                                      | `watchdog_s`         | the watchdog      |

A cloud that is merely down leads to none of the lower half, because something else always answers. An absent network
is no evidence either. An orderly reset waits until no output is on, for six hours at most: a device whose output is on
in its safe state has to come back, too. Only what the watchdog would do anyway does not wait.

In memory only while there is something to climb for. Pure.
"""

from micropython import const

from firmware.core.timing import Timer

_JOIN_MS = const(120000)
_RADIO_MS = const(180000)
_RESET_MS = const(600000)
_UNKNOWN_MS = const(21600000)
_MOST_DOUBLED = const(4)
_PROBE_MS = const(30000)
_RADIO = const(3)
_RESET = const(6)
_EARLY_S = const(600)


def memory_rung(lacked, outside, uptime_s):
    """After a connection that lacked memory, the last of `lacked` in a row; `outside` the Python heap: "interface",
    "reset" or None."""
    if lacked >= _RESET and uptime_s >= _EARLY_S:
        return "reset"
    return "interface" if outside and lacked == _RADIO else None


def broken_rung(uptime_s):
    """Where an interface can only be recovered by a reset: "reset" or None."""
    return "reset" if uptime_s >= _EARLY_S else None


class Silence:
    """While nothing is received from anybody. `known`: something was since the start. Without that the interface is as
    fresh as a reset would make it, so a reset follows after hours only. `rejoins`: it is Wi-Fi, which can be joined
    again. Each round of joining and restarting takes twice as long as the one before, up to sixteen times."""

    def __init__(self, now, known, rejoins=True):
        self.known = known
        self.first = 0 if rejoins else 1
        self.began = Timer(now, _UNKNOWN_MS)
        self.since = Timer(now)
        self.probed = Timer(now)
        self.rung = self.first
        self.doublings = 0

    def probes(self, now, up):
        """Whether it is time to ask anybody who might answer."""
        if not up or not self.probed.passed(now):
            return False
        self.probed = Timer(now, _PROBE_MS)
        return True

    def step(self, now, up):
        """What to do now: "join", "interface", "reset" or None. `up`: it is connected; a network that is
        away is waited for."""
        if not up:
            self.since.start = now
            return None
        wait = (_JOIN_MS, _RADIO_MS, _RESET_MS)[self.rung] << self.doublings
        if self.since.ms(now) < wait:
            return None
        self.since.start = now
        self.rung += 1
        if self.rung < 3:
            return ("join", "interface")[self.rung - 1]
        self.rung = self.first
        self.doublings = min(self.doublings + 1, _MOST_DOUBLED)
        return "reset" if self.known or self.began.passed(now) else None


def may_reset(outputs, passed):
    """Whether an orderly reset interrupts nothing any more, or has waited for its longest time (`passed`). A pin that
    does not follow is no output that is on."""
    return passed or not [output for output in outputs if output.on and not output.fault]
