"""The MQTT catalog of the Realer API.

Source: docs/protocol.md, MQTT catalog. Its fields are documented; what is guessed says so. Pure. Every response becomes
a result or a LinkError. Topics are taken from the catalog, never composed.
"""

import json
import re
from collections import namedtuple
from micropython import const

from firmware.cloud.fields import get, get_scalar, get_text
from firmware.core.errors import LinkError

_DESIRED_SCOPE = "iot:mqtt:desired:read"

_ROUTE_IDS = ("source_id", "%s_id")
"""The fields of a route that may name its source, `%s` being its source_type: a guess (docs/protocol.md, assumption
6)."""

_LONGEST = const(160)
_VERSIONS = {"mqtt-5.0": 5, "mqtt-3.1.1": 4}

MqttCatalog = namedtuple("MqttCatalog", "host port version acks endpoint body routes notes")
"""The MQTT catalog. `host`, `port`: of the broker. `version`: MQTT protocol level, 5 or 4 (3.1.1). `acks`: topic of
acknowledgements. `endpoint`: path of the credentials, None while MQTT is not enabled for the device. `body`: JSON text
to post there. `routes`: {(source_type, id as str): Route}. `notes`: problems of single routes, as texts for the log."""

Route = namedtuple("Route", "feed desired")
"""Topics of one source. `desired`: None for a sensor."""


def catalog(body):
    """Return the MqttCatalog of `body`, the response of GET mqtt. LinkError: it is not usable."""
    mqtt = get(body, "mqtt")
    version = _VERSIONS.get(get_scalar(mqtt, "protocol"))
    # Only mqtts: without TLS anybody on the path could read the password.
    url = _match("mqtts://([a-zA-Z0-9.-]+)(:([0-9]+))?/?$", get_text(mqtt, "broker_url"))
    port = int(url.group(3) or 8883) if url else 0
    acks = _topic(mqtt, "feed_data_ack_topic")
    if not version or not 0 < port < 65536 or not acks:
        raise LinkError("MQTT catalog without a usable protocol, broker_url or ack topic")
    found = get(mqtt, "credential_endpoint")
    endpoint = get_text(found, "endpoint")
    asked = get(found, "body")
    # A path only: the token must not go to another host.
    if found and not (
        _match("/[a-zA-Z0-9/_.-]+$", endpoint)
        and found.get("http_method") == "POST"
        and isinstance(asked, dict)
    ):
        raise LinkError("MQTT catalog with an unknown kind of credential_endpoint")
    notes = []
    routes = _routes(get(body, "mqtt_routes"), notes)
    return MqttCatalog(
        url.group(1), port, version, acks, endpoint or None, _with_desired(asked, routes), routes, notes
    )


def _match(pattern, found):
    # Matching a longer text could overflow the stack.
    return re.match(pattern, found) if len(found) <= _LONGEST else None


def _topic(thing, key):
    """Return the topic under `key`, "" if it is missing, longer than 160 characters, or has wildcards or NUL."""
    topic = get_text(thing, key)
    return "" if len(topic) > _LONGEST or "+" in topic or "#" in topic or "\0" in topic else topic


def _routes(items, notes):
    found = {}
    twice = []
    for item in items if isinstance(items, list) else ():
        kind = get_scalar(item, "source_type")
        mqtt = get(item, "mqtt")
        feed = _topic(mqtt, "feed_data_topic")
        desired = _topic(mqtt, "desired_topic") or None
        names = [get_scalar(item, field.replace("%s", str(kind))) for field in _ROUTE_IDS]
        names = [str(name) for name in names if name != ""]
        if kind not in ("sensor", "command") or not feed or len(set(names)) != 1:
            notes.append("MQTT route %s ignored: its source is missing or ambiguous" % (feed or "?")[:120])
        elif (kind, names[0]) in found:
            twice.append((kind, names[0]))
        else:
            found[kind, names[0]] = Route(feed, desired if kind == "command" else None)
    for key in set(twice):
        found.pop(key)
        notes.append("MQTT routes of %s %s ignored: there are several" % key)
    return found


def _with_desired(body, routes):
    """Return `body` as JSON text, with the scope for desired states added if any route is that of a command: the
    documented sample lacks it."""
    asked = get(body, "scopes")
    if isinstance(asked, list) and _DESIRED_SCOPE not in asked and [r for r in routes.values() if r.desired]:
        asked.append(_DESIRED_SCOPE)
    return json.dumps(body)
