"""Which commands and sensors of a catalog are reachable over MQTT, and by which topics. Pure."""

from firmware.core.models import Catalog

_NO_ROUTE = "it has no MQTT route"


def with_routes(catalog, routes):
    """Return `catalog` with an error in each row that has no route: such a row is ignored, and logged once. Errors that
    an earlier call set are cleared where there is a route now. `routes`: of MqttCatalog."""
    commands = []
    for row in catalog.commands:
        route = routes.get(("command", str(row.id)))
        commands.append(_marked(row, route and route.desired))
    sensors = [_marked(row, ("sensor", str(row.id)) in routes) for row in catalog.sensors]
    return Catalog(commands, sensors)


def desired_topics(catalog, routes):
    """Return {desired topic: command id} of the commands of a catalog `with_routes`."""
    return {routes["command", str(row.id)].desired: row.id for row in catalog.commands if not row.error}


def mapped(catalog, routes):
    """Return (catalog `with_routes`, its `desired_topics`)."""
    catalog = with_routes(catalog, routes)
    return catalog, desired_topics(catalog, routes)


def _marked(row, route):
    """Return the row with its error set or cleared; the same object if nothing changes, to save memory."""
    error = "" if row.error == _NO_ROUTE else row.error
    error = error or ("" if route else _NO_ROUTE)
    return row if error == row.error else type(row)(*(row[:-1] + (error,)))
