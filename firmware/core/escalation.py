"""The escalation ladder: the steps that a device takes if it cannot reach its cloud, each with the evidence that it
requires.

| step              | evidence                                              | waiting time         | where             |
|-------------------|-------------------------------------------------------|----------------------|-------------------|
| try again         | a reused connection failed during a request           | none                 | http1.client      |
| other address     | an address of the host failed                         | the next try         | netio.sockets,    |
|                   |                                                       |                      | links.explaining  |
| other time server | one did not answer, or its time is not confirmed      | the next try         | links.time_query  |
| query the time    | a certificate's dates do not fit the clock            | none, 30 s between   | core.failures     |
| reconnect         | the link failed                                       | Backoff              | runtime.cloud_loop|
| free memory       | memory was short                                      | none                 | the link's close  |
| join Wi-Fi again  | nothing was received from any host: cloud, name       | 2 min                | here              |
|                   | servers, time servers, gateway                        |                      |                   |
|                   | another network is configured, and through this one   | 10 min               | runtime.network_  |
|                   | neither cloud nor time servers were reached           |                      | loop              |
| restart Wi-Fi     | nothing was received after that either; with a LAN    | 3 min more           | here              |
| or the LAN        | this is the first step of silence                     |                      |                   |
|                   | memory outside the heap was short 3 times in a row    | none                 | here              |
| orderly reset     | nothing was received after that either                | 10 min more; 6 h if  | here              |
|                   |                                                       | never since start    |                   |
|                   | memory was short, or the heap full, 6 times in a row  | 10 min after start   | here              |
|                   | Wi-Fi or the chip of the LAN cannot be switched on    | 10 min after start   | here              |
| reset             | a loop failed 6 times in a row                        | none                 | runtime.supervisor|
|                   | a loop does not call its `feed`                       | `watchdog_s`         | the watchdog      |

If only the cloud is down, none of the steps from `join Wi-Fi again` on is taken, because other hosts still answer. A
join begins with the next of the configured networks, because the last one may be a dead end. An absent network is no
evidence. An orderly reset waits until no output is on, but for six hours at most, because an output may be on in its
safe state. Only the resets of the last two rows do not wait.

In memory only while a device cannot reach its cloud. Pure.
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


def memory_step(lacked, outside, uptime_s):
    """Return the step after `lacked` failures in a row for lack of memory: "interface", "reset" or None. `outside`: the
    memory outside the Python heap was short."""
    if lacked >= _RESET and uptime_s >= _EARLY_S:
        return "reset"
    return "interface" if outside and lacked == _RADIO else None


def broken_step(uptime_s):
    """Return the step for an interface that cannot be switched on: "reset", or None in the first ten minutes."""
    return "reset" if uptime_s >= _EARLY_S else None


class Silence:
    """The steps while nothing is received from any host. `known`: something was received since the start; otherwise the
    interface is in the state that a reset would give it, so a reset follows only after six hours. `rejoins`: the
    interface is Wi-Fi, which can be joined again. The waits double with each round, up to sixteen times as long."""

    def __init__(self, now, known, rejoins=True):
        self.known = known
        self.first = 0 if rejoins else 1
        self.began = Timer(now, _UNKNOWN_MS)
        self.since = Timer(now)
        self.probed = Timer(now)
        self.next = self.first
        self.doublings = 0

    def probes(self, now, up):
        """Return whether a probe of hosts that might answer is due: every 30 s while the interface is up."""
        if not up or not self.probed.passed(now):
            return False
        self.probed = Timer(now, _PROBE_MS)
        return True

    def step(self, now, up):
        """Return the step that is due: "join", "interface", "reset" or None. `up`: the interface is connected; the
        waits begin again while it is not."""
        if not up:
            self.since.start = now
            return None
        wait = (_JOIN_MS, _RADIO_MS, _RESET_MS)[self.next] << self.doublings
        if self.since.ms(now) < wait:
            return None
        self.since.start = now
        self.next += 1
        if self.next < 3:
            return ("join", "interface")[self.next - 1]
        self.next = self.first
        self.doublings = min(self.doublings + 1, _MOST_DOUBLED)
        return "reset" if self.known or self.began.passed(now) else None


def may_reset(outputs, passed):
    """Return whether an orderly reset may happen: no output is on, or the longest wait is over (`passed`). Outputs with
    a fault do not count."""
    return passed or not [output for output in outputs if output.on and not output.fault]
