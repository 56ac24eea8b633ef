"""A chip for driver tests: `machine` and `network` that behave like an ESP32 where it bites.

`chip = install()` puts both modules in place and makes the drivers load afresh. The test plays the plant: it sets
voltages, sticks pins, takes the network away. Pins remember every level they were driven to, so a glitch can be seen.
"""

import sys

ADC1 = (32, 33, 34, 35, 36, 37, 38, 39)
ADC2 = (0, 2, 4, 12, 13, 14, 15, 25, 26, 27)
ABSENT = (20, 24, 28, 29, 30, 31)


class Uname:
    """In place of the module `os` of a chip."""

    def __init__(self, machine):
        self.machine = machine

    def uname(self):
        return "esp32", "esp32", "1.26.1", "v1.26.1", self.machine


class Chip:
    def __init__(self):
        self.levels = {}  # what the pads are
        self.history = []  # (gpio, level) of every level driven from inside
        self.modes = {}
        self.pulls = {}
        self.stuck = {}  # pads that the plant holds
        self.uv = {}
        self.duties = {}  # by GPIO, of those with PWM
        self.channels = 16  # for PWM
        self.handlers = {}  # gpio -> (handler of an interrupt, trigger)
        self.frame = b""  # of a DHT
        self.frames = []  # of a DHT, one after the other, before `frame`
        self.on_bus = {}  # I2C address -> bytes that are read there, or what is raised
        self.networks = {}  # ssid -> password
        self.wifi_on = False
        self.wifi_broken = None  # what connect() raises until the radio was off
        self.wifi_dead = None  # what switching it on raises
        self.link = None  # ssid
        self.reason = 1000
        self.reconnects = -1
        self.hostname = "mpy-esp32"
        self.country = "XX"
        self.pm = 1
        self.air = None  # what a scan finds, None: it fails
        self.bssid = None  # of the latest connect
        self.fixed = None  # addresses that were set in place of DHCP
        self.cause = 1
        self.resets = 0
        self.watchdog_ms = None
        self.fed = 0
        self.datetime = (2000, 1, 1, 5, 0, 0, 0, 0)
        self.rtc_memory = b""
        self.own = {"ssid": "ESP_0000ff", "security": 0, "key": ""}  # the access point's settings
        self.on_air = []  # (ssid, security) of what the access point ever showed
        self.forced_security = None  # what it shows whatever it is set to
        self.ap_on = False
        self.stations = 0
        self.lan = None  # arguments of the LAN that was constructed
        self.lan_broken = None  # what the constructor raises
        self.lan_on = False
        self.lan_status = 0

    def finish_connect(self, ssid, password):
        if ssid not in self.networks:
            self.reason = 201
        elif self.networks[ssid] != password:
            self.reason = 202
        else:
            self.link, self.reason = ssid, 1010


class Pin:
    IN, OUT, PULL_DOWN, PULL_UP = 1, 3, 1, 2
    IRQ_RISING, IRQ_FALLING = 1, 2
    chip = None

    def __init__(self, gpio, mode=None, pull=-1, value=None):
        every = self.chip.every_pin
        if not every and (not 0 <= gpio <= 39 or gpio in ABSENT):
            raise ValueError("invalid pin")
        if not every and 6 <= gpio <= 11 and mode is not None:
            raise SystemExit("the flash chip is cut off: the real one crashes here")
        self.gpio = gpio
        if value is not None:
            self.value(value)
        if not every and mode == self.OUT and gpio >= 34:
            raise ValueError("pin can only be input")
        if mode is not None:
            self.chip.modes[gpio] = mode
        if pull != -1:
            self.chip.pulls[gpio] = pull

    def irq(self, handler, trigger):
        self.chip.handlers[self.gpio] = handler, trigger

    def value(self, level=None):
        if level is None:
            idle = 1 if self.chip.pulls.get(self.gpio) == self.PULL_UP else 0
            return self.chip.stuck.get(self.gpio, self.chip.levels.get(self.gpio, idle))
        self.chip.levels[self.gpio] = 1 if level else 0
        self.chip.history.append((self.gpio, 1 if level else 0))
        return None


class ADC:
    ATTN_0DB, ATTN_11DB = 0, 3
    chip = None

    def __init__(self, pin, atten=3):
        if pin.gpio not in ADC1 + ADC2:
            raise ValueError("invalid pin")
        self.gpio = pin.gpio
        self.full_uv = 3130000 if atten == self.ATTN_11DB else 950000

    def read_uv(self):
        if self.gpio in ADC2 and self.chip.wifi_on:
            raise OSError(-263, "ESP_ERR_TIMEOUT")
        return min(max(self.chip.uv.get(self.gpio, 0), 142000), self.full_uv)


class PWM:
    """A channel of the LEDC, of which a chip has few."""

    chip = None

    def __init__(self, pin, freq, duty_u16):
        self.gpio = pin.gpio
        if self.gpio not in self.chip.duties and len(self.chip.duties) >= self.chip.channels:
            raise ValueError("out of PWM channels:%d" % self.chip.channels)
        self.duty_u16(duty_u16)

    def duty_u16(self, duty=None):
        if duty is not None:
            self.chip.duties[self.gpio] = duty
        return self.chip.duties[self.gpio]


class WDT:
    chip = None

    def __init__(self, id=0, timeout=5000):
        if id != 0 or timeout <= 0:
            raise ValueError("WDT timeout too short")
        self.chip.watchdog_ms = timeout

    def feed(self):
        self.chip.fed += 1


class RTC:
    chip = None

    def datetime(self, value=None):
        if value is None:
            return self.chip.datetime
        if len(value) != 8:
            raise TypeError("8 values")
        self.chip.datetime = value
        return None

    def memory(self, data=None):
        if data is None:
            return self.chip.rtc_memory
        if len(data) > 2048:
            raise ValueError("buffer too long")
        self.chip.rtc_memory = bytes(data)
        return None


class WLAN:
    chip = None

    def __init__(self, interface):
        if interface not in (0, 1):
            raise ValueError("invalid WLAN interface identifier")
        self.interface = interface

    def active(self, on=None):
        if self.interface:
            if on:
                self.chip.on_air.append((self.chip.own["ssid"], self.config("security")))
            self.chip.ap_on = on
            return on
        if on is not None:
            if on and self.chip.wifi_dead:
                raise self.chip.wifi_dead
            self.chip.wifi_on = on
            if not on:
                self.chip.link = self.chip.wifi_broken = None
                self.chip.reason = 1000
        return self.chip.wifi_on

    def config(self, what=None, **values):
        if self.interface:
            own = self.chip.own
            if what:
                return own[what] if self.chip.forced_security is None else self.chip.forced_security
            if values["security"] and len(values["key"]) < 8:
                raise OSError("Wifi Invalid Password")
            own.update(values)
            return None
        for key, value in values.items():
            if key not in ("reconnects", "pm"):
                raise ValueError("unknown config param")
            setattr(self.chip, key, value)

    def scan(self):
        if self.chip.air is None:
            raise OSError("STA must be active")
        return self.chip.air

    def connect(self, ssid, password=None, bssid=None):
        if bssid is not None and len(bssid) != 6:
            raise ValueError
        self.chip.bssid = bssid
        if not self.chip.wifi_on:
            raise OSError("Wifi Not Started")
        if self.chip.wifi_broken:
            raise self.chip.wifi_broken
        if self.chip.reason == 1001:
            raise OSError("Wifi Internal State Error")
        self.chip.reason = 1001
        self.chip.finish_connect(ssid, password)

    def disconnect(self):
        if not self.chip.wifi_on:
            raise OSError("Wifi Not Started")
        self.chip.link, self.chip.reason = None, 1000

    def isconnected(self):
        if self.interface:
            return self.chip.stations > 0
        return self.chip.link is not None

    def status(self):
        return self.chip.reason

    def ifconfig(self, value=None):
        if value == "dhcp":
            if self.chip.fixed is None:
                raise RuntimeError("Wifi Unknown Error 0x5004")
            self.chip.fixed = None
            return None
        if value:
            assert len(value) == 4
            self.chip.fixed = tuple(value)
            return None
        if self.chip.link is None:
            return ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")
        if self.chip.fixed:
            return self.chip.fixed
        return ("192.168.1.57", "255.255.255.0", "192.168.1.1", "192.168.1.1")


class LAN:
    """As constructed the first time; a failed call spoils all that follow."""

    chip = None

    def __init__(self, *, phy_addr, phy_type, mdc, mdio, power, ref_clk, ref_clk_mode):
        chip = self.chip
        if chip.lan:
            return
        if chip.lan_broken:
            found, chip.lan_broken = chip.lan_broken, OSError("esp_netif_attach failed")
            raise found
        pins = [pin.gpio for pin in (mdc, mdio, power, ref_clk)]
        chip.lan = (phy_type, phy_addr, pins, ref_clk_mode)

    def active(self, on):
        self.chip.lan_on = on
        self.chip.lan_status = 1 if on else 2

    def isconnected(self):
        return self.chip.lan_on and self.chip.lan_status == 5

    def status(self):
        return self.chip.lan_status

    def ifconfig(self, value=None):
        if value:
            assert len(value) == 4 and not self.chip.lan_on, "DHCP would have been asked"
            self.chip.fixed = tuple(value)
            return None
        return self.chip.fixed or ("192.168.1.58", "255.255.255.0", "192.168.1.1", "192.168.1.1")


class SoftI2C:
    chip = None

    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        self.gpios = sda.gpio, scl.gpio

    def there(self, addr):
        found = self.chip.on_bus.get(addr, OSError(19))
        if isinstance(found, OSError):
            raise found
        return found

    def writeto(self, addr, buf, stop=True):
        return min(len(buf), len(self.there(addr)))

    def readfrom(self, addr, nbytes, stop=True):
        return self.there(addr)[:nbytes]


class Machine:
    PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
    Pin, ADC, PWM, WDT, RTC, SoftI2C = Pin, ADC, PWM, WDT, RTC, SoftI2C

    def __init__(self, chip):
        self._chip = chip

    def reset(self):
        self._chip.resets += 1

    def reset_cause(self):
        return self._chip.cause

    def dht_readinto(self, pin, buf):
        frame = self._chip.frames.pop(0) if self._chip.frames else self._chip.frame
        if not frame:
            raise OSError(116)
        buf[:] = frame

    def unique_id(self):
        return b"\x24\x0a\xc4\x00\x00\xff"


class Network:
    STA_IF, AP_IF = 0, 1
    PHY_LAN8720 = 1
    WLAN, LAN = WLAN, LAN

    def __init__(self, chip):
        self._chip = chip

    def country(self, code):
        if len(code) != 2:
            raise ValueError
        self._chip.country = code

    def hostname(self, name):
        if len(name) > 32:
            raise ValueError
        self._chip.hostname = name


def install(every_pin=False):
    """A chip after power-on, behind fresh `machine` and `network` modules. `every_pin`: one of which each GPIO may be
    driven, not a classic ESP32."""
    chip = Chip()
    chip.every_pin = every_pin
    for part in (Pin, ADC, PWM, WDT, RTC, WLAN, LAN, SoftI2C):
        part.chip = chip
    sys.modules["machine"] = Machine(chip)
    sys.modules["network"] = Network(chip)
    for name in list(sys.modules):
        if name.startswith("firmware.drivers."):
            del sys.modules[name]
    return chip
