"""What can go wrong around a device in virtual time: one function for each kind of fault, all drawn from one seed.

Each kind begins its fault on the device and returns what ends it; everything random comes from the
`random.Random` it gets. It checks nothing (`invariants.py`) and does not choose when (`tools/checks/simulate.py`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from tools.cloud import dns
from tools.cloud.demo_device import DEVICE_ID
from tools.cloud.faults import ENDPOINTS
from tools.sim.sim_device import WIFI_PASSWORD, SimDevice
from tools.sim.sim_net import LACKS

End = Callable[[], Any]
STATUSES = (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504)
BODIES = ("half", "text", "utf8", "list", "null", "nan", "deep")
BUGS = (
    ("controller", "tick"), ("controller", "reading"), ("controller", "receive_desired"),
    ("cloud_loop", "apply_catalog"), ("network", "join"), ("network", "ready"), ("cloud_loop", "contact"),
    ("link", "next_desired"), ("link", "send"),
)  # fmt: skip


def wifi_loss(device: SimDevice, chance: random.Random) -> End:
    device.radio.air.clear()
    return lambda: device.radio.air.update(bench=WIFI_PASSWORD)


def dns_loss(device: SimDevice, chance: random.Random) -> End:
    device.net.dns_mode = chance.choice(dns.FAILING)
    return lambda: setattr(device.net, "dns_mode", "")


def odd_names(device: SimDevice, chance: random.Random) -> End:
    """The name server is right, and answers with aliases, strangers and records in an order of its own."""
    device.net.dns_mode = chance.choice(dns.ODD)
    return lambda: setattr(device.net, "dns_mode", "")


def delay(device: SimDevice, chance: random.Random) -> End:
    device.net.latency_s = chance.uniform(0.2, 8)
    return lambda: setattr(device.net, "latency_s", 0.03)


def loss(device: SimDevice, chance: random.Random) -> End:
    """Packets get lost: TCP sends them again later and later, a datagram is gone."""
    device.net.loss = chance.uniform(0.05, 0.6)
    return lambda: setattr(device.net, "loss", 0.0)


def half_open(device: SimDevice, chance: random.Random) -> End:
    device.net.silent = True
    return lambda: setattr(device.net, "silent", False)


def refused(device: SimDevice, chance: random.Random) -> End:
    how = chance.choice(("broker", "credentials", "drop"))
    if how == "broker" and device.broker:
        device.broker.down()
        return device.broker.up
    return _rule(
        device, f"connect refused times={chance.randint(1, 5)}" if how == "credentials" else "any drop"
    )


def reset(device: SimDevice, chance: random.Random) -> End:
    """At any byte of an answer, of whatever comes next, or of what is open now."""
    how = chance.random()
    if how < 0.3:
        device.net.cut()
    elif how < 0.6:
        device.net.cut_after = chance.randint(0, 600)
    return _rule(device, f"any cut={chance.randint(0, 400)} times={chance.randint(1, 6)}")


def errors(device: SimDevice, chance: random.Random) -> End:
    status = chance.choice(STATUSES)
    again = f" retry_after={chance.randint(1, 60)}" if status in (429, 503) else ""
    return _rule(device, f"{_where(chance)} status={status}{again}")


def slow(device: SimDevice, chance: random.Random) -> End:
    return _rule(device, f"{_where(chance)} slow={chance.randint(2, 200)}")


def endless(device: SimDevice, chance: random.Random) -> End:
    kind = chance.choice(("body", "plain", "headers"))
    return _rule(device, f"{_where(chance)} endless={kind} times={chance.randint(1, 3)}")


def bad_json(device: SimDevice, chance: random.Random) -> End:
    if device.broker and chance.random() < 0.5:
        return _rule(device, f"{chance.choice(('ack', 'desired'))} badjson={chance.choice(BODIES)}")
    return _rule(device, f"{_where(chance)} badjson={chance.choice(BODIES)}")


def revoked(device: SimDevice, chance: random.Random) -> End:
    chance.choice((device.model.revoke_tokens, device.model.expire_tokens))(DEVICE_ID, device.wall())
    return lambda: None


def unpaid(device: SimDevice, chance: random.Random) -> End:
    device.model.set_subscription(DEVICE_ID, False, device.wall())
    return lambda: device.model.set_subscription(DEVICE_ID, True, device.wall())


def keys_off(device: SimDevice, chance: random.Random) -> End:
    device.model.set_keys(DEVICE_ID, False, device.wall())
    return lambda: device.model.set_keys(DEVICE_ID, True, device.wall())


def clock_jump(device: SimDevice, chance: random.Random) -> End:
    device.app.network.clock.set_utc(int(device.wall()) + chance.randint(-40000, 400000))
    return lambda: device.app.network.clock.set_utc(int(device.wall()))


def no_clock(device: SimDevice, chance: random.Random) -> End:
    device.net.ntp_mode = chance.choice(("silent", "kiss", "unsynchronized", "wrong_origin", "short"))
    return lambda: setattr(device.net, "ntp_mode", "")


def lying_clock(device: SimDevice, chance: random.Random) -> End:
    """One time server or both are wrong about the time, by seconds or by weeks."""
    servers = chance.sample(device.net.servers, chance.randint(1, 2))
    device.net.liars = {name: chance.choice((-3e6, -4000, -30, 30, 4000, 3e6)) for name in servers}
    return lambda: setattr(device.net, "liars", {})


def zombie(device: SimDevice, chance: random.Random) -> End:
    """The radio says that it is connected, and nothing passes, until the device does something about it."""
    device.radio.zombie = chance.choice(("join", "interface", "reset"))
    return lambda: setattr(device.radio, "zombie", "")


def no_room(device: SimDevice, chance: random.Random) -> End:
    """Memory is short outside of the Python heap: for sockets, for TLS, or for certificates."""
    device.net.lacks = chance.choice(LACKS)
    return lambda: setattr(device.net, "lacks", None)


def kick(device: SimDevice, chance: random.Random) -> End:
    if device.broker:
        for connection in list(device.broker.connections):
            connection.end("administrative action", 0x98)
    return lambda: None


def freeze(device: SimDevice, chance: random.Random) -> End:
    if device.broker:
        device.broker.freeze()
        return device.broker.thaw
    return half_open(device, chance)


def messages(device: SimDevice, chance: random.Random) -> End:
    """Late, twice, in reverse, lost, expired, of an older number; acknowledgements that say something else."""
    what = chance.choice(("delay=40", "copies=3", "reorder=2", "lost"))
    if chance.random() < 0.3:
        what = chance.choice(("valid_s=0", "valid_s=2", "sequence=1", "value=999", "value=warm"))
        return _rule(device, f"desired {what}")
    if chance.random() < 0.3:
        what = chance.choice(("stray", "status=error", "status=rejected", "status=conflict", "version=2"))
        return _rule(device, f"ack {what} times={chance.randint(1, 4)}")
    return _rule(device, f"{chance.choice(('ack', 'desired'))} {what}")


def catalog(device: SimDevice, chance: random.Random) -> End:
    """A command is removed, of another kind, broken, another one on the same pin, or there twice; or one is added that
    nobody has a pin for; afterwards all is as before."""
    model = device.model
    how = chance.choice(("gone", "kind", "error", "moved", "twice", "added"))
    switches = [o["pin_port"] for o in device.config["outputs"] if o["mode"] == "switch"]
    if not switches:
        return lambda: None
    command = model.find_command(DEVICE_ID, chance.choice(switches))
    before = dict(vars(command))
    other = type(command)(**{**before, "id": 100 + chance.randrange(1000)})
    if how in ("gone", "moved"):
        model.remove_command(DEVICE_ID, command.id)
    elif how in ("kind", "error"):
        setattr(command, how, "dimmer")
        model.put_command(DEVICE_ID, command)
    if how == "added":
        other.pin_port = "42"
    if how in ("moved", "twice", "added"):
        model.put_command(DEVICE_ID, other)

    def end() -> None:
        value = before["value"] if how == "gone" else model.desired(DEVICE_ID, before["pin_port"])
        model.remove_command(DEVICE_ID, other.id)
        model.put_command(DEVICE_ID, type(command)(**{**before, "value": value}))

    return end


def sensors(device: SimDevice, chance: random.Random) -> End:
    """A sensor is removed from the catalog, or of another kind."""
    model = device.model
    sources = model.devices[str(DEVICE_ID)].sensors
    if not sources:
        return lambda: None
    source = chance.choice(sources)
    if chance.random() < 0.5:
        model.remove_sensor(DEVICE_ID, source.id)
    else:
        model.put_sensor(DEVICE_ID, type(source)(**{**vars(source), "kind": "hygrometer"}))
    return lambda: model.put_sensor(DEVICE_ID, source)


def sensor(device: SimDevice, chance: random.Random) -> End:
    role = chance.choice(("ntc", "ldr"))
    device.plant.break_sensor(role, chance.choice(("open", "short")))
    return lambda: device.plant.break_sensor(role, None)


def button(device: SimDevice, chance: random.Random) -> End:
    switches = [i for i, o in enumerate(device.config["outputs"]) if o["mode"] == "switch"]
    for _ in range(chance.randint(1, 6) if switches else 0):
        device.app.controller.press(chance.choice(switches), device.app.network.clock.ms())
    return lambda: None


def stuck_pin(device: SimDevice, chance: random.Random) -> End:
    gpio = chance.choice(device.config["outputs"])["gpio"]
    device.plant.stick(gpio, chance.randint(0, 1))
    return lambda: device.plant.stick(gpio, None)


def bug(device: SimDevice, chance: random.Random) -> End:
    """A loop dies of an exception nobody foresaw, once."""
    return _raise_once(device, chance, ZeroDivisionError("a bug of our own"))


def no_memory(device: SimDevice, chance: random.Random) -> End:
    return _raise_once(device, chance, MemoryError("memory allocation failed"))


KINDS: dict[str, Callable[[SimDevice, random.Random], End]] = {
    f.__name__: f
    for f in (
        wifi_loss, dns_loss, odd_names, delay, loss, half_open, refused, reset, errors, slow, endless, bad_json,
        revoked, unpaid, keys_off, clock_jump, no_clock, lying_clock, zombie, no_room, kick, freeze, messages, catalog,
        sensors, sensor, button, stuck_pin, bug, no_memory,
    )
}  # fmt: skip
"""All but the power cut, which ends the device that the others are done to."""


def _where(chance: random.Random) -> str:
    return chance.choice(ENDPOINTS)


def _rule(device: SimDevice, text: str) -> End:
    rule = device.faults.add(text)
    return lambda: device.faults.remove(rule)


def _raise_once(device: SimDevice, chance: random.Random, error: Exception) -> End:
    part, method = chance.choice(BUGS)
    target = getattr(device.app, part)
    original = getattr(target, method)
    waits = asyncio.iscoroutinefunction(original)

    def fail(*arguments: Any) -> Any:
        setattr(target, method, original)
        if waits:
            return _failing(error)
        raise error

    setattr(target, method, fail)
    return lambda: setattr(target, method, original)


async def _failing(error: Exception) -> None:
    raise error
