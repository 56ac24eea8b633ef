"""Pictures of who sends what to whom: the first minute over each transport."""

from __future__ import annotations

from html import escape

from tools.pictures.charts import ARROWHEAD, page

_STEP, _TOP, _GAP = 30, 84, 300

Message = tuple[int, int, str]
"""From, to, and what is sent; from and to alike: what one does alone."""

HTTPS: list[Message] = [
    (0, 0, "Wi-Fi, time"),
    (0, 1, "POST /oauth/token"),
    (1, 0, "token, expires_in"),
    (0, 1, "GET commands, GET sensors"),
    (1, 0, "catalogs, desired values"),
    (0, 0, "safe state left, outputs follow"),
    (0, 1, "every poll_s: GET commands"),
    (1, 0, "desired values"),
    (0, 1, "POST feed-data/batches"),
    (1, 0, "created, for each message_id"),
    (0, 1, "before the token ends: POST /oauth/token"),
]
MQTT: list[Message] = [
    (0, 0, "Wi-Fi, time"),
    (0, 1, "POST /oauth/token"),
    (1, 0, "token, expires_in"),
    (0, 1, "GET commands, sensors, mqtt"),
    (1, 0, "catalogs, topics"),
    (0, 1, "POST for MQTT credentials"),
    (1, 0, "user name, password, their end"),
    (0, 0, "HTTPS closed: one TLS connection fits"),
    (0, 2, "CONNECT, SUBSCRIBE"),
    (2, 0, "desired state, at once when it changes"),
    (0, 2, "PUBLISH report"),
    (2, 0, "acknowledgement by the cloud"),
    (0, 1, "before they end: new credentials"),
    (0, 2, "CONNECT to the kept session"),
]


def sequence(label: str, actors: tuple[str, ...], messages: list[Message]) -> str:
    width, height = _GAP * (len(actors) - 1) + 260, _TOP + _STEP * len(messages) + 20
    drawn = [ARROWHEAD]
    xs = [130 + _GAP * i for i in range(len(actors))]
    for x, name in zip(xs, actors, strict=True):
        drawn.append(f'<path d="M{x} 56 V{height - 10}" stroke="#94a3b8" stroke-dasharray="4 4"/>')
        drawn.append(
            f'<rect x="{x - 90}" y="16" width="180" height="36" rx="8" fill="#e0f2fe" stroke="#334155"/>'
        )
        drawn.append(f'<text x="{x}" y="39" text-anchor="middle" font-weight="bold">{escape(name)}</text>')
    for i, (start, end, words) in enumerate(messages):
        y, x0, x1 = _TOP + _STEP * i, xs[start], xs[end]
        if start == end:
            drawn.append(f'<rect x="{x0 - 118}" y="{y - 12}" width="236" height="22" rx="6" fill="#fef3c7"/>')
            drawn.append(
                f'<text x="{x0}" y="{y + 4}" text-anchor="middle" font-size="12">{escape(words)}</text>'
            )
            continue
        tip = x1 - 4 if x1 > x0 else x1 + 4
        drawn.append(
            f'<path d="M{x0} {y + 6} H{tip}" stroke="#334155" stroke-width="1.5" marker-end="url(#head)"/>'
        )
        drawn.append(
            f'<text x="{(x0 + x1) / 2:g}" y="{y}" text-anchor="middle" font-size="12" stroke="#ffffff" stroke-width="4"'
            f' paint-order="stroke">{escape(words)}</text>'
        )
    return page(width, height, label, drawn)


def https() -> str:
    return sequence("The first minute over HTTPS", ("device", "Realer API"), HTTPS)


def mqtt() -> str:
    return sequence("The first minute over MQTT", ("device", "Realer API", "MQTT broker"), MQTT)
