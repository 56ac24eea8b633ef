"""The simulated ESP32 and its radio, by the lines the shims send: where a real chip would bite, this one does."""

import pytest

from tools import boards
from tools.virtual_board.chip import HARD_RESET, PWRON_RESET, SOFT_RESET, WDT_RESET, Chip
from tools.virtual_board.plant import Plant
from tools.virtual_board.radio import Point

OUT, IN, OPEN_DRAIN = 3, 1, 7


class Bench:
    """A chip with a clock that moves by hand, and the pin changes it made."""

    def __init__(self, **settings):
        self.now_ms = 1000
        self.pins = []
        self.plant = Plant()
        self.chip = Chip(
            self.plant, lambda: self.now_ms, lambda *change: self.pins.append(change), **settings
        )

    def __call__(self, line):
        return self.chip.answer(line)

    def join(self, ssid=".686f6d65", password=".7077"):  # "home", "pw"
        self("active 1")
        return self(f"connect {ssid} {password}")


@pytest.mark.parametrize("gpio", range(6, 12))
def test_flash_pins_are_refused(gpio):
    assert Bench()(f"pin {gpio} {OUT} -1 1") == "!V pin belongs to the flash chip"


def test_ctrl_c_does_not_take_the_place_of_a_reset():
    """The program waits for no answer to it. Found by deploys to a board that crashed again and again: it hung."""
    bench = Bench()
    bench.chip.ctrl_c = True
    assert bench("reset") is None and bench.chip.ended == HARD_RESET


@pytest.mark.parametrize("gpio", ["24", "28", "31", "40", "-1", "None", "6.0", "x"])
def test_pins_that_do_not_exist_are_refused(gpio):
    assert Bench()(f"pin {gpio} {IN} -1 -1") == "!V invalid pin"


@pytest.mark.parametrize("gpio", range(34, 40))
def test_input_only_pins_refuse_output_and_have_no_pulls(gpio):
    bench = Bench()
    assert bench(f"pin {gpio} {OUT} -1 1") == "!V pin can only be input"
    assert bench(f"pin {gpio} {IN} 2 -1") == "="
    assert bench(f"get {gpio}") == "=0"
    assert bench.pins == []


@pytest.mark.parametrize(
    ("chip", "absent", "flash", "adc1", "adc2", "none"),
    [
        ("esp32c3", 18, 11, 0, 5, 6),
        ("esp32c6", 12, None, 6, None, 7),
        ("esp32s2", 26, None, 10, 11, 21),
        ("esp32s3", 19, None, 1, 15, 38),
    ],
)
def test_each_chip_has_its_own_pins(chip, absent, flash, adc1, adc2, none):
    bench = Bench(board=boards.chips()[chip])
    assert bench(f"pin {absent} {IN} -1 -1") == "!V invalid pin"
    assert flash is None or bench(f"pin {flash} {IN} -1 -1") == "!V pin belongs to the flash chip"
    assert bench(f"adc {adc1}") == "=" and bench(f"adc {none}") == "!V invalid pin"
    bench("active 1")
    assert adc2 is None or bench(f"uv {adc2} 3").startswith("!E 116")
    assert bench("machine") == f"=Generic {boards.chips()[chip].name} module with {boards.chips()[chip].name}"


def test_the_adc_of_a_chip_reads_as_its_end_what_lies_outside():
    bench = Bench(board=boards.chips()["esp32c3"])
    bench.plant.wiring = {"ntc": {**bench.plant.wiring["ntc"], "gpio": 0}}
    bench.plant.break_sensor("ntc", "open")
    assert bench("uv 0 3") == "=2600000"


def test_a_value_waits_in_the_latch_until_the_pin_is_an_output():
    bench = Bench()
    bench(f"pin 17 {IN} -1 -1")
    bench("set 17 0")
    assert bench.pins == []
    bench(f"pin 17 {OUT} -1 -1")
    assert bench.pins == [(17, 0)]


def test_open_drain_only_pulls_down():
    bench = Bench()
    bench(f"pin 18 {OPEN_DRAIN} 2 1")
    assert bench("get 18") == "=1"
    assert bench.pins == []
    bench("set 18 0")
    assert bench("get 18") == "=0"


@pytest.mark.parametrize("gpio", [0, 2, 4, 12, 13, 14, 15, 25, 26, 27])
def test_adc2_cannot_be_read_while_wifi_is_on(gpio):
    bench = Bench()
    assert bench(f"adc {gpio}") == "="
    assert bench(f"uv {gpio} 3").startswith("=")
    bench("active 1")
    assert bench(f"uv {gpio} 3") == "!E 116 ESP_ERR_TIMEOUT"
    assert bench("uv 34 3").startswith("=")
    bench("active 0")
    assert bench(f"uv {gpio} 3").startswith("=")


def test_the_adc_is_blind_at_both_ends():
    bench = Bench()
    bench.plant.break_sensor("ntc", "short")
    assert bench("uv 34 3") == "=142000"
    assert bench("raw 34 3") == "=0"
    bench.plant.break_sensor("ntc", "open")
    assert bench("uv 34 3") == "=3134000"
    assert bench("raw 34 3") == "=4095"
    assert bench("uv 34 0") == "=1039000"


def test_clock_starts_in_2000_can_be_set_and_survives_all_but_power():
    bench = Bench()
    bench.now_ms += 1500
    assert bench("rtc") == "=2000 1 1 5 0 0 1 500000"
    assert bench("rtc 2026 11 21 0 6 0 0 0") == "="
    bench("mem .00ff20")
    for cause in (HARD_RESET, WDT_RESET, SOFT_RESET):
        bench.chip.reset(cause)
        bench.now_ms += 1000
    assert bench("rtc") == "=2026 11 21 5 6 0 3 0"
    assert bench("mem") == "=00ff20"
    bench.chip.reset(PWRON_RESET)
    assert bench("rtc") == "=2000 1 1 5 0 0 0 0"
    assert bench("mem") == "="


@pytest.mark.parametrize("cause", [PWRON_RESET, HARD_RESET, WDT_RESET])
def test_a_hardware_reset_releases_pins_radio_and_watchdog(cause):
    bench = Bench()
    bench(f"pin 16 {OUT} -1 1")
    bench("wdt 5000")
    bench.join()
    bench.now_ms += 1000
    assert bench("connected") == "=1"
    bench.chip.reset(cause)
    assert bench.pins[-1] == (16, None)
    assert bench.chip.levels() == {}
    assert bench.chip.wdt_due_ms is None
    assert bench("active") == "=0" and bench("connected") == "=0"
    assert bench("cause") == f"={cause}"


def test_a_soft_reset_leaves_the_hardware_alone():
    bench = Bench()
    bench(f"pin 16 {OUT} -1 1")
    bench("wdt 5000")
    bench.join()
    bench.now_ms += 1000
    bench.chip.reset(SOFT_RESET)
    assert bench.chip.levels() == {16: 1}
    assert bench.chip.wdt_due_ms == 6000
    assert bench("connected") == "=1"


def test_the_watchdog_is_pushed_back_by_feeding():
    bench = Bench()
    assert bench("wdt 0") == "!V WDT timeout too short"
    bench("wdt 3000")
    bench.now_ms += 2000
    bench("feed")
    assert bench.chip.wdt_due_ms == 6000


def test_joining_takes_a_while_and_cannot_be_asked_for_twice():
    bench = Bench(dns="127.0.0.9")
    assert bench("connect .61 .62") == "!O Wifi Not Started"
    assert bench.join() == "="
    assert bench("status") == "=1001" and bench("connected") == "=0"
    assert bench("ifconfig") == "=0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0"
    assert bench("rssi") == "!O Wifi Not Connected"
    assert bench.join() == "!O Wifi Internal State Error"
    bench.now_ms += 300
    assert bench("status") == "=1010" and bench("connected") == "=1"
    assert bench("ifconfig").endswith("127.0.0.9")
    assert bench.join() == "!O Wifi Internal Error"
    bench("disconnect")
    assert bench("status") == "=1000"


def test_a_status_outlives_the_attempt_it_belongs_to():
    bench = Bench(networks={"home": "pw"})
    bench("config reconnects 0")
    bench.join(password=".7878")
    bench.now_ms += 5000
    assert bench("status") == "=202"
    bench.join()
    assert bench("status") == "=202" and bench("connected") == "=0"
    bench.now_ms += 5000
    assert bench("status") == "=1010"
    bench("disconnect")
    bench.join()
    assert bench("status") == "=1000"
    bench.now_ms += 5000
    assert bench("status") == "=1010"
    bench("active 0")
    assert bench("connected") == "=0" and bench("status") == "=1000"


@pytest.mark.parametrize(("networks", "status"), [({"home": "other"}, 202), ({"next door": "pw"}, 201)])
def test_a_network_that_cannot_be_joined_has_a_status_and_is_retried_for_ever(networks, status):
    bench = Bench(networks=networks)
    bench.join()
    bench.now_ms += 100_000
    assert bench("status") == f"={status}"
    assert bench.join() == "!O Wifi Internal State Error"
    bench.chip.radio.networks = {"home": "pw"}
    bench.now_ms += 3000
    assert bench("connected") == "=1"


def test_without_automatic_retries_a_failure_is_final_and_a_new_try_is_allowed():
    bench = Bench(networks={"home": "other"})
    bench("active 1")
    bench("config reconnects 0")
    assert bench.join() == "="
    bench.now_ms += 10_000
    assert bench("status") == "=202"
    bench.chip.radio.networks = {"home": "pw"}
    bench.now_ms += 10_000
    assert bench("connected") == "=0"
    assert bench.join() == "="
    bench.now_ms += 300
    assert bench("connected") == "=1"


@pytest.mark.parametrize(("reconnects", "comes_back"), [("-1", "=1"), ("0", "=0"), ("2", "=0"), ("60", "=1")])
def test_a_lost_network_comes_back_by_itself_as_often_as_configured(reconnects, comes_back):
    bench = Bench()
    bench("active 1")
    bench(f"config reconnects {reconnects}")
    bench.join()
    bench.now_ms += 1000
    bench.chip.radio.set_air(False, bench.now_ms)
    assert bench("connected") == "=0"
    bench.now_ms += 30_000
    assert bench("connected") == "=0"
    bench.chip.radio.set_air(True, bench.now_ms)
    bench.now_ms += 5000
    assert bench("connected") == comes_back


def test_an_access_point_is_open_until_it_is_configured():
    bench = Bench()
    assert bench("ap_active") == "=0"
    bench("ap_active 1")
    bench("ap_active 0")
    assert bench("ap_config ssid .61 security 3 key .3132333435363738") == "="
    assert (bench("ap_config ssid"), bench("ap_config security")) == ("=a", "=3")
    bench("ap_active 1")
    assert bench.chip.access_point.seen == [("ESP_000001", 0), ("a", 3)]
    bench("ap_config security 0")
    assert bench.chip.access_point.seen[-1] == ("a", 0)
    bench.chip.reset(HARD_RESET)
    assert bench("ap_active") == "=0" and bench("ap_config security") == "=0"


@pytest.mark.parametrize("key", [".", ".31323334353637", "." + "31" * 64])
def test_an_access_point_takes_no_password_that_wpa2_has_no_place_for(key):
    bench = Bench()
    assert bench(f"ap_config security 3 ssid .61 key {key}") == "!O Wifi Invalid Password"
    assert bench("ap_config ssid") == "=ESP_000001"


HOME = ".686f6d65"


def test_of_several_access_points_of_one_name_the_first_is_joined_unless_one_is_asked_for():
    bench = Bench(networks={})
    near, far = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
    bench.chip.radio.points = [Point("home", "pw", far, -80), Point("home", "pw", near, -50)]
    bench.join()
    bench.now_ms += 400
    assert bench("connected") == "=1" and bench("rssi") == "=-80"
    bench("disconnect")
    bench(f"connect {HOME} .7077 .{near.hex()}")
    bench.now_ms += 400
    assert bench("connected") == "=1" and bench("rssi") == "=-50"


def test_a_scan_shows_every_access_point_and_no_name_of_a_hidden_one():
    bench = Bench(networks={"home": "pw"})
    bench.chip.radio.points = [Point("attic", "", b"\2\0\0\0\0\3", -70, 11, hidden=True)]
    assert bench("scan") == "!O STA must be active"
    bench("active 1")
    assert bench("scan") == f"={HOME} .020000000001 6 -57 3 . .020000000003 11 -70 0"


def test_a_hidden_network_is_joined_by_its_name():
    bench = Bench(networks={})
    bench.chip.radio.points = [Point("home", "pw", hidden=True)]
    bench.join()
    bench.now_ms += 400
    assert bench("connected") == "=1"


@pytest.mark.parametrize("ends", ["join", "interface", "reset"])
def test_a_dead_association_looks_connected_until_its_remedy(ends):
    bench = Bench()
    radio = bench.chip.radio

    def dead_after(*lines):
        for line in (*lines, f"connect {HOME} .7077"):
            bench(line)
        assert bench("zombie") == "=0", "while it joins nothing is carried anyway"
        bench.now_ms += 400
        assert bench("connected") == "=1"
        return bench("zombie") == "=1"

    assert not dead_after("active 1")
    radio.zombie = ends
    assert bench("connected") == "=1" and bench("zombie") == "=1"
    assert dead_after("disconnect") == (ends != "join")
    assert dead_after("active 0", "active 1") == (ends == "reset")
    assert (radio.joins, radio.restarts) == (3, 1)
    bench.chip.reset(HARD_RESET)
    assert not dead_after("active 1") and (radio.joins, radio.restarts) == (4, 1)


def test_a_fixed_address_takes_the_place_of_dhcp_and_back():
    bench = Bench()
    bench.join()
    bench.now_ms += 400
    assert bench("ifconfig dhcp") == "!R Wifi Unknown Error 0x5004"
    bench("ifconfig 10.0.0.5 255.0.0.0 10.0.0.1 9.9.9.9")
    assert bench("ifconfig") == "=10.0.0.5 255.0.0.0 10.0.0.1 9.9.9.9"
    assert bench("ifconfig dhcp") == "="
    assert bench("ifconfig").startswith("=192.168.4.20 ")


WIRED = "lan 1 1 1 23 18 16 -1 0"


def wired():
    return Bench(board=boards.named("wt32-eth01"))


def test_a_lan_is_up_some_time_after_it_was_switched_on():
    bench = wired()
    assert bench("lan") == "=0" and bench(WIRED) == "=1" and bench("lan") == "=1"
    assert bench("lan_connected") == "=0" and bench("lan_status") == "=0"
    bench("lan_active 1")
    assert bench("lan_status") == "=1" and bench("lan_ifconfig").startswith("=0.0.0.0")
    bench.now_ms += 1500
    assert bench("lan_status") == "=3" and bench("lan_connected") == "=0"
    bench.now_ms += 300
    assert bench("lan_connected") == "=1" and bench("lan_ifconfig").startswith("=192.168.4.20")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("lan 32 1 1 23 18 16 -1 0", "!V invalid phy address"),
        ("lan 1 9 1 23 18 16 -1 0", "!V invalid phy type"),
        ("lan 1 1 1 -1 18 16 -1 0", "!V mdc and mdio must be specified"),
        ("lan 0 1 1 23 18 16 -1 0", "!O esp_eth_driver_install failed"),
        ("lan 1 2 1 23 18 16 -1 0", "!O esp_eth_driver_install failed"),
        ("lan 1 1 3 23 18 16 -1 0", "!O esp_eth_driver_install failed"),
        ("lan 1 1 1 18 23 16 -1 0", "!O esp_eth_driver_install failed"),
        ("lan 1 1 1 23 18 -1 -1 0", "!O esp_eth_driver_install failed"),
        ("lan 1 1 1 23 18 16 5 0", "!O esp_eth_driver_install failed"),
        ("lan 1 1 1 23 18 16 -1 17", "!O esp_eth_driver_install failed"),
    ],
)
def test_a_lan_that_is_not_configured_as_the_kit_is_wired_does_not_answer(line, reply):
    bench = wired()
    assert bench(line) == reply
    again = bench(WIRED)
    assert again == ("=1" if reply[1] == "V" else "!O esp_netif_attach failed")
    bench.chip.reset(HARD_RESET)
    assert bench(WIRED) == "=1"


def test_a_chip_without_a_phy_has_no_lan():
    assert Bench()(WIRED) == "!O esp_eth_driver_install failed"
    assert Bench(board=boards.chips()["esp32c3"])(WIRED).endswith("failed with invalid argument")


def test_a_clock_that_is_not_configured_is_an_input_at_gpio_0():
    assert wired()("lan 1 1 -1 23 18 16 -1 -1") == "=1"
    assert Bench(board=boards.named("olimex-esp32-poe"))("lan 0 1 -1 23 18 12 -1 -1").startswith("!O")
    assert Bench(board=boards.named("olimex-esp32-poe"))("lan 0 1 3 23 18 12 -1 17") == "=1"


def test_a_cable_can_be_pulled_out_and_put_in_again():
    bench, links = wired(), []
    bench.chip.lan.on_link = links.append
    bench(WIRED)
    bench("lan_active 1")
    bench.now_ms += 1500
    bench("lan_status")
    bench.now_ms += 300
    assert bench("lan_connected") == "=1" and links == [True]
    bench.chip.lan.plug(False, bench.now_ms)
    assert bench("lan_status") == "=4" and bench("lan_connected") == "=0" and bench("socket 5") == "=down"
    bench.now_ms += 60000
    assert bench("lan_connected") == "=0"
    bench.chip.lan.plug(True, bench.now_ms)
    bench.now_ms += 1500
    bench("lan_status")
    bench.now_ms += 300
    assert bench("lan_connected") == "=1" and links == [True, False, True]


@pytest.mark.parametrize("ends", ["interface", "reset"])
def test_a_dead_lan_looks_connected_until_its_remedy(ends):
    bench = wired()

    def dead_after(*lines):
        for line in (*lines, "lan_active 1"):
            bench(line)
        for _ in range(2):
            bench.now_ms += 2000
            bench("lan_status")
        assert bench("lan_connected") == "=1"
        return bench("zombie") == "=1"

    assert not dead_after(WIRED)
    bench.chip.lan.dead = ends
    assert bench("zombie") == "=1"
    assert dead_after("lan_active 0") == (ends == "reset")
    bench.chip.reset(HARD_RESET)
    assert not dead_after(WIRED) and bench.chip.lan.starts == 3


@pytest.mark.parametrize("gpio", [0, 16, 18, 19, 21, 22, 23, 25, 26, 27])
def test_pins_of_the_lan_chip_may_be_named_and_not_driven(gpio):
    bench = wired()
    assert bench(f"pin {gpio} None -1 -1") == "="
    assert (
        bench(f"pin {gpio} {OUT} -1 1")
        == bench(f"pwm {gpio} 1000 5")
        == "!V pin belongs to a chip of the kit"
    )
    assert bench.pins == []


def test_the_lan_takes_memory_until_a_reset():
    bench = wired()
    free = bench.chip.memory.memory.pool.free
    bench(WIRED)
    assert free - bench.chip.memory.memory.pool.free > 20000
    bench.chip.reset(SOFT_RESET)
    assert free - bench.chip.memory.memory.pool.free > 20000
    bench.chip.reset(HARD_RESET)
    assert bench.chip.memory.memory.pool.free == free


SHT, BME = {"kind": "sht3x", "gpio": 21, "sda": 21, "scl": 22, "i2c_address": 0x44}, 0x76


def bus():
    bench = Bench()
    part = {"kind": "bme280", "gpio": 21, "sda": 21, "scl": 22, "i2c_address": BME, "chip_id": 0x60}
    bench.plant.wiring = {"hall": SHT, "attic": part}
    bench.plant.set_room(21.0)
    return bench


def test_an_i2c_address_is_acknowledged_at_its_pins_only():
    bench = bus()
    assert bench("i2c 21 22") == "=" and bench("i2c 34 22") == "!V pin can only be input"
    assert bench("i2c_write 21 22 68 .") == bench("i2c_write 21 22 118 .") == "=0"
    for line in ("21 22 69 .", "22 21 68 .", "21 23 68 ."):
        assert bench(f"i2c_write {line}") == "!E 19 ENODEV"
    bench.plant.break_sensor("hall", "open")
    assert bench("i2c_write 21 22 68 .") == "!E 19 ENODEV"
    bench.plant.break_sensor("hall", "short")
    assert bench("i2c_write 21 22 9 .00") == "=1" and bench("i2c_read 21 22 9 2") == "=0000"


def test_a_sht3x_answers_when_it_has_measured_and_once():
    bench = bus()
    assert bench("i2c_read 21 22 68 6") == "!E 19 ENODEV"
    assert bench("i2c_write 21 22 68 .2400") == "=2"
    bench.now_ms += 15
    assert bench("i2c_read 21 22 68 6") == "!E 19 ENODEV"
    bench.now_ms += 1
    data = bytes.fromhex(bench("i2c_read 21 22 68 6")[1:])
    assert abs(int.from_bytes(data[:2], "big") * 175 / 65535 - 45 - 21) < 0.01
    assert bench("i2c_read 21 22 68 6") == "!E 19 ENODEV"
    bench("i2c_write 21 22 68 .ffff")
    bench.now_ms += 100
    assert bench("i2c_read 21 22 68 6") == "!E 19 ENODEV"


def test_a_bme280_is_its_registers():
    bench = bus()

    def read(first, count):
        assert bench(f"i2c_write 21 22 {BME} .{first:02x}") == "=1"
        return bytes.fromhex(bench(f"i2c_read 21 22 {BME} {count}")[1:])

    assert read(0xD0, 1) == b"\x60" and read(0xF7, 8) == b"\x80\0\0\x80\0\0\x80\0"
    bench(f"i2c_write 21 22 {BME} .d000")
    assert read(0xD0, 1) == b"\x60", "what only reads is not written"
    # Humidity is measured only if its register was written before the other one.
    for written, measured in ((".f425", False), (".f425f201", False), (".f201f425", True)):
        bench(f"i2c_write 21 22 {BME} {written}")
        assert read(0xF3, 2) == (b"\x08\x25")
        bench.now_ms += 10
        assert read(0xF3, 2) == b"\x00\x24"
        assert (read(0xFD, 2) != b"\x80\0") == measured
    bench(f"i2c_write 21 22 {BME} .e0b6")
    assert read(0xF7, 3) == b"\x80\0\0"
