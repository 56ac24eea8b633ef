"""Who may be at the broker and who is: MQTT credentials with their end, and the sessions held with them.

Credentials are issued, renewed, and ended by age, revocation, keys or subscription. Any broker can be behind it:
mosquitto with `broker.py`, or one in memory.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from tools.cloud.database import Store, digest
from tools.cloud.entities import Credential, MqttOffer, Plan

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
    """Mixed into Model. `port` None: there is no broker, and messages for devices go nowhere."""

    store: Store
    plan: Plan
    event: Callable[..., dict[str, Any]]
    new_token: Callable[[], str]

    def __init__(self) -> None:
        self.offer = MqttOffer()
        self.port: Port | None = None
        self.sessions: dict[str, dict[str, Any]] = {}  # by MQTT client id: device, username, since

    def issue_credential(
        self, device: Any, scopes: tuple[str, ...], token: str, now: float
    ) -> tuple[Credential, str]:
        """New credentials and their plaintext. Earlier ones of the device stay valid until they expire."""
        client_id = mqtt_client_id(device["client_id"])
        username = f"realer-{client_id}-cred-v{self.store.count_credentials(device['key']) + 1}"
        # A broker that forgets an account ends its session as well, so the shorter of the two lives counts.
        ends = now + min(self.plan.credential_s, self.plan.session_s)
        credential, secret = (
            Credential(username, client_id, device["key"], scopes, token, ends),
            self.new_token(),
        )
        self.store.add_credential(credential, digest(secret))
        self.event(now, "credential_issued", device["key"], username=username, scope=" ".join(scopes))
        if self.port:
            self.port.admit(credential, secret)
        return credential, secret

    def end_credentials(self, now: float, reason: str, **where: Any) -> int:
        """End valid credentials and their sessions; returns how many. `where`: device or token (its digest)."""
        return sum(self._end(credential, now, reason) for credential in self.store.live_credentials(**where))

    def expire_credentials(self, now: float) -> int:
        """End the credentials that have expired; whoever runs a broker calls this now and then."""
        over = [c for c in self.store.live_credentials() if now >= c.ends]
        return sum(self._end(credential, now, "expired") for credential in over)

    def _end(self, credential: Credential, now: float, reason: str) -> int:
        self.store.end_credential(credential.username, reason)
        self.event(now, "credential_ended", credential.device, username=credential.username, reason=reason)
        if self.port:
            self.port.dismiss(credential)
        return 1

    def kick(self, device: str) -> int:
        """End the sessions of a device (its key) without revoking its credentials; returns how many."""
        held = [
            c
            for c in self.store.live_credentials(device=device)
            if self.sessions.get(c.client_id, {}).get("username") == c.username
        ]
        for credential in held:
            if self.port:
                self.port.kick(credential)
        return len(held)

    def admits(self, client_id: str, username: str, secret: str, now: float) -> Credential | None:
        """The credential behind a CONNECT, for brokers that ask the model; None when it is to be refused."""
        known = hmac.compare_digest(self.store.secret_of(username), digest(secret))
        for credential in self.store.live_credentials(username=username) if known else []:
            if credential.client_id == client_id and now < credential.ends:
                return credential
        return None

    # what a broker tells

    def session_opened(self, client_id: str, username: str, now: float) -> None:
        credentials = self.store.live_credentials(username=username)
        if client_id in self.sessions:
            self.session_closed(client_id, "another session of the same client", now)
        device = credentials[0].device if credentials else None
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
