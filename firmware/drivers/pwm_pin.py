"""PWM on a pin, by the chip's LEDC. Loaded only if an output has mode `pwm`."""

import machine

from firmware.core.errors import DriverError
from firmware.drivers.board import attempt

_FULL = 65535
_NEAR = 700  # about 1 %, because the chip rounds to its resolution


def driver(gpio, active_high, frequency, most, on):
    return Pwm(gpio, active_high, frequency, most, on)


class Pwm:
    """`frequency`: in Hz. `most`: percent that `on` means. The constructor starts with that if `on`, else with 0 %. If
    the chip has no channel or timer left for it, only `set` reports that, and tries again: one pin must not prevent the
    start."""

    def __init__(self, gpio, active_high, frequency, most, on):
        self.gpio = gpio
        self.high = active_high
        self.frequency = frequency
        self.most = most
        self.pwm = self.duty = None
        try:
            self.set(on)
        except DriverError:
            pass

    def of(self, percent):
        """Return `percent`, a float of 0 to 100, as the port's 16-bit duty cycle, inverted if the output is active
        low."""
        duty = round(percent * _FULL / 100)
        return duty if self.high else _FULL - duty

    def set(self, percent):
        """Set the duty cycle to `percent`, 0 to 100, or True for `most`. DriverError if the chip reports one that
        differs by more than 1 %."""
        duty = self.of(self.most if percent is True else percent)
        if not self.pwm:
            pin = attempt(self.gpio, machine.Pin, self.gpio)
            self.pwm = attempt(self.gpio, machine.PWM, pin, freq=self.frequency, duty_u16=duty)
        elif duty != self.duty:
            attempt(self.gpio, self.pwm.duty_u16, duty)
        self.duty = duty
        if abs(self.pwm.duty_u16() - duty) > _NEAR:
            self.duty = None
            raise DriverError("GPIO %d: wrong duty cycle" % self.gpio)
