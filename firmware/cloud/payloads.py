"""The JSON objects that iot/v1 has in common over HTTPS and MQTT: a desired state, and a reported event. Pure."""

from firmware.cloud.fields import get_scalar
from firmware.core.models import EPOCH, Desired, iso, number


def desired_state(command_id, item):
    """Return the Desired of `item`, a desired state. None if it cannot be answered, because it has no identity, or one
    of over 512 characters, which is too long to be written to flash. A missing or invalid execution window counts as
    closed."""
    name = get_scalar(item, "desired_id")
    if not 0 < len(str(name)) < 513:
        return None
    sequence = get_scalar(item, "sequence_number")
    return Desired(
        command_id,
        get_scalar(item, "value"),
        name,
        sequence if type(sequence) is int else None,
        max(number(get_scalar(item, "valid_for_seconds")) or 0, 0),
    )


def event(report):
    """Return the JSON object of one Report as a dict, without its source."""
    item = {
        "value": report.value,
        "value_received_at": iso(report.at + EPOCH),
        "message_id": report.message_id,
    }
    if report.desired_id is not None:
        item["desired_id"] = report.desired_id
        item["report_status"] = report.status
        if report.sequence is not None:
            item["sequence_number"] = report.sequence
    return item
