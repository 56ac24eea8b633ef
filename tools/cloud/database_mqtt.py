"""Durable state about MQTT: routes, credentials, and the outcome of each desired state. A part of Store.

It keeps only digests of secrets.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from tools.cloud.entities import Credential

TABLES = """
CREATE TABLE IF NOT EXISTS routes (route TEXT PRIMARY KEY, device TEXT, role TEXT, source);
CREATE TABLE IF NOT EXISTS credentials (n INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT UNIQUE, client_id TEXT,
  device TEXT, secret TEXT, scopes TEXT, token TEXT, ends REAL, ended TEXT);
CREATE TABLE IF NOT EXISTS outcomes (n INTEGER PRIMARY KEY, status TEXT, value TEXT, at REAL);
CREATE INDEX IF NOT EXISTS credentials_of ON credentials (device);
"""


class MqttStore:
    """The part of Store that only MQTT needs; outcomes are kept for both transports."""

    _db: sqlite3.Connection

    def _one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        return next(iter(self._all(sql, *values)), None)

    def _all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """All rows at once: a cursor that is not at its end keeps a transaction from ending."""
        return self._db.execute(sql, values).fetchall()

    def _count(self, sql: str, *values: Any) -> int:
        return int(self._all(sql, *values)[0][0])

    def keep_route(self, route: str, device: str, role: str, source: int | str) -> None:
        """Remember what a route stands for, for longer than the catalog does."""
        self._db.execute("INSERT OR IGNORE INTO routes VALUES (?,?,?,?)", (route, device, role, source))

    def route(self, route: str) -> sqlite3.Row | None:
        return self._one("SELECT * FROM routes WHERE route=?", route)

    # credentials

    def count_credentials(self, device: str) -> int:
        return self._count("SELECT COUNT(*) FROM credentials WHERE device=?", device)

    def add_credential(self, credential: Credential, secret: str) -> None:
        """`secret`: digest of the plaintext."""
        self._db.execute(
            "INSERT INTO credentials (username, client_id, device, secret, scopes, token, ends) "
            "VALUES (?,?,?,?,?,?,?)",
            (credential.username, credential.client_id, credential.device, secret,
             " ".join(credential.scopes), credential.token, credential.ends),
        )  # fmt: skip

    def live_credentials(self, **where: Any) -> list[Credential]:
        """Those that have not ended, oldest first. `where`: column = value."""
        sql = "SELECT * FROM credentials WHERE ended IS NULL" + "".join(f" AND {name}=?" for name in where)
        return [_credential(row) for row in self._all(sql + " ORDER BY n", *where.values())]

    def secret_of(self, username: str) -> str:
        """Digest of the secret of valid credentials, "" when there are none."""
        sql = "SELECT secret FROM credentials WHERE username=? AND ended IS NULL"
        row = self._one(sql, username)
        return row["secret"] if row else ""

    def end_credential(self, username: str, reason: str) -> None:
        self._db.execute("UPDATE credentials SET ended=? WHERE username=?", (reason, username))

    # desired states

    def sequence(self, device: str, command: str, n: int) -> int:
        """Which desired state of this command the n-th of all is, from 1."""
        sql = "SELECT COUNT(*) FROM desired WHERE device=? AND command=? AND n<=?"
        return self._count(sql, device, command, n)

    def set_outcome(self, n: int, status: str, value: str, at: float) -> None:
        self._db.execute("INSERT OR REPLACE INTO outcomes VALUES (?,?,?,?)", (n, status, value, at))

    def desired_states(self, device: str, command: str) -> list[sqlite3.Row]:
        """Every desired state of a command in order: n, value, by, at, and status, reported once it was answered."""
        return self._all(
            "SELECT desired.*, outcomes.status AS status, outcomes.value AS reported FROM desired "
            "LEFT JOIN outcomes USING (n) WHERE device=? AND command=? ORDER BY n",
            device,
            command,
        )


def _credential(row: sqlite3.Row) -> Credential:
    fields = {name: row[name] for name in ("username", "client_id", "device", "token", "ends")}
    return Credential(**fields, scopes=tuple(row["scopes"].split(" ")))
