"""The drivers on a chip that refuses what the real one refuses."""

import sys

from firmware.core.errors import DriverError
from tests_host.support import fakemachine
from tests_host.support.raising import raised
from tests_host.support.sampling import Ticks, run


def board():
    chip = fakemachine.install()
    from firmware.drivers.board import Board

    return chip, Board()


def wifi():
    chip = fakemachine.install()
    chip.networks["bench"] = "test-secret-not-real"
    from firmware.drivers.board import Board
    from firmware.drivers.wifi_control import WifiControl

    w = Board().interface("Wi-Fi", "realer-device", 0, None)
    return chip, w, WifiControl(w, Heap())


class Heap:
    free = 40000

    def heap(self):
        return 60000, self.free


class Threads:
    """`_thread` whose threads are over at once; `stacks`: the sizes that were asked for."""

    def __init__(self):
        self.stacks = []
        self.full = False

    def stack_size(self, size=0):
        self.stacks.append(size)

    def start_new_thread(self, function, args):
        if self.full:
            raise OSError("can't create thread")
        function(*args)


def looked(control, threads):
    before = sys.modules.get("_thread")
    sys.modules["_thread"] = threads
    try:
        control.look()
    finally:
        del sys.modules["_thread"]
        if before:
            sys.modules["_thread"] = before
    return control.found


def refused(call, *args):
    """The text of the DriverError that `call` raises."""
    return str(raised(DriverError, call, *args))


def test_outputs_start_at_their_level_without_a_glitch():
    for active_high in (True, False):
        for on in (True, False):
            chip, b = board()
            out = b.output(16, active_high, on)
            assert chip.history == [(16, 1 if on == active_high else 0)]
            assert out.get() is on
            out.set(not on)
            assert out.get() is not on and chip.levels[16] == (0 if on == active_high else 1)
            out.set(on)
            assert out.get() is on


def test_a_pin_that_does_not_follow_is_a_fault():
    chip, b = board()
    out = b.output(16, True, False)
    chip.stuck[16] = 0
    assert "GPIO 16" in refused(out.set, True)
    assert out.get() is False
    chip.stuck[16] = 1
    assert "off" in refused(out.set, False)
    assert out.get() is True
    assert b.output(16, True, False).get() is True, "one bad pin must not keep the device from starting"
    chip.stuck.clear()
    out.set(True)
    assert out.get() is True


def test_invalid_pins_are_driver_errors():
    _, b = board()
    for gpio in (34, 39, 20, 24, 40):
        assert "GPIO %d" % gpio in refused(b.output, gpio, True, False)
    refused(b.led, 35, True)
    refused(b.button, 31, True, "up")
    refused(b.adc, 16)
    refused(b.adc, 28)


def test_buttons():
    chip, b = board()
    up = b.button(27, True, "up")
    down = b.button(26, False, "down")
    bare = b.button(34, True, "none")
    assert (chip.pulls[27], chip.pulls[26], chip.pulls[34]) == (2, 1, None)
    assert not up.active() and not down.active() and bare.active()
    chip.levels.update({27: 0, 26: 1, 34: 1})
    assert up.active() and down.active() and not bare.active()


def test_the_led_is_off_at_first():
    chip, b = board()
    led = b.led(2, False)
    assert chip.levels[2] == 1
    led.set(True)
    assert chip.levels[2] == 0


def test_adc2_cannot_be_read_while_wifi_is_on():
    chip, b = board()
    chip.uv.update({14: 1500000, 34: 1600000})
    one, two = b.adc(34), b.adc(14)
    assert (one.read_uv(), two.read_uv()) == (1600000, 1500000)
    chip.wifi_on = True
    assert one.read_uv() == 1600000
    assert "GPIO 14" in refused(two.read_uv)


def test_the_adc_uses_its_widest_range():
    chip, b = board()
    chip.uv[34] = 2900000
    assert b.adc(34).read_uv() == 2900000


def test_the_watchdog():
    chip, b = board()
    dog = b.watchdog(60000)
    dog.feed()
    assert (chip.watchdog_ms, chip.fed) == (60000, 1)
    refused(b.watchdog, 0)


def test_reset_and_its_cause():
    chip, b = board()
    words = []
    for cause in range(7):
        chip.cause = cause
        words.append(b.reset_cause())
    assert words == ["unknown", "power_on", "hard", "watchdog", "deep_sleep", "soft", "unknown"]
    b.reset()
    assert chip.resets == 1


# Unix seconds and the calendar, as `date -u -d @N` prints them; Monday is 0.
CALENDAR = (
    (946684800, (2000, 1, 1, 5, 0, 0, 0)),
    (951782399, (2000, 2, 28, 0, 23, 59, 59)),
    (951782400, (2000, 2, 29, 1, 0, 0, 0)),
    (1709251199, (2024, 2, 29, 3, 23, 59, 59)),
    (1709251200, (2024, 3, 1, 4, 0, 0, 0)),
    (1777025700, (2026, 4, 24, 4, 10, 15, 0)),
    (2147483648, (2038, 1, 19, 1, 3, 14, 8)),
    (4107542400, (2100, 3, 1, 0, 0, 0, 0)),
)


def test_the_clock_counts_from_1970_whatever_the_port_does():
    chip, b = board()
    assert b.rtc_get() == 946684800
    for unix_s, calendar in CALENDAR:
        b.rtc_set(unix_s)
        assert chip.datetime == calendar + (0,)
        assert b.rtc_get() == unix_s
    chip.datetime = (2026, 4, 24, 4, 10, 15, 0, 999999)
    assert b.rtc_get() == 1777025700


def test_random_bits():
    _, b = board()
    values = [b.random32() for _ in range(64)]
    assert min(values) >= 0 and max(values) < 1 << 32
    assert max(values) >= 1 << 30 and len(set(values)) > 60


def test_wifi_does_not_reconnect_by_itself():
    chip, w, control = wifi()
    control.start()
    assert chip.wifi_on and chip.hostname == "realer-device"
    assert chip.reconnects == 0
    assert not w.connected() and w.dns() == []
    control.connect("bench", "test-secret-not-real")
    assert w.connected() and control.status() == "connected"
    assert (w.address(0), w.dns()) == ("192.168.1.57", ["192.168.1.1"])
    control.connect("other", "test-secret-not-real")
    assert chip.link == "bench"
    control.disconnect()
    assert not w.connected() and control.status() == "idle"


def test_wifi_status_names_the_reason():
    chip, w, control = wifi()
    control.start()
    control.connect("elsewhere", "test-secret-not-real")
    assert control.status() == "no such network"
    control.connect("bench", "another-secret-not-real")
    assert control.status() == "wrong password"
    chip.networks["open"] = None
    control.connect("open", "")
    assert w.connected()
    chip.reason = 77
    assert control.status() == "reason 77"


def test_wifi_faults_are_driver_errors_without_the_password():
    chip, w, control = wifi()
    control.start()
    chip.wifi_broken = RuntimeError("Wifi Unknown Error 0x300f")
    assert "0x300f" in refused(control.connect, "bench", "test-secret-not-real")
    chip.wifi_broken = OSError("Wifi Internal Error")
    text = refused(control.connect, "bench", "test-secret-not-real")
    assert "Wifi Internal Error" in text and "secret" not in text
    control.restart()
    assert chip.wifi_on and chip.reconnects == 0
    control.connect("bench", "test-secret-not-real")
    assert w.connected()


def test_wifi_is_broken_until_it_could_be_switched_on():
    chip, w, control = wifi()
    chip.wifi_dead = OSError("WiFi Out of Memory")
    for start in (control.start, control.start):
        assert "WiFi Out of Memory" in refused(start) and w.broken
    chip.wifi_dead = None
    control.start()
    assert not w.broken
    chip.wifi_dead = OSError("WiFi Out of Memory")
    refused(control.restart)
    assert w.broken


def test_a_hostname_that_is_too_long_is_a_driver_error():
    fakemachine.install()
    from firmware.drivers.interface import Interface
    from firmware.drivers.wifi_control import WifiControl

    refused(WifiControl(Interface("Wi-Fi", "x" * 33, 0, None), Heap()).start)


def test_a_scan_does_not_block_the_loop():
    chip, _, control = wifi()
    control.start()
    chip.air = [(b"bench", b"abcdef", 6, -40, 3, False)]
    threads = Threads()
    assert looked(control, threads) == chip.air
    assert 4096 <= threads.stacks[0] <= 8192 and threads.stacks[-1] == 0, (
        "of its own and not what heap.py set"
    )


def test_a_scan_that_cannot_start_finds_nothing():
    chip, _, control = wifi()
    control.start()
    assert looked(control, Threads()) == (), "the radio refuses"
    chip.air = [(b"bench", b"abcdef", 6, -40, 3, False)]
    threads = Threads()
    threads.full = True
    assert looked(control, threads) == () and threads.stacks[-1] == 0
    control.board = Heap()
    control.board.free = 9000
    assert looked(control, Threads()) == (), "no room for what it may find"


def test_wifi_has_the_configured_power_save_and_country():
    chip, w, control = wifi()
    control.start()
    assert chip.pm == 0 and chip.country == "XX"
    w.settings = "realer-device", 2, "DE"
    control.restart()
    assert chip.pm == 2 and chip.country == "DE" and chip.reconnects == 0


def test_the_access_point_can_be_chosen():
    chip, w, control = wifi()
    control.start()
    control.connect("bench", "test-secret-not-real", b"abcdef")
    assert w.connected() and chip.bssid == b"abcdef"


def test_a_fixed_address_and_back():
    chip, w, control = wifi()
    control.start()
    fixed = "10.0.0.5", "255.255.0.0", "10.0.0.1", "9.9.9.9"
    control.set_address(None)
    assert chip.fixed is None
    control.set_address(fixed)
    control.connect("bench", "test-secret-not-real")
    assert (w.address(0), w.dns(), w.address(2)) == ("10.0.0.5", ["9.9.9.9"], "10.0.0.1")
    control.set_address(None)
    assert w.address(0) == "192.168.1.57"


def lan(phy="LAN8720:1:23:18:16:0:in", fixed=None):
    chip = fakemachine.install()
    from firmware.drivers.board import Board
    from firmware.drivers.lan_control import LanControl

    interface = Board().interface("LAN", "realer-device", phy, fixed)
    return chip, interface, LanControl(interface, None)


def test_a_lan_is_constructed_as_the_kit_is_wired():
    for phy, expected in (
        ("LAN8720:1:23:18:16:0:in", (1, 1, [23, 18, 16, 0], 1)),
        ("LAN8720:0:23:18:12:17:out", (1, 0, [23, 18, 12, 17], 3)),
    ):
        chip, interface, control = lan(phy)
        assert not interface.connected()
        control.start()
        assert chip.lan == expected and chip.hostname == "realer-device" and chip.lan_on
        assert not interface.connected() and "cable" in control.status()
        chip.lan_status = 3
        assert "DHCP" in control.status()
        chip.lan_status = 5
        assert interface.connected() and interface.address(0) == "192.168.1.58"
        assert interface.dns() == ["192.168.1.1"]
        control.restart()
        assert chip.lan_on and not interface.connected()


def test_a_lan_with_a_fixed_address_does_not_ask_for_one():
    fixed = "10.0.0.5", "255.0.0.0", "10.0.0.1", "10.0.0.1"
    chip, interface, control = lan(fixed=fixed)
    control.start()
    chip.lan_status = 5
    assert interface.address(0) == "10.0.0.5"
    control.restart()
    assert chip.fixed == fixed


def test_a_lan_whose_chip_does_not_answer_is_broken_until_a_reset():
    chip, interface, control = lan()
    chip.lan_broken = OSError("esp_eth_driver_install failed")
    assert "LAN: esp_eth_driver_install failed" in refused(control.start)
    assert interface.broken and not interface.connected() and control.status() == "its chip does not answer"


def test_an_image_without_a_lan_says_so():
    _, interface, control = lan()
    sys.modules["network"].LAN = None
    assert "ESP32_GENERIC" in refused(control.start) and interface.broken


def test_notes_are_readable_after_a_reset():
    chip, b = board()
    assert not any(b.noted())
    b.note("first")
    b.note("sécond")
    assert b.noted() == ["first", "sécond"]
    for number in range(100):
        b.note("line %d, with an ö" % number)
    noted = b.noted()
    assert noted[-1] == "line 99, with an ö" and 8 < len(noted) < 40
    for number, line in enumerate(noted):
        assert line == "line %d, with an ö" % (100 - len(noted) + number)
    assert len(chip.rtc_memory) <= 250
    for garbage in (b"\xff\n\xff\xfe", b"\xff" * 90):
        chip.rtc_memory = garbage
        b.noted()
        b.note("after")
        assert chip.rtc_memory.endswith(b"\nafter")


def access_point(name="bench"):
    chip = fakemachine.install()
    from firmware.drivers.access_point import AccessPoint

    return chip, AccessPoint(name)


def test_the_access_point_is_never_open():
    chip, point = access_point()
    point.start("test-secret-not-real")
    assert chip.on_air == [("bench-00ff", 3)] and chip.ap_on
    point.stop()
    point.stop()
    assert not chip.ap_on
    for forced in (0, 2):
        chip, point = access_point()
        chip.forced_security = forced
        assert "WPA2" in refused(point.start, "test-secret-not-real")
        point.stop()
        assert not chip.ap_on


def test_a_password_that_is_too_short_keeps_the_access_point_off():
    chip, point = access_point()
    assert "short" not in refused(point.start, "short")
    assert chip.on_air == [] and not chip.ap_on


def test_the_name_of_the_access_point_fits():
    for name, ssid in (("x" * 40, "x" * 27 + "-00ff"), ("ü" * 32, "ü" * 13 + "-00ff"), ("", "-00ff")):
        _, point = access_point(name)
        assert point.ssid == ssid


def test_reports_whether_a_client_is_connected():
    chip, point = access_point()
    point.start("test-secret-not-real")
    assert not point.has_clients()
    chip.stations = 1
    assert point.has_clients()


def test_a_dht_that_is_silent_or_garbled_is_a_driver_error():
    chip, b = board()
    dht = b.bus("dht", 4)
    for frame, words in ((b"", "116"), (b"\x02\x8c\x01\x5f\xef", "checksum")):
        chip.frame = frame
        found = refused(dht.read)
        assert "GPIO 4" in found and words in found
    chip.frame = b"\x02\x8c\x01\x5f\xee"
    assert dht.read() == chip.frame


def test_a_garbled_frame_of_a_dht_is_read_again_after_a_rest():
    chip, b = board()
    dht, clock = b.bus("dht", 4), Ticks()
    chip.frame = b"\x02\x8c\x01\x5f\xee"
    assert run(dht.measured(clock, 2000)) == chip.frame and clock.slept == []
    chip.frames = [b"\x02\x8c\x01\x5f\xef"]
    assert run(dht.measured(clock, 2000)) == chip.frame and clock.slept == [2000]
    chip.frame = b""
    assert "116" in refused(run, dht.measured(clock, 2000))


def test_errors_of_an_i2c_bus_are_explained():
    chip, b = board()
    bus = b.bus("i2c", 21, 22)
    assert bus == b.bus("i2c", 21, 22) and bus != b.bus("i2c", 21, 23) and bus.bus.gpios == (21, 22)
    chip.on_bus[0x44] = b"\x01\x02"
    bus.write(0x44, b"\x24\x00")
    assert bus.read(0x44, 2) == b"\x01\x02"
    assert "I2C 0x45: nothing answers" in refused(bus.read, 0x45, 2)
    assert "not acknowledged" in refused(bus.write, 0x44, b"\x01\x02\x03")
    chip.on_bus[0x44] = OSError(116)
    assert "held low" in refused(bus.write, 0x44, b"\x01")
    chip.on_bus[0x44] = OSError(5)
    assert "5" in refused(bus.read, 0x44, 1)
    assert "GPIO 6" not in refused(b.bus, "i2c", 24, 22)


def test_a_dimmer_that_is_on_is_at_its_most():
    for most in (60.0, 100.0):
        chip, b = board()
        dimmer = b.bus("pwm_pin", 2, True, 1000, most, True)
        assert chip.duties == {2: round(most * 65535 / 100)}
        dimmer.set(20.0)
        dimmer.set(True)
        assert chip.duties == {2: round(most * 65535 / 100)}


def test_a_dimmer_without_a_channel_is_a_fault_and_stops_no_start():
    chip, b = board()
    chip.channels = 2
    dimmers = [b.bus("pwm_pin", gpio, gpio != 4, 1000, 60.0, gpio == 2) for gpio in (2, 4, 5)]
    assert chip.duties == {2: 39321, 4: 65535}
    for percent, duty in ((50.0, 32768), (0.0, 0), (100.0, 65535), (True, 39321), (False, 0)):
        for dimmer in dimmers[:2]:
            dimmer.set(percent)
        assert chip.duties == {2: duty, 4: 65535 - duty}
        assert "GPIO 5: out of PWM channels:2" in refused(dimmers[2].set, percent)
    chip.channels = 3
    dimmers[2].set(100.0)
    assert chip.duties[5] == 65535


def test_bounces_are_no_pulses():
    chip, b = board()
    now = [0]
    for debounce_ms, expected in ((0, 6), (20, 2)):
        pulses = b.bus("pulses", 27, "up", False, debounce_ms, lambda: now[0])
        handler, trigger = chip.handlers[27]
        assert trigger == 2 and chip.pulls[27] == 2 and pulses.count == 0
        for now[0] in (1000, 1003, 1015, 1030, 2000, 2019):
            handler(None)
        assert (pulses.count, pulses.last) == (expected, 2019 if debounce_ms == 0 else 2000)
        for hours in range(1, 24 * 12, 3):  # the counter wraps after 12.4 days
            now[0] = (pulses.edge + hours * 3600000) % 0x40000000
            handler(None)
            expected += 1
            assert (pulses.count, pulses.last) == (expected, now[0]), hours
