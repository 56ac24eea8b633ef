"""What the simulated cloud knows about: plans, devices, commands, sensors.

These are the same for every generation of the API. The messages of a generation are in `oauth_server.py`, `iot_v1.py`
and so on.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

DEFAULT_SCOPES = ("iot:catalog:read", "iot:feed-data:write")
DESIRED_SCOPE = "iot:desired-state:read"  # known, and granted by default, where there is a bootstrap
ALL_SCOPES = (
    *DEFAULT_SCOPES,
    DESIRED_SCOPE,
    "iot:mqtt:connect",
    "iot:mqtt:ack:read",
    "iot:mqtt:feed-data:write",
    "iot:mqtt:desired:read",
)

# What the MQTT catalog's own credential request asks for. As documented it leaves `iot:mqtt:desired:read` out: a
# device with commands has to add it.
MQTT_SCOPES = ("iot:mqtt:connect", "iot:mqtt:ack:read", "iot:mqtt:feed-data:write")


@dataclass(frozen=True)
class Plan:
    """What a subscription allows. Seconds and bytes; 0 seconds between requests means "as often as you like".

    `credential_s`, `credential_renew_s`, `session_s`: life of MQTT credentials, when to renew them, and the end of
    a session, all from its issue. `desired_s`: how long a device may take to act on a desired state (MQTT).
    """

    min_interval_s: float = 0.0
    max_body_bytes: int = 5120
    token_s: int = 3600
    renew_s: int = 2700
    max_batch: int = 20
    retry_after: bool = False  # whether a 429 says how long to wait; no page of the documentation shows it
    credential_s: int = 3600
    credential_renew_s: int = 2700
    session_s: int = 3600
    desired_s: int = 300


@dataclass
class MqttOffer:
    """How the cloud offers MQTT; may be changed at any time.

    `url`: of the broker, "" = this cloud has no MQTT and its endpoints answer 404. `credentials` False: the catalog
    has no `credential_endpoint`, which means "not yet". `id_field`: the field of a route that names its sensor or
    command, which no page of the documentation shows; "role_id" means `sensor_id` or `command_id`, "" none at all.
    """

    url: str = ""
    protocol: str = "mqtt-5.0"
    credentials: bool = True
    id_field: str = "source_id"


@dataclass
class Served:
    """Which generations of the API the cloud answers to; may be changed at any time.

    `realino`: the forms of login that Realino takes, "basic" (keys in the header) and "body"; none: it is not there.
    `iot`: whether OAuth and iot/v1 are there, `form_keys`: whether keys in the header are form-encoded first, as RFC
    6749 has it in section 2.3.1; `etags`: whether catalogs of iot/v1 have an ETag, and 304 says one is what it was;
    `bootstrap`: whether iot/v1 is the generation with bootstrap and desired states. Then `protocols` are what a device
    may use, `revisions`: whether desired states tell the revisions, `backlog`: whether a desired state stays pending
    when a newer one of its command comes, `order`: "oldest" or "newest" first in their list, and `runtime` is a number
    to be changed when something other than the catalog does.
    """

    realino: tuple[str, ...] = ("basic",)
    iot: bool = True
    form_keys: bool = False
    etags: bool = False
    bootstrap: bool = False
    protocols: tuple[str, ...] = ("https", "mqtt")
    revisions: bool = True
    backlog: bool = False
    order: str = "oldest"
    runtime: int = 1


@dataclass(frozen=True)
class Credential:
    """MQTT credentials without their secret, and what they may do.

    `device`: key of the device; `token`: the token it came from; `ends`: unix seconds.
    """

    username: str
    client_id: str
    device: str
    scopes: tuple[str, ...]
    token: str
    ends: float


@dataclass
class Command:
    """One actuator. `value` is the owner's desired value, as the decimal text that the device will read.

    `error` not None makes the catalog show the item as unrepresentable (its id and the error, nothing else).
    `apply_local`: a local report (one without `desired_id`) becomes the desired value. `limits`: least and greatest
    value and the step, None for 0 and 1; only Realino tells them. `extra` is added verbatim.
    """

    id: int | str
    pin_port: str
    kind: str = "relay"
    value: str = "0.0"
    value_type: str = "NumericRange"
    apply_local: bool = False
    limits: tuple[float, float, float] | None = None
    error: Any = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Sensor:
    """One input the device is expected to report. `error` and `extra` as in Command."""

    id: int | str
    pin_port: str
    kind: str = "thermistor"
    qc: str = "celsius_temperature"
    mu: str = "degree_celsius:0"
    error: Any = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Token:
    """`device`: key of the device that it speaks for; `expires`: unix seconds."""

    text: str
    device: str
    scope: str
    expires: float
    revoked: bool = False

    def good(self, now: float) -> bool:
        return not self.revoked and now < self.expires


@dataclass
class DesiredState:
    """`n`: of all in this cloud; `sequence`: of its command, from 1; `status`: what the device made of it, None before
    its answer."""

    n: int
    sequence: int
    value: str
    at: float
    status: str | None = None

    @property
    def id(self) -> str:
        """Its public name in the documented form: "des_" and 26 characters."""
        return f"des_{self.n:026d}"


@dataclass(frozen=True)
class FeedItem:
    """`payload`: JSON of what came, without its source."""

    number: int
    role: str
    source: int | str
    payload: str
    received: float


@dataclass
class Device:
    """A registered control device with its keys, its catalog and what it may ask for.

    What the cloud knows of it besides: `tokens`; `desired`: states by command, in order; `reported`: (value, the
    device's own time for it) by role and source; `stored`: feed data by role, source and message_id, in order of
    arrival; `issued`: how many MQTT credentials.
    """

    id: int | str
    client_id: str
    client_secret: str
    commands: list[Command] = field(default_factory=list)
    sensors: list[Sensor] = field(default_factory=list)
    scopes: tuple[str, ...] = ALL_SCOPES
    subscription: bool = True
    keys: bool = True
    tokens: list[Token] = field(default_factory=list, init=False)
    desired: defaultdict[str, list[DesiredState]] = field(
        default_factory=lambda: defaultdict(list), init=False
    )
    reported: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict, init=False)
    stored: dict[tuple[str, int | str, str], FeedItem] = field(default_factory=dict, init=False)
    issued: int = field(default=0, init=False)

    @property
    def key(self) -> str:
        return str(self.id)

    def sources(self, role: str) -> Sequence[Command | Sensor]:
        """`role`: "command" or "sensor"."""
        return self.commands if role == "command" else self.sensors

    def source(self, role: str, key: str) -> Command | Sensor | None:
        return next((item for item in self.sources(role) if str(item.id) == key), None)

    def asked(self, command: str, name: str | None) -> DesiredState | None:
        """The desired state of this command with that name."""
        return next((state for state in reversed(self.desired[command]) if state.id == name), None)


def decimal_text(value: float | str) -> str:
    """A desired value in the cloud's form: decimal text with a dot ("1" -> "1.0", 18.5 -> "18.5").

    Raises ValueError for what is not a finite number.
    """
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    text = f"{number:.6f}".rstrip("0")
    return text + "0" if text.endswith(".") else text
