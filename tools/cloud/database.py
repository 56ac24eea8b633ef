"""Durable state of the simulated cloud, in one SQLite database.

It has the tables and every SQL statement, except those about MQTT (`database_mqtt.py`). It keeps only digests of client
secrets and tokens. Columns for ids have no type, so 1 stays 1 and "cmd_x" stays text. The model decides what a row
means.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, Literal, overload

from tools.cloud.database_mqtt import TABLES as _MQTT_TABLES
from tools.cloud.database_mqtt import MqttStore
from tools.cloud.entities import Command, Device, Sensor

_TABLES = """
CREATE TABLE IF NOT EXISTS devices (key TEXT PRIMARY KEY, id, client_id TEXT UNIQUE, secret TEXT, scopes TEXT,
  subscription INTEGER, keys INTEGER);
CREATE TABLE IF NOT EXISTS sources (device TEXT, role TEXT, key TEXT, item TEXT, reported TEXT, reported_at TEXT,
  PRIMARY KEY (device, role, key));
CREATE TABLE IF NOT EXISTS desired (n INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT, command TEXT, value TEXT,
  by TEXT, at REAL);
CREATE TABLE IF NOT EXISTS tokens (digest TEXT PRIMARY KEY, device TEXT, scope TEXT, issued REAL, expires REAL,
  revoked INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS feed (feed_data_id INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT, role TEXT, source,
  message_id TEXT, payload TEXT, received REAL, UNIQUE (device, role, source, message_id));
CREATE INDEX IF NOT EXISTS tokens_of ON tokens (device);
CREATE INDEX IF NOT EXISTS desired_of ON desired (device, command);
"""


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


class Store(MqttStore):
    """Rows in, rows out. `path` is a file name or ":memory:"."""

    def __init__(self, path: str = ":memory:") -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _TABLES + _MQTT_TABLES)
        # Models in memory are dropped rather than closed; newer CPythons warn of that.
        self.close = weakref.finalize(self, self._db.close)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of one request or, when our own code fails, nothing of it."""
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # devices

    def add_device(self, device: Device) -> bool:
        """Write a new device with its catalog; False (and nothing changed) when its id is known already."""
        key = str(device.id)
        if self.device(key):
            return False
        self._db.execute(
            "INSERT INTO devices VALUES (?,?,?,?,?,?,?)",
            (key, device.id, device.client_id, digest(device.client_secret), " ".join(device.scopes),
             device.subscription, device.keys),
        )  # fmt: skip
        for role, items in (("command", device.commands), ("sensor", device.sensors)):
            for item in items:
                self.put_source(key, role, item)
        return True

    def device(self, key: str) -> sqlite3.Row | None:
        return self._one("SELECT * FROM devices WHERE key=?", key)

    def devices(self) -> list[sqlite3.Row]:
        return self._all("SELECT * FROM devices ORDER BY rowid")

    def client(self, client_id: str) -> sqlite3.Row | None:
        return self._one("SELECT * FROM devices WHERE client_id=?", client_id)

    def set_flag(self, device: str, flag: str, on: bool) -> None:
        """`flag` is the name of a column: "subscription" or "keys"."""
        self._db.execute(f"UPDATE devices SET {flag}=? WHERE key=?", (int(on), device))

    # catalog

    def put_source(self, device: str, role: str, item: Command | Sensor) -> None:
        """Add or replace a catalog item; what it last reported stays."""
        self._db.execute(
            "INSERT INTO sources (device, role, key, item) VALUES (?,?,?,?) "
            "ON CONFLICT DO UPDATE SET item=excluded.item",
            (device, role, str(item.id), json.dumps(vars(item))),
        )

    def remove_source(self, device: str, role: str, key: str) -> bool:
        cursor = self._db.execute(
            "DELETE FROM sources WHERE device=? AND role=? AND key=?", (device, role, key)
        )
        return cursor.rowcount > 0

    @overload
    def sources(self, device: str, role: Literal["command"]) -> list[Command]: ...
    @overload
    def sources(self, device: str, role: Literal["sensor"]) -> list[Sensor]: ...
    @overload
    def sources(self, device: str, role: str) -> Sequence[Command | Sensor]: ...
    def sources(self, device: str, role: str) -> Sequence[Command | Sensor]:
        rows = self._all("SELECT item FROM sources WHERE device=? AND role=? ORDER BY rowid", device, role)
        return [_item(role, row["item"]) for row in rows]

    def source(self, device: str, role: str, key: str) -> Command | Sensor | None:
        row = self._one("SELECT item FROM sources WHERE device=? AND role=? AND key=?", device, role, key)
        return _item(role, row["item"]) if row else None

    def reported(self, device: str, role: str) -> dict[str, tuple[str | None, str | None]]:
        """Last reported value and the device's own time for it, by source key."""
        rows = self._all(
            "SELECT key, reported, reported_at FROM sources WHERE device=? AND role=?", device, role
        )
        return {row["key"]: (row["reported"], row["reported_at"]) for row in rows}

    def set_reported(self, device: str, role: str, key: str, value: str, at: str) -> None:
        self._db.execute(
            "UPDATE sources SET reported=?, reported_at=? WHERE device=? AND role=? AND key=?",
            (value, at, device, role, key),
        )

    def add_desired(self, device: str, command: str, value: str, by: str, at: float) -> int:
        """Record a desired state; returns its number."""
        cursor = self._db.execute(
            "INSERT INTO desired (device, command, value, by, at) VALUES (?,?,?,?,?)",
            (device, command, value, by, at),
        )
        return int(cursor.lastrowid or 0)

    def has_desired(self, device: str, command: str, n: int) -> bool:
        return bool(
            self._one("SELECT 1 FROM desired WHERE n=? AND device=? AND command=?", n, device, command)
        )

    # tokens

    def add_token(self, token: str, device: str, scope: str, issued: float, expires: float) -> None:
        self._db.execute(
            "INSERT INTO tokens (digest, device, scope, issued, expires) VALUES (?,?,?,?,?)",
            (digest(token), device, scope, issued, expires),
        )

    def token(self, token: str) -> sqlite3.Row | None:
        return self._one("SELECT * FROM tokens WHERE digest=?", digest(token))

    def tokens(self, device: str) -> list[sqlite3.Row]:
        return self._all("SELECT * FROM tokens WHERE device=? ORDER BY rowid", device)

    def revoke(self, device: str, now: float, token: str | None = None) -> int:
        """Revoke one live token of a device, or all of them; returns how many."""
        sql = "UPDATE tokens SET revoked=1 WHERE device=? AND revoked=0 AND expires>?"
        values = (device, now) if token is None else (device, now, digest(token))
        return self._db.execute(sql + ("" if token is None else " AND digest=?"), values).rowcount

    def expire(self, device: str, now: float) -> int:
        """Let the live tokens of a device end at once; returns how many."""
        sql = "UPDATE tokens SET expires=0 WHERE device=? AND revoked=0 AND expires>?"
        return self._db.execute(sql, (device, now)).rowcount

    # feed

    def add_feed(
        self, device: str, role: str, source: Any, message_id: str, payload: str, received: float
    ) -> int:
        cursor = self._db.execute(
            "INSERT INTO feed (device, role, source, message_id, payload, received) VALUES (?,?,?,?,?,?)",
            (device, role, source, message_id, payload, received),
        )
        return int(cursor.lastrowid or 0)

    def find_feed(self, device: str, role: str, source: Any, message_id: str) -> sqlite3.Row | None:
        return self._one(
            "SELECT * FROM feed WHERE device=? AND role=? AND source=? AND message_id=?",
            device, role, source, message_id,
        )  # fmt: skip

    def feed(self, device: str, last: int | None = None) -> list[sqlite3.Row]:
        """Stored items in order of arrival; only the `last` ones when given."""
        rows = self._all(
            "SELECT * FROM feed WHERE device=? ORDER BY feed_data_id DESC LIMIT ?",
            device,
            -1 if last is None else last,
        )
        return rows[::-1]


def _item(role: str, text: str) -> Command | Sensor:
    return (Command if role == "command" else Sensor)(**json.loads(text))
