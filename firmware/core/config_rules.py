"""The configuration file as tables: every key, what it may hold and its default.

Owns names, ranges and defaults; how a kind is checked is in `config`, what one part demands of another in
`config_checks`. A rule is `(key, kind, a, b[, default])`; without a default the key is required. A table is
`(rules, key of the variant or None, {variant: more rules})`. Units are in the key names; temperatures are degrees
Celsius, illuminance lux.
"""

from micropython import const

_MAX_S = const(345600)
"""Four days, which the wrapping millisecond counter measures with room to spare."""

_SETPOINT = (
    ("sensor", "port", 1, 32),
    ("min", "num", -50, 150),
    ("max", "num", -50, 150),
    ("step", "num", 0, 100, 0.0),
    ("hysteresis", "num", 0.05, 20, 0.5),
    ("action", "word", "heat cool", None, "heat"),
)

_OUTPUT = (
    ("pin_port", "port", 1, 32),
    ("name", "text", 1, 32, "output"),
    ("gpio", "int", 0, 39),
    ("active", "word", "high low", None, "high"),
    ("boot", "word", "off on", None, "off"),
    ("safe", "safe", "off on hold", None, "off"),
    ("mode", "word", "switch setpoint", None, "switch"),
    ("min_on_s", "int", 0, _MAX_S, 0),
    ("min_off_s", "int", 0, _MAX_S, 0),
    ("max_on_s", "int", 0, _MAX_S, 0),
    ("interlock", "text", 1, 32, None),
    ("after_lapse", "word", "resume wait", None, "resume"),
)

_SENSOR = (
    ("pin_port", "port", 1, 32),
    ("name", "text", 1, 32, "sensor"),
    ("kind", "word", "thermistor ldr_sensor", None),
    ("gpio", "int", 0, 39),
    ("divider_ohm", "num", 100, 1000000, 10000.0),
    ("side", "word", "low high", None, "low"),
    ("supply_mv", "num", 1000, 3600, 3300.0),
    ("period_s", "int", 1, 3600, 5),
    ("samples", "int", 1, 15, 5),
    ("heartbeat_s", "int", 10, 86400, 300),
)

_THERMISTOR = (
    ("beta", "num", 1000, 10000, 3950.0),
    ("r25_ohm", "num", 100, 1000000, 10000.0),
    ("steinhart", "many", ("num", -1, 1), (3, 3), None),
    ("offset_c", "num", -20, 20, 0.0),
    ("deadband", "num", 0, 50, 0.2),
    ("min", "num", -60, 200, -40.0),
    ("max", "num", -60, 200, 125.0),
)

_LDR = (
    ("scale", "num", 0.001, 1e12, 12518931.0),
    ("exponent", "num", -5, -0.01, -1.405),
    ("deadband", "num", 0, 100000, 5.0),
    ("min", "num", 0, 200000, 0.0),
    ("max", "num", 0, 200000, 200000.0),
)

_BUTTON = (
    ("gpio", "int", 0, 39),
    ("toggles", "port", 1, 32),
    ("active", "word", "low high", None, "low"),
    ("pull", "word", "up down none", None, "up"),
    ("debounce_ms", "int", 5, 500, 30),
)

_NETWORK = (
    ("ssid", "text", 1, 32),
    ("password", "psk", 8, 64, ""),
)

_WIFI = (
    ("networks", "list", (_NETWORK, None, None), (1, 5)),
    ("hostname", "hostname", 1, 32, "realer-device"),
    ("dns", "many", ("ip", 0, 0), (0, 3), []),
)

_CLOUD = (
    ("api", "word", "realer", None, "realer"),
    ("transport", "word", "https", None, "https"),
    ("base_url", "url", 9, 128, "https://api.therealer.com"),
    ("device_id", "ident", 1, 64),
    ("client_id", "key", 1, 64),
    ("client_secret", "secret", 8, 256),
    ("ca_files", "many", ("text", 1, 64), (1, 4)),
    ("poll_s", "int", 2, 3600, 10),
    ("probe_s", "int", 5, 3600, 60),
)

_LED = (
    ("gpio", "int", 0, 39),
    ("active", "word", "high low", None, "high"),
)

_TIME = (("servers", "many", ("host", 0, 0), (1, 4), ["pool.ntp.org", "time.cloudflare.com"]),)
_SAFETY = (("silence_s", "int", 0, 86400, 300),)
_LOG = (("level", "word", "debug info warning error", None, "info"),)

TOP = (
    (
        ("version", "int", 1, 1, 1),
        ("name", "text", 1, 32, "device"),
        ("wifi", "object", (_WIFI, None, None), None, None),
        ("time", "object", (_TIME, None, None), None, {}),
        ("cloud", "object", (_CLOUD, None, None), None),
        ("outputs", "list", (_OUTPUT, "mode", {"setpoint": _SETPOINT}), (0, 16), []),
        ("sensors", "list", (_SENSOR, "kind", {"thermistor": _THERMISTOR, "ldr_sensor": _LDR}), (0, 8), []),
        ("buttons", "list", (_BUTTON, None, None), (0, 8), []),
        ("led", "object", (_LED, None, None), None, None),
        ("safety", "object", (_SAFETY, None, None), None, {}),
        ("watchdog_s", "int", 0, 600, 60),
        ("log", "object", (_LOG, None, None), None, {}),
    ),
    None,
    None,
)
