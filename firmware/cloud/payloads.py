"""What is the same in iot/v1 over HTTPS and over MQTT: a desired state, and an event that is reported. Pure."""

from firmware.cloud.fields import get_scalar, get_text
from firmware.core.models import EPOCH, Desired, iso, number


def desired_state(command_id, item):
    """The Desired of a desired state, None when it has no identity to answer under, or one so long
    that it cannot be written down. A window that is missing or no number counts as closed."""
    name = get_text(item, "desired_id")
    if not 0 < len(name) < 513:
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
    """The JSON object of one report, the same over HTTPS and MQTT."""
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
