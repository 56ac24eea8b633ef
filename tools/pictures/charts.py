"""Pictures of figures and codes: the status LED, and the memory of a chip as bars."""

from __future__ import annotations

from html import escape

from firmware.core import status_led
from tools.virtual_board import memory

LED_WORDS = {
    "config_error": "configuration error",
    "no_network": "no network",
    "no_time": "no time",
    "no_cloud": "the cloud is not reached",
    "unauthorized": "the cloud refused the device",
    "safe": "safe state",
    "online": "online",
}
ARROWHEAD = (
    '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0 L10 5 L0 10 z" fill="#334155"/></marker></defs>'
)
_SLOTS, _SLOT_MS = 16, 256
_HEAP = 97_984  # what `firmware/heap.py` bounds the Python heap to
_BAR, _LEFT, _KB = 34, 150, 4.6


def page(width: float, height: float, label: str, drawn: list[str], size: int = 13) -> str:
    """`size`: of the text, where it has none of its own."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-family="Helvetica, Arial, '
        f'sans-serif" font-size="{size}" role="img" aria-label="{escape(label)}">\n'
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>\n'
    )
    return head + "\n".join(drawn) + "\n</svg>\n"


def led() -> str:
    """The pattern of each state, from `status_led`: a cell is a quarter of a second."""
    drawn = []
    for row, (state, words) in enumerate(LED_WORDS.items()):
        y = 16 + 34 * row
        for slot in range(_SLOTS):
            lit = status_led.level(state, slot * _SLOT_MS)
            drawn.append(
                f'<rect x="{16 + 26 * slot}" y="{y}" width="26" height="22" fill="{"#facc15" if lit else "#1e293b"}"'
                ' stroke="#64748b"/>'
            )
        drawn.append(f'<text x="450" y="{y + 16}">{words}</text>')
    y = 16 + 34 * len(LED_WORDS)
    drawn.append(f'<text x="16" y="{y + 12}" fill="#475569">0</text>')
    drawn.append(f'<text x="{16 + 26 * _SLOTS}" y="{y + 12}" text-anchor="end" fill="#475569">4 s</text>')
    return page(680, y + 28, "The patterns of the status LED", drawn)


def memory_bars() -> str:
    """Where the memory of a plain ESP32 goes, with the usual chain: at rest and in a handshake."""
    image = memory.IMAGES[memory.TIGHTEST]
    cost = image.tls[memory.USUAL_CHAIN]
    whole = memory.FIRST_AREA + image.small + image.large
    added = image.small + image.large - image.wifi - _pool_beside_heap(image)
    first = memory.FIRST_AREA
    drawn = []
    y = 20
    for title, tls in (("at rest", cost.rest), ("in a handshake", cost.peak)):
        x = float(_LEFT)
        drawn.append(f'<text x="12" y="{y + 22}">{title}</text>')
        for name, size, colour in (
            ("Python heap", first + added, "#1d4ed8"),
            ("Wi-Fi", image.wifi, "#0e7490"),
            ("TLS", cost.context + tls, "#7e22ce"),
            ("free", whole - first - added - image.wifi - cost.context - tls, "#cbd5e1"),
        ):
            width = size / 1000 * _KB * 0.8
            ink = "#0f172a" if name == "free" else "#ffffff"
            drawn.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>')
            for line, words in enumerate((name, f"{size / 1000:.1f} KB")):
                drawn.append(
                    f'<text x="{x + width / 2:.1f}" y="{y + 15 + 13 * line}" text-anchor="middle" fill="{ink}"'
                    f' font-size="11">{words}</text>'
                )
            x += width
        y += 70
    note = (
        f"Stock image {memory.TIGHTEST}, one TLS connection, the usual certificates. "
        f"The heap has {_HEAP / 1000:.1f} KB and tables of its own."
    )
    drawn.append(f'<text x="12" y="{y + 12}" fill="#475569" font-size="11">{note}</text>')
    return page(920, y + 30, "The memory of a plain ESP32", drawn)


def _pool_beside_heap(image: memory.Image) -> int:
    """Free bytes of the pool with Wi-Fi and both areas of the heap."""
    return image.small + image.large - image.wifi - (_HEAP - memory.FIRST_AREA) * 1025 // 1000
