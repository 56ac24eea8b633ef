"""One ADC input. Only DriverError leaves it."""

import machine

from firmware.core.errors import DriverError


class Analog:
    """`gpio` at 11 dB attenuation, the widest range there is."""

    def __init__(self, gpio):
        self._gpio = gpio
        try:
            self._adc = machine.ADC(machine.Pin(gpio), atten=machine.ADC.ATTN_11DB)
        except (OSError, ValueError) as e:
            raise DriverError("ADC on GPIO %d: %s" % (gpio, e))

    def read_uv(self):
        """One sample in microvolts, calibrated by the chip's own fuses: about 142,000 to 3,130,000."""
        try:
            return self._adc.read_uv()
        except OSError as e:  # ADC2 while Wi-Fi is on: timed out
            raise DriverError("ADC on GPIO %d: %s" % (self._gpio, e))
