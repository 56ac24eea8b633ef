"""A simulated ESP32 (also S2, S3, C3, C6): pins, ADC, RTC, watchdog, and the replies to the requests of the shims.

It has the rules of the silicon and of MicroPython's ESP32 port: input-only and flash pins, ADC2 while Wi-Fi is on, the
ADC's ends of range, what each kind of reset keeps. Sans-I/O: one request line in, one reply line out, and the time is a
function given to it. Processes and sockets are in `virtual.py`, physics in `plant.py`.

Facts: `firmware/boards` for the pins and for the ADC at 11 dB; ESP-IDF calibration of the classic ESP32's ADC at the
other attenuations, on all chips (`esp_adc_cal`, default reference); sources of MicroPython's `ports/esp32`.

Where it differs from the chip: using a flash pin is an error here, and hangs the real one; so is driving a pin of the
kit's own Ethernet, which can destroy the real one.

A reply is `=value`, or an exception to raise: `!V text` ValueError, `!O text` OSError, `!E number name` OSError with
a number, `!A name` AttributeError, `!R text` RuntimeError, `!K` KeyboardInterrupt. No reply at all means that the
program does not go on: it asked for a reset, or the chip crashed.
"""

from __future__ import annotations

import binascii
import datetime
from collections.abc import Callable

from tools import boards
from tools.boards import Board
from tools.virtual_board import ethernet
from tools.virtual_board.chip_memory import ChipMemory
from tools.virtual_board.ethernet import Lan
from tools.virtual_board.memory import Memory, NoRoomError
from tools.virtual_board.plant import Plant
from tools.virtual_board.radio import AccessPoint, Radio
from tools.virtual_board.refused import Refused

UNIQUE_ID = b"\x24\x0a\xc4\x00\x00\x01"
PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = range(1, 6)
CAUSES = dict(enumerate(("power_on", "hard", "watchdog", "deep_sleep", "soft"), PWRON_RESET))

_CONSTANTS = {
    "machine": {
        "PWRON_RESET": PWRON_RESET, "HARD_RESET": HARD_RESET, "WDT_RESET": WDT_RESET,
        "DEEPSLEEP_RESET": DEEPSLEEP_RESET, "SOFT_RESET": SOFT_RESET,
    },
    "network": {f"PHY_{name}": number for name, number in ethernet.PHYS.items()}
    | {
        "AP_IF": 1, "STAT_IDLE": 1000, "STAT_CONNECTING": 1001, "STAT_GOT_IP": 1010, "STAT_BEACON_TIMEOUT": 200,
        "STAT_NO_AP_FOUND": 201, "STAT_WRONG_PASSWORD": 202, "STAT_ASSOC_FAIL": 203, "STAT_CONNECT_FAIL": 203,
        "STAT_HANDSHAKE_TIMEOUT": 204, "STAT_NO_AP_FOUND_W_COMPATIBLE_SECURITY": 210,
        "STAT_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD": 211, "STAT_NO_AP_FOUND_IN_RSSI_THRESHOLD": 212,
    },
}  # fmt: skip
"""What a module of the board tells when it is asked: names that would otherwise fill the heap's table of names."""
_ADC_RANGE_MV = ((75, 1039), (78, 1357), (107, 1877))
"""Least and greatest voltage that can be read at each attenuation but 11 dB: what lies outside reads as the end."""
_OUT_BIT, _OPEN_DRAIN_BIT = 2, 4
_PULL_DOWN, _PULL_UP = 1, 2
_NOT_THE_PROGRAMS = ("heap", "repl", "soft", "reset")
"""Requests of the launcher and the REPL, which Ctrl-C does not interrupt, and a reset, which waits for no answer."""
_RTC_MEMORY_MAX = 2048
_EPOCH = datetime.datetime(2000, 1, 1)


class Chip:
    """One chip. `ms()`: monotonic milliseconds, any origin. `on_pin(gpio, level or None)`: a driven level changed.

    `on_edges(gpio, count)`: that many edges came to a pin that has a handler for them.
    `dns`: the name server that DHCP hands out. `listen(port)`: the port on which the host listens in place
    of one of the access point's; `nowhere(stream)`: one where packets
    vanish. `wdt_due_ms`: when the watchdog bites, None while it is not armed.
    `ended`: the reset cause the program asked for, None while it runs. `ctrl_c`: set by who types it; it reaches the
    program at its next request, in whose place it stands. `at_repl`: main.py is over; `at_prompt`: and nothing typed
    there runs either. `raw_repl`: the mode in which the next run's REPL begins. `memory`: who answers about that.
    `board`: which chip it is. `panicked`: why the silicon gave up, "" while it has not; `ended` is set then, too.
    """

    def __init__(
        self,
        plant: Plant,
        ms: Callable[[], float],
        on_pin: Callable[[int, int | None], None],
        networks: dict[str, str] | None = None,
        dns: str = "127.0.0.1",
        unique_id: bytes = UNIQUE_ID,
        memory: ChipMemory | None = None,
        board: Board | None = None,
    ) -> None:
        self.board = board or boards.chips()[boards.CLASSIC]
        self._input_only, self._adc2 = self.board.gpios("input_only"), self.board.gpios("adc2")
        self._range_mv = (*_ADC_RANGE_MV, self.board.span_mv("adc_reads_mv"))
        self.plant = plant
        self.radio = Radio(networks)
        self.access_point = AccessPoint()
        self.lan = Lan(self.board.kit.lan if self.board.kit else "")
        self.listen: Callable[[int], int] = lambda port: port
        self.nowhere: Callable[[bool], int] = lambda stream: 9
        self.on_edges: Callable[[int, int], None] = lambda gpio, count: None
        self.nvs: dict[str, str] = {}
        self.reset_cause = PWRON_RESET
        self.wdt_due_ms: float | None = None
        self.ended: int | None = None
        self.memory = memory or ChipMemory(Memory(), ms)
        self._ms = ms
        self._on_pin = on_pin
        self._dns = dns
        self._unique_id = unique_id
        self._modes: dict[int, int] = {}
        self._latches: dict[int, int] = {}
        self._pulls: dict[int, int | None] = {}
        self._driven: dict[int, int] = {}
        self.reset(PWRON_RESET)

    def reset(self, cause: int) -> None:
        """Start anew. A soft reset leaves the hardware as it is; any other releases pins, radio and watchdog; only
        a power-on also forgets the RTC's time and memory."""
        self.reset_cause = cause
        self.ended = None
        self.panicked = ""
        self.memory.reset(soft=cause == SOFT_RESET)
        self.at_repl = self.at_prompt = False
        self.ctrl_c = False
        if cause == SOFT_RESET:
            return
        self.raw_repl = False
        self.release()
        self.radio.off()
        self.access_point.off()
        self.lan.off()
        self._hostname = "mpy-esp32"
        self._power_save = 1
        self._country = "XX"
        self._fixed: str | None = None
        self._wdt_ms = 0
        self.wdt_due_ms = None
        if cause == PWRON_RESET:
            self._rtc_memory = b""
            self._rtc_offset = datetime.timedelta(milliseconds=-self._ms())

    def release(self) -> None:
        """Every pin back to input, as in reset and without power."""
        for gpio in list(self._driven):
            self._drive(gpio, None)
        self.plant.listeners.clear()
        self.plant.duties.clear()
        self._modes.clear()
        self._latches.clear()
        self._pulls.clear()

    def levels(self) -> dict[int, int]:
        """gpio -> level of the pins that are driven, as the plant holds them."""
        return {gpio: self.plant.level(gpio) for gpio in sorted(self._driven)}

    def answer(self, line: str) -> str | None:
        """One request line of the shims -> one reply line, or None when the program ends here."""
        if self.ctrl_c and not line.startswith(_NOT_THE_PROGRAMS):
            self.ctrl_c = False
            return "!K"
        op, *words = line.split()
        try:
            ours = getattr(self, f"_do_{op}", None)
            value = ours(*words) if ours else self.memory.answer(op, *words)
        except Refused as error:
            return f"!{error.kind} {error}"
        return None if self.ended else f"={'' if value is None else value}"

    # Pins

    def _gpio(self, word: str) -> int:
        gpio = int(word) if word.isdigit() else -1
        if gpio not in self.board.gpios("pins"):
            raise Refused("V", "invalid pin")
        if gpio in self.board.gpios("flash"):
            raise Refused("V", "pin belongs to the flash chip")
        return gpio

    def _driver_of(self, gpio: int) -> None:
        """Refuse to drive what may not be driven."""
        if gpio in self._input_only:
            raise Refused("V", "pin can only be input")
        if self.board.kit and gpio in self.board.kit.taken:
            raise Refused("V", "pin belongs to a chip of the kit")

    def _do_pin(self, pin: str, mode: str, pull: str, value: str) -> None:
        gpio = self._gpio(pin)
        if value != "-1":
            self._latches[gpio] = int(value)
        if mode != "None":
            if int(mode) & _OUT_BIT:
                self._driver_of(gpio)
            self._modes[gpio] = int(mode)
        if pull != "-1" and gpio not in self._input_only:
            bits = 0 if pull == "None" else int(pull)
            self._pulls[gpio] = 1 if bits & _PULL_UP else 0 if bits & _PULL_DOWN else None
        self._refresh(gpio)

    def _do_set(self, pin: str, value: str) -> None:
        gpio = self._gpio(pin)
        self._latches[gpio] = int(value)
        self._refresh(gpio)

    def _do_get(self, pin: str) -> int:
        gpio = self._gpio(pin)
        return self.plant.level(gpio, self._pulls.get(gpio))

    def _refresh(self, gpio: int) -> None:
        mode, level = self._modes.get(gpio, 0), self._latches.get(gpio, 0)
        released = not mode & _OUT_BIT or (mode & _OPEN_DRAIN_BIT and level)
        self._drive(gpio, None if released else level)

    def _drive(self, gpio: int, level: int | None) -> None:
        before = self._driven.pop(gpio, None)
        if level is not None:
            self._driven[gpio] = level
        self.plant.drive(gpio, level)
        if level != before:
            self._on_pin(gpio, level)

    # ADC

    def _do_adc(self, gpio: str) -> None:
        if self._gpio(gpio) not in self.board.gpios("analog") | self._adc2:
            raise Refused("V", "invalid pin")

    def _do_uv(self, gpio: str, atten: str) -> int:
        self._do_adc(gpio)
        if self.radio.active and int(gpio) in self._adc2:
            raise Refused("E", "116 ESP_ERR_TIMEOUT")
        least_mv, most_mv = self._range_mv[int(atten)]
        return 1000 * min(max(round(self.plant.microvolts(int(gpio)) / 1000), least_mv), most_mv)

    def _do_raw(self, gpio: str, atten: str) -> int:
        least_mv, most_mv = self._range_mv[int(atten)]
        return round((self._do_uv(gpio, atten) / 1000 - least_mv) * 4095 / (most_mv - least_mv))

    # Sensors with a protocol of their own

    def _do_dht(self, pin: str) -> str:
        frame = self.plant.asked("dht", self._gpio(pin))
        if frame is None:
            raise Refused("E", "116 ETIMEDOUT")
        return frame.hex()

    def _do_i2c(self, sda: str, scl: str) -> None:
        """A bus in software at these pins, which it drives by turns."""
        for pin in (sda, scl):
            self._driver_of(self._gpio(pin))

    def _do_i2c_write(self, sda: str, scl: str, address: str, data: str = ".") -> int:
        asked = binascii.unhexlify(data[1:])
        found = self.plant.i2c(int(sda), int(scl), int(address), asked, self._ms())
        if found is None:
            raise Refused("E", "19 ENODEV")
        return int(found)

    def _do_i2c_read(self, sda: str, scl: str, address: str, count: str) -> str:
        found = self.plant.i2c(int(sda), int(scl), int(address), int(count), self._ms())
        if found is None:
            raise Refused("E", "19 ENODEV")
        return bytes(found).hex()

    def _do_pwm(self, pin: str, frequency: str, duty: str) -> int:
        gpio = self._gpio(pin)
        self._driver_of(gpio)
        if duty != "-1" and gpio not in self.plant.dead:
            self.plant.duties[gpio] = int(duty) / 655.35
        return round(self.plant.duties.get(gpio, 0) * 655.35)

    def _do_irq(self, pin: str, trigger: str) -> None:
        gpio = self._gpio(pin)
        self.plant.listeners[gpio] = lambda pulses: self.on_edges(gpio, pulses)

    def _do_wire(self, pin: str, op: str, value: str) -> int:
        found = self.plant.asked("one_wire", self._gpio(pin), op, int(value), self._ms())
        return found if found is not None else 0xFF if op == "read" else 0

    # Watchdog, resets, identity

    def _do_wdt(self, timeout_ms: str) -> None:
        if int(timeout_ms) <= 0:
            raise Refused("V", "WDT timeout too short")
        self._wdt_ms = int(timeout_ms)
        self._do_feed()

    def _do_feed(self) -> None:
        self.wdt_due_ms = self._ms() + self._wdt_ms

    def _do_reset(self) -> None:
        self.ended = HARD_RESET

    def _do_soft(self, raw: str = "0") -> None:
        self.raw_repl = raw == "1"
        self.ended = SOFT_RESET

    def _do_repl(self, waits: str) -> None:
        self.at_repl = True
        self.at_prompt = waits == "1"
        self.ctrl_c = False

    def _do_constant(self, module: str, name: str) -> int:
        if name not in _CONSTANTS[module]:
            raise Refused("A", name)
        return _CONSTANTS[module][name]

    def _do_machine(self) -> str:
        """As a generic image calls board and chip."""
        return f"Generic {self.board.name} module with {self.board.name}"

    def _do_cause(self) -> int:
        return self.reset_cause

    def _do_uid(self) -> str:
        return self._unique_id.hex()

    # Real-time clock

    def _do_rtc(self, *fields: str) -> str | None:
        now = _EPOCH + datetime.timedelta(milliseconds=self._ms())
        if fields:
            year, month, day, _weekday, hour, minute, second, micros = map(int, fields)
            self._rtc_offset = datetime.datetime(year, month, day, hour, minute, second, micros) - now
            return None
        t = now + self._rtc_offset
        return f"{t.year} {t.month} {t.day} {t.weekday()} {t.hour} {t.minute} {t.second} {t.microsecond}"

    def _do_mem(self, data: str | None = None) -> str | None:
        if data is None:
            return self._rtc_memory.hex()
        if len(data) // 2 > _RTC_MEMORY_MAX:
            raise Refused("V", "buffer too long")
        self._rtc_memory = binascii.unhexlify(data[1:])
        return None

    # Wi-Fi

    def _do_active(self, on: str | None = None) -> int:
        if on is not None:
            self._power(on == "1", "wifi")
            self.radio.set_active(on == "1", self._ms())
        return int(self.radio.active)

    def _power(self, on: bool, name: str) -> None:
        try:
            if not self.memory.radio(on, name):
                self.panicked = "Wi-Fi was started before the stack of a thread that ended was back"
                self.ended = HARD_RESET
        except NoRoomError:
            raise Refused("R", "Wifi Unknown Error 0x0101") from None

    def _do_socket(self, fd: str) -> object:
        """A socket is asked for. Who has lost the network has no way to anybody; a program that never had one has the
        host's, for whoever tries something else than Wi-Fi."""
        interface = self.lan if self.lan.there else self.radio
        if not interface.connected(self._ms()) and interface.lost and not self.access_point.active:
            return "down"
        return self.memory.answer("socket", fd)

    def _do_connect(self, ssid: str, password: str, bssid: str = ".") -> None:
        self.radio.connect(_text(ssid), _text(password), self._ms(), binascii.unhexlify(bssid[1:]) or None)

    def _do_scan(self) -> str:
        found = self.radio.scan(self._ms())
        return " ".join(
            f".{ssid.encode().hex()} .{bssid.hex()} {channel} {dbm} {security}"
            for ssid, bssid, channel, dbm, security, _ in found
        )

    def _do_zombie(self) -> int:
        """Whether packets vanish although the station is joined, or the cable is in."""
        if self.lan.dead and self.lan.connected(self._ms()):
            return 1
        return int(bool(self.radio.zombie) and self.radio.connected(self._ms()))

    def _do_country(self, code: str | None = None) -> str | None:
        if code is None:
            return self._country
        self._country = _text(code)
        return None

    def _do_disconnect(self) -> None:
        self.radio.disconnect(self._ms())

    def _do_connected(self) -> int:
        return int(self.radio.connected(self._ms()))

    def _do_status(self) -> int:
        return self.radio.status(self._ms())

    def _do_rssi(self) -> int:
        if not self.radio.connected(self._ms()):
            raise Refused("O", "Wifi Not Connected")
        return self.radio.joined.dbm if self.radio.joined else -57

    def _do_ifconfig(self, *fixed: str) -> str | None:
        return self._addressed(self.radio.connected(self._ms()), *fixed)

    def _addressed(self, connected: bool, *fixed: str) -> str | None:
        """`ifconfig` of the one interface that is in use."""
        if fixed == ("dhcp",):
            if self._fixed is None:
                raise Refused("R", "Wifi Unknown Error 0x5004")
            self._fixed = None
            return None
        if fixed:
            self._fixed = " ".join(fixed)
            return None
        if not connected:
            return "0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0"
        if self._fixed:
            return self._fixed
        return f"192.168.4.20 255.255.255.0 192.168.4.1 {self._dns}"

    # LAN

    def _do_lan(self, *arguments: str) -> int:
        """Construct it; without arguments whether it is constructed already."""
        if arguments:
            if self.board.chip != boards.CLASSIC:
                raise Refused("O", "esp_eth_driver_install failed with invalid argument")
            self.lan.construct(*map(int, arguments))
            try:
                self.memory.ethernet()
            except NoRoomError:
                self.lan.there = False
                raise Refused("O", "esp_eth_driver_install failed with no memory for driver") from None
        return int(self.lan.there)

    def _do_lan_active(self, on: str | None = None) -> int:
        if on is not None:
            self.lan.set_active(on == "1", self._ms())
        return int(self.lan.active)

    def _do_lan_connected(self) -> int:
        return int(self.lan.connected(self._ms()))

    def _do_lan_status(self) -> int:
        return self.lan.status(self._ms())

    def _do_lan_ifconfig(self, *fixed: str) -> str | None:
        found = self._addressed(self.lan.connected(self._ms()), *fixed)
        self.lan.fixed = self._fixed is not None
        return found

    def _do_config(self, name: str, value: str | None = None) -> object:
        owner, attribute = {
            "reconnects": (self.radio, "reconnects"),
            "pm": (self, "_power_save"),
            "hostname": (self, "_hostname"),
            "ssid": (self.radio, "ssid"),
        }.get(name, (None, ""))
        if owner is None or (name == "ssid" and value is not None):
            raise Refused("V", "unknown config param")
        if value is None:
            return getattr(owner, attribute)
        setattr(owner, attribute, _text(value) if name == "hostname" else int(value))
        return None

    def _do_ap_active(self, on: str | None = None) -> int:
        if on is not None:
            self._power(on == "1", "ap")
            self.access_point.set_active(on == "1")
        return int(self.access_point.active)

    def _do_ap_connected(self) -> int:
        return int(self.access_point.stations > 0)

    def _do_ap_ifconfig(self) -> str:
        return "192.168.4.1 255.255.255.0 192.168.4.1 0.0.0.0"

    def _do_ap_config(self, *words: str) -> object:
        settings = self.access_point.settings
        names, values = words[::2], words[1::2]
        if not settings.keys() >= set(names) or (not values and names[0] == "key"):
            raise Refused("V", "unknown config param")
        if not values:
            return settings[names[0]]
        texts = [_text(value) if value[0] == "." else int(value) for value in values]
        self.access_point.configure(dict(zip(names, texts, strict=True)))
        return None

    def _do_nowhere(self, stream: str) -> int:
        return self.nowhere(stream == "1")

    def _do_listen(self, port: str) -> int:
        return self.listen(int(port))

    # Non-volatile storage

    def _do_nvs(self, key: str, value: str | None = None) -> str:
        if value is not None:
            self.nvs[key] = value
        elif key not in self.nvs:
            raise Refused("E", "-4354 ESP_ERR_NVS_NOT_FOUND")
        return self.nvs[key]


def _text(word: str) -> str:
    """Texts travel as hex with a dot in front, so that empty ones and blanks survive."""
    return binascii.unhexlify(word[1:]).decode()
