"""The configuration of mosquitto's dynamic-security plugin: its file before the start, its commands while it runs.

An account is one client, bound to its client id, with one role of the same name that names every topic in full. Source:
mosquitto, "Dynamic Security Plugin".
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any, NamedTuple

from tools.cloud.entities import Credential
from tools.cloud.mqtt_v1 import Topics

CONTROL = "$CONTROL/dynamic-security/v1"
ANSWERS = CONTROL + "/response"
BACKEND = "cloud-backend"
FEED = "realer/iot/v1/devices/+/routes/+/feed-data"
_ROUNDS = 101  # mosquitto's own number; these secrets are random and live an hour

Record = dict[str, Any]


class Account(NamedTuple):
    """MQTT credentials as the broker knows them. `client` holds a salted hash, never the password."""

    client: Record
    role: Record


def account(credential: Credential, password: str, topics: Topics) -> Account:
    allowed = [("publishClientSend", topic) for topic in topics.publish]
    allowed += [("subscribeLiteral", topic) for topic in topics.subscribe]
    client = _client(credential.username, password) | {"clientid": credential.client_id}
    return Account(client, _role(credential.username, allowed))


def start_file(backend_password: str, accounts: list[Account]) -> str:
    """The plugin's file: the backend, and every account that is good at this moment."""
    everything = [
        ("publishClientSend", "realer/#"),
        ("publishClientSend", CONTROL),
        ("subscribePattern", FEED),
    ]
    everything += [("subscribeLiteral", ANSWERS), ("publishClientReceive", ANSWERS)]
    accounts = [Account(_client(BACKEND, backend_password), _role(BACKEND, everything)), *accounts]
    default = {
        "publishClientSend": False,
        "publishClientReceive": True,
        "subscribe": False,
        "unsubscribe": True,
    }
    clients, roles = [a.client for a in accounts], [a.role for a in accounts]
    return json.dumps({"defaultACLAccess": default, "clients": clients, "roles": roles})


def commands(number: str, *records: Record) -> bytes:
    """One message of commands. The last one carries `number`, which `failures` finds again."""
    listed = [dict(record) for record in records]
    listed[-1]["correlationData"] = number
    return json.dumps({"commands": listed}).encode()


def failures(payload: bytes) -> tuple[str, list[str]]:
    """Which message of commands is answered, and what went wrong with it."""
    answers = json.loads(payload)["responses"]
    wrong = [f"{answer['command']}: {answer['error']}" for answer in answers if "error" in answer]
    return answers[-1].get("correlationData", ""), wrong


def create(credential: Credential, password: str, role: Record) -> list[Record]:
    name = credential.username
    client = {"username": name, "password": password, "clientid": credential.client_id, "roles": _holds(name)}
    return [{"command": "createRole", **role}, {"command": "createClient", **client}]


def delete(username: str) -> list[Record]:
    """Deleting a client ends its session (reason 0x98, administrative action)."""
    return [
        {"command": "deleteClient", "username": username},
        {"command": "deleteRole", "rolename": username},
    ]


def kick(username: str) -> list[Record]:
    return [{"command": verb, "username": username} for verb in ("disableClient", "enableClient")]


def _client(username: str, password: str) -> Record:
    salt = secrets.token_bytes(12)
    hashed = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    keys = {"password": base64.b64encode(hashed).decode(), "salt": base64.b64encode(salt).decode()}
    return {"username": username, **keys, "iterations": _ROUNDS, "roles": _holds(username)}


def _role(name: str, allowed: list[tuple[str, str]]) -> Record:
    acls = [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in allowed]
    return {"rolename": name, "acls": acls}


def _holds(role: str) -> list[Record]:
    return [{"rolename": role, "priority": 0}]
