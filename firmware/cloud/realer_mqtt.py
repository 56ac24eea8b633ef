"""The words of the Realer API that concern MQTT: its catalog, the CONNECT tuple, and the payloads on the topics.

Sources: Realer API, sections 6 and 14 rows 6 to 8; seed pages name the fields, this file the guesses. Pure. Whatever
shape an answer has, it becomes a result or a LinkError. Topics are taken from the catalog, never made.
"""

import json
import re
from collections import namedtuple
from micropython import const

from firmware.cloud.realer import event, wish
from firmware.cloud.words import complaint, member, plain, text
from firmware.core import verdict as v
from firmware.core.errors import LinkError
from firmware.core.nouns import Catalog, Command, Secret, Sensor, number

_SCOPES = "iot:catalog:read iot:mqtt:connect iot:mqtt:ack:read iot:mqtt:feed-data:write"
_DESIRED_SCOPE = "iot:mqtt:desired:read"

_ROUTE_IDS = ("source_id", "%s_id")
"""The fields of a route that may name its source, `%s` being its source_type: section 14 row 6 leaves it open."""

_LONGEST = const(160)
_NO_ROUTE = "it has no MQTT route"
_VERSIONS = {"mqtt-5.0": 5, "mqtt-3.1.1": 4}

Offer = namedtuple("Offer", "host port version acks endpoint body routes notes")
"""The MQTT catalog. `version`: MQTT protocol level; `body`: JSON for `endpoint`; `routes`: {(source_type, id as text):
Route}; `notes`: what is wrong with single routes, for the log. `endpoint` is None while there is no MQTT."""

Route = namedtuple("Route", "feed desired")
"""Topics of one source; `desired` is None but for commands."""

Tuple = namedtuple("Tuple", "client_id username password expires_s renew_s")
"""What CONNECT takes, and how long it is good for. `password` is a Secret."""


def scopes(commands, polling):
    """What a token is asked for, and no more (section 3.3): MQTT, desired states where there are `commands`, `polling`
    beside it."""
    asked = _SCOPES
    if commands:
        asked += " " + _DESIRED_SCOPE
    return asked + " iot:feed-data:write" if polling else asked


def offer(body):
    """The Offer of an MQTT catalog. LinkError: one that nothing can be done with."""
    mqtt = member(body, "mqtt")
    version = _VERSIONS.get(plain(mqtt, "protocol"))
    # Without TLS the password would be shown to whoever is on the way.
    url = _match("mqtts://([a-zA-Z0-9.-]+)(:([0-9]+))?/?$", text(mqtt, "broker_url"))
    port = int(url.group(3) or 8883) if url else 0
    acks = _topic(mqtt, "feed_data_ack_topic")
    if not version or not 0 < port < 65536 or not acks:
        raise LinkError("MQTT catalog without a usable protocol, broker_url or ack topic")
    found = member(mqtt, "credential_endpoint")
    endpoint = text(found, "endpoint")
    asked = member(found, "body")
    # A path only: the token must not go to another host.
    if found and not (
        _match("/[a-zA-Z0-9/_.-]+$", endpoint)
        and found.get("http_method") == "POST"
        and isinstance(asked, dict)
    ):
        raise LinkError("MQTT catalog with an unknown kind of credential_endpoint")
    notes = []
    routes = _routes(member(body, "mqtt_routes"), notes)
    return Offer(
        url.group(1), port, version, acks, endpoint or None, _with_desired(asked, routes), routes, notes
    )


def _match(pattern, found):
    # Matching long texts would take more stack than there is.
    return re.match(pattern, found) if len(found) <= _LONGEST else None


def _topic(thing, key):
    """A topic to be used as it is, "" for one that is missing or could stand for others."""
    topic = text(thing, key)
    return "" if len(topic) > _LONGEST or "+" in topic or "#" in topic or "\0" in topic else topic


def _routes(items, notes):
    found = {}
    twice = []
    for item in items if isinstance(items, list) else ():
        kind = plain(item, "source_type")
        mqtt = member(item, "mqtt")
        feed = _topic(mqtt, "feed_data_topic")
        desired = _topic(mqtt, "desired_topic") or None
        names = [plain(item, field.replace("%s", str(kind))) for field in _ROUTE_IDS]
        names = [str(name) for name in names if name != ""]
        if kind not in ("sensor", "command") or not feed or len(set(names)) != 1:
            notes.append("MQTT route %s left alone: it does not say what it is for" % (feed or "?")[:120])
        elif (kind, names[0]) in found:
            twice.append((kind, names[0]))
        else:
            found[kind, names[0]] = Route(feed, desired if kind == "command" else None)
    for key in set(twice):
        found.pop(key)
        notes.append("MQTT routes of %s %s left alone: there are several" % key)
    return found


def _with_desired(body, routes):
    """The catalog's own body as JSON, with the scope for desired states where there are any: its sample lacks it."""
    asked = member(body, "scopes")
    if isinstance(asked, list) and _DESIRED_SCOPE not in asked and [r for r in routes.values() if r.desired]:
        asked.append(_DESIRED_SCOPE)
    return json.dumps(body)


def credential(body):
    """The Tuple of a credential reply. LinkError."""
    mqtt = member(body, "mqtt")
    names = [text(mqtt, "mqtt_" + name) for name in ("client_id", "username", "credential")]
    expires_s = number(member(mqtt, "expires_in")) or 0
    hard_s = number(member(mqtt, "session_hard_expires_in")) or expires_s
    if "" in names or expires_s < 1:
        raise LinkError("MQTT credential reply without a usable tuple or expires_in")
    expires_s = int(min(expires_s, max(hard_s, 1)))
    renew_s = int(number(member(mqtt, "renew_after")) or 0)
    if not 0 < renew_s < expires_s:
        renew_s = expires_s * 3 // 4
    return Tuple(names[0], names[1], Secret(names[2]), expires_s, renew_s)


def tied(catalog, routes):
    """`catalog` with an error in each row that no route leads to: such a row is left alone, and told once. What an
    earlier call found is looked at anew."""
    commands = []
    for row in catalog.commands:
        route = routes.get(("command", str(row.id)))
        commands.append(Command(*(row[:6] + (_error(row, route and route.desired),))))
    sensors = [
        Sensor(*(row[:3] + (_error(row, ("sensor", str(row.id)) in routes),))) for row in catalog.sensors
    ]
    return Catalog(commands, sensors)


def wishes(catalog, routes):
    """{desired topic: command id} of the commands of a `tied` catalog."""
    return {routes["command", str(row.id)].desired: row.id for row in catalog.commands if not row.error}


def _error(row, route):
    error = "" if row.error == _NO_ROUTE else row.error
    return error or ("" if route else _NO_ROUTE)


def desired(command_id, payload):
    """The Desired of a message on the topic of that command. ValueError: it is none, with words for the log."""
    found = wish(command_id, _object(payload))
    if not found:
        raise ValueError("no desired_id")
    return found


def publish(report):
    """The payload of one report: its topic says the rest (section 6.4)."""
    return json.dumps(event(report)).encode()


def acknowledgement(payload):
    """(message_id, verdict, words for the log) of a message on the ack topic (section 6.5). ValueError: it is none.

    OK, CONFLICT, DROP, or RETRY, which is only where the cloud says so.
    """
    body = _object(payload)
    status = plain(body, "status")
    if status in ("accepted", "replayed"):
        found = v.OK
    elif member(body, "retryable") is True:
        found = v.RETRY
    else:
        found = v.CONFLICT if status == "conflict" else v.DROP
    return text(body, "message_id"), found, "%s %s" % (status, complaint(body))


def _object(payload):
    try:
        body = json.loads(payload.decode())
    except (ValueError, MemoryError, RuntimeError):  # the latter two: nested deeper than there is room for
        body = None
    if not isinstance(body, dict):
        raise ValueError("no JSON object")
    # 1, "1" or "1.4": another major version may mean something else by the same words (section 14 row 7).
    if str(plain(body, "version")).partition(".")[0] != "1":
        raise ValueError("unknown version")
    return body
