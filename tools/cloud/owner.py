"""The owner's side of the model: what a person does in the dashboard, and what tests do instead.

It changes desired values, keys, tokens, subscription and catalog, and shows the state.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tools.cloud.database import Store
from tools.cloud.entities import Command, Device, Sensor, decimal_text

_DECIMAL = re.compile(r"[+-]?\d+(\.\d*)?")


class Owner:
    """Mixed into Model. Device ids may be given as number or text; unknown ones raise KeyError."""

    store: Store
    event: Callable[..., dict[str, Any]]
    announce: Callable[[str, Command, int, float], None]
    end_credentials: Callable[..., int]
    sessions: dict[str, dict[str, Any]]

    def add_device(self, device: Device) -> bool:
        """Register a device; False when the database knows it already (its stored state is kept)."""
        return self.store.add_device(device)

    def set_desired(
        self, device_id: int | str, port_or_id: int | str, value: float | str, now: float, raw: bool = False
    ) -> str:
        """Ask for a value; returns the decimal text that the device will read.

        Text names a `pin_port` first and a command id second, a number the other way round. Raises KeyError when
        there is no such command, ValueError when the value is not a plain decimal. `raw` stores any text unchecked,
        to see what a device does with nonsense.
        """
        key = self._key(device_id)
        command = self.find_command(device_id, port_or_id)
        text = str(value)
        if not raw:
            if not _DECIMAL.fullmatch(text):
                raise ValueError(f"{text!r} is not a decimal number")
            text = decimal_text(text)
        self.desire(key, command, text, "owner", now)
        return text

    def desire(self, key: str, command: Command, text: str, by: str, now: float) -> None:
        command.value = text
        self.store.put_source(key, "command", command)
        n = self.store.add_desired(key, str(command.id), text, by, now)
        sequence = self.store.sequence(key, str(command.id), n)
        self.event(
            now, "desired_set", key, command_id=command.id, pin_port=command.pin_port, value=text, by=by,
            sequence=sequence, desired_id=desired_id(n),
        )  # fmt: skip
        if by == "device":  # it has done already what it now wants
            self.store.set_outcome(n, "applied", text, now)
        else:
            self.announce(key, command, n, now)

    def find_command(self, device_id: int | str, port_or_id: int | str) -> Command:
        commands = self.store.sources(self._key(device_id), "command")
        by_port = [c for c in commands if c.pin_port == str(port_or_id)]
        by_id = [c for c in commands if str(c.id) == str(port_or_id)]
        found = by_id + by_port if isinstance(port_or_id, int) else by_port + by_id
        if not found or not isinstance(found[0], Command):
            ports = ", ".join(str(c.pin_port) for c in commands) or "none"
            raise KeyError(f"device {device_id} has no command on {port_or_id!r}; its ports: {ports}")
        return found[0]

    def desired(self, device_id: int | str, port_or_id: int | str) -> str:
        return self.find_command(device_id, port_or_id).value

    def reported(self, device_id: int | str, port_or_id: int | str) -> str | None:
        """The value a command was last reported to have, or None."""
        command = self.find_command(device_id, port_or_id)
        return self.store.reported(self._key(device_id), "command")[str(command.id)][0]

    # access

    def expire_tokens(self, device_id: int | str, now: float = 0.0) -> int:
        """Let every live token of the device end now; returns how many."""
        return self._recorded(now, "tokens_expired", device_id, self.store.expire(self._key(device_id), now))

    def revoke_tokens(self, device_id: int | str, now: float = 0.0) -> int:
        """End every token of the device and the MQTT credentials that came from them; returns how many tokens."""
        count = self.store.revoke(self._key(device_id), now)
        self.end_credentials(now, "revoked", device=self._key(device_id))
        return self._recorded(now, "revoked", device_id, count, by="owner")

    def set_keys(self, device_id: int | str, enabled: bool, now: float = 0.0) -> None:
        """Disabled keys get `invalid_client`, and every token that came from them ends too."""
        key = self._key(device_id)
        self.store.set_flag(key, "keys", enabled)
        self.event(now, "keys_set", key, enabled=enabled)
        if not enabled:
            self.revoke_tokens(device_id, now)

    def set_subscription(self, device_id: int | str, active: bool, now: float = 0.0) -> None:
        """Without a subscription every iot/v1 request is refused with 402 / 4002; tokens are still issued.

        MQTT credentials and sessions end.
        """
        key = self._key(device_id)
        self.store.set_flag(key, "subscription", active)
        self.event(now, "subscription_set", key, active=active)
        if not active:
            self.end_credentials(now, "subscription", device=key)

    # catalog

    def put_command(self, device_id: int | str, command: Command) -> None:
        self.store.put_source(self._key(device_id), "command", command)

    def put_sensor(self, device_id: int | str, sensor: Sensor) -> None:
        self.store.put_source(self._key(device_id), "sensor", sensor)

    def remove_command(self, device_id: int | str, command_id: int | str) -> bool:
        return self.store.remove_source(self._key(device_id), "command", str(command_id))

    def remove_sensor(self, device_id: int | str, sensor_id: int | str) -> bool:
        return self.store.remove_source(self._key(device_id), "sensor", str(sensor_id))

    def set_adoption(self, device_id: int | str, command_id: int | str, on: bool) -> None:
        """Whether a local report of this command becomes its desired value (off by default)."""
        command = self.find_command(device_id, command_id)
        command.adopt = on
        self.put_command(device_id, command)

    def set_command_error(self, device_id: int | str, command_id: int | str, error: Any) -> None:
        """Show the command as unrepresentable in the catalog (`error`: text or object; None heals it)."""
        command = self.find_command(device_id, command_id)
        command.error = error
        self.put_command(device_id, command)

    def outcome(self, device_id: int | str, name: str) -> str | None:
        """What became of a desired state ("des_..."): applied, rejected, stale, or None as long as nobody answered."""
        for command in self.store.sources(self._key(device_id), "command"):
            for state in self.store.desired_states(str(device_id), str(command.id)):
                if state["n"] == desired_number(name):
                    return state["status"]
        raise KeyError(f"device {device_id} was never asked for {name}")

    # views

    def feed(self, device_id: int | str, last: int | None = None) -> list[dict[str, Any]]:
        """Stored items in order of arrival: the item as sent, plus feed_data_id and `received` (unix seconds)."""
        return [
            {
                f"{row['role']}_id": row["source"],
                **json.loads(row["payload"]),
                "feed_data_id": row["feed_data_id"],
                "received": row["received"],
            }
            for row in self.store.feed(self._key(device_id), last)
        ]

    def show(self, now: float) -> list[dict[str, Any]]:
        """Everything an owner would look at, without any secret."""
        return [self._show(row, now) for row in self.store.devices()]

    def _show(self, row: Any, now: float) -> dict[str, Any]:
        key = row["key"]
        view: dict[str, Any] = {"id": row["id"], "client_id": row["client_id"]}
        view |= {"subscription": bool(row["subscription"]), "keys": bool(row["keys"])}
        live = [t for t in self.store.tokens(key) if not t["revoked"] and t["expires"] > now]
        view["tokens"] = [{"scope": t["scope"], "left_s": round(t["expires"] - now)} for t in live]
        view["credentials"] = [
            {
                "username": c.username,
                "left_s": round(c.ends - now),
                "session": self.sessions.get(c.client_id, {}).get("username") == c.username,
            }
            for c in self.store.live_credentials(device=key)
        ]
        for role in ("command", "sensor"):
            reported = self.store.reported(key, role)
            view[role + "s"] = [
                {
                    **vars(item),
                    "reported": reported[str(item.id)][0],
                    "reported_at": reported[str(item.id)][1],
                }
                for item in self.store.sources(key, role)
            ]
        for command in view["commands"]:
            states = self.store.desired_states(key, str(command["id"]))
            command["answer"] = states[-1]["status"] if states else None
        view["last_feed"] = self.feed(key, last=5)
        return view

    def _recorded(self, now: float, name: str, device_id: int | str, count: int, **facts: Any) -> int:
        self.event(now, name, str(device_id), count=count, **facts)
        return count

    def _key(self, device_id: int | str) -> str:
        if self.store.device(str(device_id)) is None:
            raise KeyError(f"no device {device_id}")
        return str(device_id)


def desired_id(n: int) -> str:
    """Public name of the n-th desired state, in the documented form: "des_" and 26 characters."""
    return f"des_{n:026d}"


def desired_number(text: str) -> int:
    """The number inside a desired_id of ours; -1 (nobody's) for a well-formed id from elsewhere."""
    digits = text.removeprefix("des_")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits.lstrip("0")) <= 18 else -1
