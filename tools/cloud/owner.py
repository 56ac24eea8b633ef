"""The owner's side of the model: what a person does in the dashboard, and what tests do instead.

It changes desired values, keys, tokens, subscription and catalog, and shows the state.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tools.cloud.entities import Command, Credential, DesiredState, Device, Sensor, Token, decimal_text

_DECIMAL = re.compile(r"[+-]?\d+(\.\d*)?")


class Owner:
    """Mixed into Model. Device ids may be given as number or text; unknown ones raise KeyError."""

    devices: dict[str, Device]
    clients: dict[str, Device]
    tokens: dict[str, Token]
    asked: Iterator[int]
    event: Callable[..., dict[str, Any]]
    announce: Callable[[Device, Command, DesiredState, float], None]
    end_credentials: Callable[..., int]
    live_credentials: Callable[..., list[Credential]]
    sessions: dict[str, dict[str, Any]]

    def add_device(self, device: Device) -> None:
        self.devices[device.key] = self.clients[device.client_id] = device

    def device(self, device_id: int | str) -> Device:
        if str(device_id) not in self.devices:
            raise KeyError(f"no device {device_id}")
        return self.devices[str(device_id)]

    def set_desired(
        self, device_id: int | str, port_or_id: int | str, value: float | str, now: float, raw: bool = False
    ) -> str:
        """Ask for a value; returns the decimal text that the device will read.

        Text names a `pin_port` first and a command id second, a number the other way round. Raises KeyError when
        there is no such command, ValueError when the value is not a plain decimal. `raw` stores any text unchecked,
        to see what a device does with nonsense.
        """
        command = self.find_command(device_id, port_or_id)
        text = str(value)
        if not raw:
            if not _DECIMAL.fullmatch(text):
                raise ValueError(f"{text!r} is not a decimal number")
            text = decimal_text(text)
        self.desire(self.device(device_id), command, text, "owner", now)
        return text

    def desire(self, device: Device, command: Command, text: str, by: str, now: float) -> None:
        command.value = text
        states = device.desired[str(command.id)]
        state = DesiredState(next(self.asked), len(states) + 1, text, now)
        states.append(state)
        self.event(
            now, "desired_set", device.key, command_id=command.id, pin_port=command.pin_port, value=text, by=by,
            sequence=state.sequence, desired_id=state.id,
        )  # fmt: skip
        if by == "device":  # it has done already what it now wants
            state.status = "applied"
        else:
            self.announce(device, command, state, now)

    def find_command(self, device_id: int | str, port_or_id: int | str) -> Command:
        commands = self.device(device_id).commands
        by_port = [c for c in commands if c.pin_port == str(port_or_id)]
        by_id = [c for c in commands if str(c.id) == str(port_or_id)]
        found = by_id + by_port if isinstance(port_or_id, int) else by_port + by_id
        if not found:
            ports = ", ".join(str(c.pin_port) for c in commands) or "none"
            raise KeyError(f"device {device_id} has no command on {port_or_id!r}; its ports: {ports}")
        return found[0]

    def desired(self, device_id: int | str, port_or_id: int | str) -> str:
        return self.find_command(device_id, port_or_id).value

    def reported(self, device_id: int | str, port_or_id: int | str) -> str | None:
        """The value a command was last reported to have, or None."""
        command = self.find_command(device_id, port_or_id)
        return self.device(device_id).reported.get(("command", str(command.id)), (None,))[0]

    # access

    def expire_tokens(self, device_id: int | str, now: float = 0.0) -> int:
        """Let every live token of the device end now; returns how many."""
        live = [token for token in self.device(device_id).tokens if token.good(now)]
        for token in live:
            token.expires = 0
        self.event(now, "tokens_expired", str(device_id), count=len(live))
        return len(live)

    def revoke(self, device: Device, now: float, text: str | None = None) -> int:
        """Revoke one live token of a device, or all of them; returns how many."""
        live = [token for token in device.tokens if token.good(now) and text in (None, token.text)]
        for token in live:
            token.revoked = True
        return len(live)

    def revoke_tokens(self, device_id: int | str, now: float = 0.0) -> int:
        """End every token of the device and the MQTT credentials that came from them; returns how many tokens."""
        count = self.revoke(self.device(device_id), now)
        self.end_credentials(now, "revoked", device=str(device_id))
        self.event(now, "revoked", str(device_id), count=count, by="owner")
        return count

    def set_keys(self, device_id: int | str, enabled: bool, now: float = 0.0) -> None:
        """Disabled keys get `invalid_client`, and every token that came from them ends too."""
        self.device(device_id).keys = enabled
        self.event(now, "keys_set", str(device_id), enabled=enabled)
        if not enabled:
            self.revoke_tokens(device_id, now)

    def set_subscription(self, device_id: int | str, active: bool, now: float = 0.0) -> None:
        """Without a subscription every iot/v1 request is refused with 402 / 4002; tokens are still issued.

        MQTT credentials and sessions end.
        """
        self.device(device_id).subscription = active
        self.event(now, "subscription_set", str(device_id), active=active)
        if not active:
            self.end_credentials(now, "subscription", device=str(device_id))

    # catalog

    def put_command(self, device_id: int | str, command: Command) -> None:
        """Add or replace a command; what it last reported stays."""
        _put(self.device(device_id).commands, command)

    def put_sensor(self, device_id: int | str, sensor: Sensor) -> None:
        _put(self.device(device_id).sensors, sensor)

    def remove_command(self, device_id: int | str, command_id: int | str) -> None:
        _remove(self.device(device_id).commands, command_id)

    def remove_sensor(self, device_id: int | str, sensor_id: int | str) -> None:
        _remove(self.device(device_id).sensors, sensor_id)

    def set_apply_local(self, device_id: int | str, command_id: int | str, on: bool) -> None:
        """Whether a local report of this command becomes its desired value (off by default)."""
        self.find_command(device_id, command_id).apply_local = on

    def outcome(self, device_id: int | str, name: str) -> str | None:
        """What became of a desired state ("des_..."): applied, rejected, stale, or None as long as nobody answered."""
        device = self.device(device_id)
        for command in device.desired:
            if state := device.asked(command, name):
                return state.status
        raise KeyError(f"device {device_id} was never asked for {name}")

    # views

    def feed(self, device_id: int | str, last: int | None = None) -> list[dict[str, Any]]:
        """Stored items in order of arrival, only the `last` ones when given: the item as sent, plus feed_data_id and
        `received` (unix seconds)."""
        items = list(self.device(device_id).stored.values())
        return [
            {
                f"{item.role}_id": item.source,
                **json.loads(item.payload),
                "feed_data_id": item.number,
                "received": item.received,
            }
            for item in items[-(last or len(items)) :]
        ]

    def show(self, now: float) -> list[dict[str, Any]]:
        """Everything an owner would look at, without any secret."""
        return [self._show(device, now) for device in self.devices.values()]

    def _show(self, device: Device, now: float) -> dict[str, Any]:
        view: dict[str, Any] = {"id": device.id, "client_id": device.client_id}
        view |= {"subscription": device.subscription, "keys": device.keys}
        live = [token for token in device.tokens if token.good(now)]
        view["tokens"] = [{"scope": t.scope, "left_s": round(t.expires - now)} for t in live]
        view["credentials"] = [
            {
                "username": c.username,
                "left_s": round(c.ends - now),
                "session": self.sessions.get(c.client_id, {}).get("username") == c.username,
            }
            for c in self.live_credentials(device=device.key)
        ]
        for role in ("command", "sensor"):
            view[role + "s"] = []
            for item in device.sources(role):
                value, at = device.reported.get((role, str(item.id)), (None, None))
                view[role + "s"].append({**vars(item), "reported": value, "reported_at": at})
        for command in view["commands"]:
            states = device.desired[str(command["id"])]
            command["answer"] = states[-1].status if states else None
        view["last_feed"] = self.feed(device.id, last=5)
        return view


def _put(items: list[Any], item: Command | Sensor) -> None:
    ids = [str(known.id) for known in items]
    if str(item.id) in ids:
        items[ids.index(str(item.id))] = item
    else:
        items.append(item)


def _remove(items: list[Any], key: int | str) -> None:
    items[:] = [item for item in items if str(item.id) != str(key)]
