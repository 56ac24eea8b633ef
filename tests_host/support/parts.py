"""Outputs and a sensor as the check of a configuration leaves them; a test changes what it is about. Runs on both
interpreters."""

SWITCH = {
    "pin_port": "6", "name": "pump", "mode": "switch", "safe": "off", "after_lapse": "resume", "interlock": None,
    "min_on_s": 0, "min_off_s": 0, "max_on_s": 0,
}  # fmt: skip
HEATER = dict(
    SWITCH, pin_port="9", name="heater", mode="setpoint", sensor="14", min=5.0, max=35.0, step=0.5, hysteresis=1.0,
    action="heat",
)  # fmt: skip
ROOM = {
    "pin_port": "14", "name": "room", "kind": "thermistor", "deadband": 0.5, "heartbeat_s": 300, "keep": True,
}  # fmt: skip
