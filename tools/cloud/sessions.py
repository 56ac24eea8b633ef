"""Who may be at the broker and who is: MQTT credentials with their end, and the sessions held with them.

Credentials are issued, renewed, and ended by age, revocation, keys or subscription. Any broker can be behind it:
mosquitto with `broker.py`, or one in memory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from tools.cloud.entities import Credential, Device, MqttOffer, Plan

_PUBLIC_ID = re.compile("cdv_[0-9A-Za-z]{26}")


class Message(NamedTuple):
    """One MQTT message of the cloud; QoS 1, never retained."""

    topic: str
    payload: bytes


class Port(Protocol):
    """What the model tells a broker. All at once and without waiting; nothing may raise."""

    def admit(self, credential: Credential, secret: str) -> None: ...

    def dismiss(self, credential: Credential) -> None:
        """Forget the credentials and end their session."""

    def kick(self, credential: Credential) -> None:
        """End its session only: it may come back."""

    def desired(self, message: Message, facts: dict[str, Any]) -> None:
        """Publish; later tell `Sessions.desired_published` with these `facts` whether somebody listened."""


class Sessions:
    """Mixed into Model. `port` None: there is no broker, and messages for devices go nowhere. `credentials`: those that
    have not ended, with their plaintext, by user name, the oldest first."""

    plan: Plan
    event: Callable[..., dict[str, Any]]
    new_token: Callable[[], str]

    def __init__(self) -> None:
        self.offer = MqttOffer()
        self.credentials: dict[str, tuple[Credential, str]] = {}
        self.port: Port | None = None
        self.sessions: dict[str, dict[str, Any]] = {}  # by MQTT client id: device, username, since

    def issue_credential(
        self, device: Device, scopes: tuple[str, ...], token: str, now: float
    ) -> tuple[Credential, str]:
        """New credentials and their plaintext. Earlier ones of the device stay valid until they expire."""
        client_id = mqtt_client_id(device.client_id)
        device.issued += 1
        username = f"realer-{client_id}-cred-v{device.issued}"
        # A broker that forgets an account ends its session as well, so the shorter of the two lives counts.
        ends = now + min(self.plan.credential_s, self.plan.session_s)
        credential, secret = (
            Credential(username, client_id, device.key, scopes, token, ends),
            self.new_token(),
        )
        self.credentials[username] = credential, secret
        self.event(now, "credential_issued", device.key, username=username, scope=" ".join(scopes))
        if self.port:
            self.port.admit(credential, secret)
        return credential, secret

    def end_credentials(self, now: float, reason: str, **where: Any) -> int:
        """End valid credentials and their sessions; returns how many. `where`: device or token."""
        return sum(self._end(credential, now, reason) for credential in self.live_credentials(**where))

    def live_credentials(self, **where: Any) -> list[Credential]:
        """`where`: attribute = value."""
        every = [credential for credential, _ in self.credentials.values()]
        return [c for c in every if all(getattr(c, name) == value for name, value in where.items())]

    def expire_credentials(self, now: float) -> int:
        """End the credentials that have expired; whoever runs a broker calls this now and then."""
        over = [c for c in self.live_credentials() if now >= c.ends]
        return sum(self._end(credential, now, "expired") for credential in over)

    def _end(self, credential: Credential, now: float, reason: str) -> int:
        self.credentials.pop(credential.username, None)
        self.event(now, "credential_ended", credential.device, username=credential.username, reason=reason)
        if self.port:
            self.port.dismiss(credential)
        return 1

    def kick(self, device: str) -> int:
        """End the sessions of a device (its key) without revoking its credentials; returns how many."""
        held = [
            c
            for c in self.live_credentials(device=device)
            if self.sessions.get(c.client_id, {}).get("username") == c.username
        ]
        for credential in held:
            if self.port:
                self.port.kick(credential)
        return len(held)

    def admits(self, client_id: str, username: str, secret: str, now: float) -> Credential | None:
        """The credential behind a CONNECT, for brokers that ask the model; None when it is to be refused."""
        credential, good = self.credentials.get(username, (None, ""))
        known = credential and secret == good and credential.client_id == client_id and now < credential.ends
        return credential if known else None

    # what a broker tells

    def session_opened(self, client_id: str, username: str, now: float) -> None:
        credential, _ = self.credentials.get(username, (None, ""))
        if client_id in self.sessions:
            self.session_closed(client_id, "another session of the same client", now)
        device = credential and credential.device
        self.sessions[client_id] = {"device": device, "username": username, "since": now}
        self.event(now, "mqtt_connected", device, username=username)

    def session_closed(self, client_id: str, reason: str, now: float) -> None:
        session = self.sessions.pop(client_id, None)
        if session:
            self.event(
                now, "mqtt_disconnected", session["device"], username=session["username"], reason=reason
            )

    def session_subscribed(self, client_id: str, topic: str, now: float) -> None:
        session = self.sessions.get(client_id)
        if session:
            self.event(now, "mqtt_subscribed", session["device"], username=session["username"], topic=topic)

    def desired_published(self, facts: dict[str, Any], delivered: bool, now: float) -> None:
        self.event(now, "desired_published", **facts, delivered=delivered)


def mqtt_client_id(client_id: str) -> str:
    """The public id of a device: its OAuth client id where that has the form, else one made from it."""
    return (
        client_id
        if _PUBLIC_ID.fullmatch(client_id)
        else f"cdv_{hashlib.sha256(client_id.encode()).hexdigest()[:26]}"
    )
