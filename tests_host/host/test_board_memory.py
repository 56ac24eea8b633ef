"""The memory of a simulated ESP32, held against figures that were measured on the chip."""

import dataclasses

import pytest

from tools.cloud.chains import CHAINS as PRESENTED
from tools.virtual_board import memory
from tools.virtual_board.chip import PWRON_RESET, SOFT_RESET, Chip
from tools.virtual_board.chip_memory import STACK_BACK_MS, ChipMemory
from tools.virtual_board.memory import CHAINS, FIRST_AREA, IMAGES, Memory
from tools.virtual_board.plant import Plant

WANTED = 42_000


def with_wifi(image="1.24.0", chain="p256", **settings):
    chip = Memory(image, chain, **settings)
    chip.wifi(True)
    return chip


@pytest.mark.parametrize(
    ("image", "boot", "wifi"),
    [("1.24.0", (138_356, 110_592), (96_376, 94_208)), ("1.26.1", (139_852, 110_592), (95_656, 94_208))],
)
def test_free_bytes_and_largest_piece_are_those_of_the_chip(image, boot, wifi):
    chip = Memory(image)
    assert (chip.pool.free, chip.pool.largest) == boot
    chip.wifi(True)
    assert (chip.pool.free, chip.pool.largest) == wifi
    chip.wifi(False)
    assert (chip.pool.free, chip.pool.largest) == boot


@pytest.mark.parametrize(
    ("image", "one", "lowest", "two"),
    [("1.24.0", 70_884, 64_696, (46_864, 43_008)), ("1.26.1", 69_284, 63_196, (44_328, 40_960))],
)
def test_one_and_two_connections_leave_as_much_memory_as_on_the_chip(image, one, lowest, two):
    chip = with_wifi(image)
    chip.pool.take("context", chip.cost.context)
    assert chip.handshake("first") == ""
    assert chip.pool.free == pytest.approx(one, abs=1000)
    assert chip.pool.lowest == pytest.approx(lowest, abs=1000)
    assert chip.handshake("second") == ""
    # The costs are those of a first connection, which a second one undercuts.
    assert two[0] - 1700 < chip.pool.free <= two[0]
    assert chip.pool.largest == two[1]


@pytest.mark.parametrize(("desired", "area"), [(WANTED, 97_984), (46_000, 101_952), (50_000, 105_984)])
def test_a_reserve_bounds_the_second_area(desired, area):
    """The last two as measured."""
    chip = Memory()
    chip.pool.take("thread", chip.pool.largest - desired + memory.THREAD)
    chip.lives(FIRST_AREA + 1)
    chip.pool.give("thread")
    assert chip.area == area


def test_the_heap_doubles_when_the_first_area_is_exceeded_and_not_before():
    chip = Memory()
    chip.lives(FIRST_AREA)
    assert (chip.area, chip.doubled, chip.pool.free) == (FIRST_AREA, False, 139_852)
    chip.lives(FIRST_AREA + 1)
    assert (chip.area, chip.doubled) == (2 * FIRST_AREA, True)
    assert chip.pool.free == 139_852 - 57_380
    chip.lives(1000)
    assert chip.area == 2 * FIRST_AREA and chip.peak == FIRST_AREA + 1


def test_with_a_doubled_heap_one_connection_fits_and_a_second_never_does():
    """Free 13,504 and 6,968 at the lowest were measured, with the firmware's sockets."""
    chip = with_wifi()
    chip.pool.take("context", chip.cost.context)
    chip.lives(80_000)
    assert chip.handshake("first") == ""
    assert chip.pool.free == pytest.approx(13_504, abs=1000)
    assert chip.pool.lowest == pytest.approx(6_968, abs=1000)
    assert chip.handshake("second") == "setup"


@pytest.mark.parametrize("image", ["1.24.0", "1.26.1"])
def test_the_usual_chain_meets_a_doubled_heap_with_the_misleading_error(image):
    chip = with_wifi(image, memory.USUAL_CHAIN)
    chip.pool.take("context", chip.cost.context)
    chip.lives(75_000)
    assert chip.handshake("tls") == "verify"
    assert chip.pool.lowest == chip.pool.image.small_left


@pytest.mark.parametrize(
    ("short", "fails"),
    [(0, ""), (1, "verify"), (4_500, "verify"), (4_501, "parse"), (7_001, "memory"), (20_000, "setup")],
)  # fmt: skip
def test_the_failing_part_of_a_handshake_depends_on_the_missing_memory(short, fails):
    chip = with_wifi(chain=memory.USUAL_CHAIN)
    chip.pool.take("other", chip.pool.piece - chip.cost.peak + short)
    assert chip.handshake("tls") == fails
    assert ("tls" in chip.pool) == (not fails)


def test_a_third_area_takes_the_largest_piece_once_and_has_a_name():
    chip = with_wifi()
    chip.lives(112_001)
    assert "112001 bytes in use, the areas have 112000" in chip.third
    assert chip.pool.free == chip.pool.regions()[0][1] + chip.pool.piece < 5_000
    chip.lives(113_000)
    chip.exhausted("again")
    assert "112001" in chip.third


def test_a_third_area_is_released_when_little_is_in_use():
    chip = with_wifi()
    chip.lives(112_001)
    lost = chip.pool.free
    chip.lives(96_000)
    assert chip.pool.free == lost
    chip.lives(95_000)
    assert chip.pool.free == 96_376 - 57_380
    chip.exhausted("again")
    assert chip.pool.free == lost and "112001" in chip.third


def test_a_heap_that_is_not_limited_takes_its_second_area_all_the_same():
    chip = Memory(limited=False)
    chip.lives(200_000)
    assert not chip.third and chip.doubled and chip.pool.free == 139_852 - 57_380


def test_station_and_access_point_share_the_radio():
    chip = with_wifi()
    chip.wifi(True, "ap")
    assert chip.pool.free == 96_376 - memory.ACCESS_POINT
    chip.wifi(False)
    assert chip.pool.free == 96_376 - memory.ACCESS_POINT
    chip.wifi(False, "ap")
    assert chip.pool.free == 138_356


def test_every_chain_that_servers_present_has_its_cost_in_every_image():
    assert tuple(PRESENTED) == CHAINS
    for image in IMAGES.values():
        assert tuple(image.tls) == CHAINS
        costs = [dataclasses.astuple(image.tls[chain]) for chain in CHAINS]
        assert costs == sorted(costs)
        assert all(memory.TLS_SETUP < rest < peak for _, rest, peak in costs)


class Bench:
    """A chip memory whose time and open files are set by hand."""

    def __init__(self, scale=1, **settings):
        self.now_ms = 0.0
        self.files = {3: "socket:[1]", 4: "socket:[2]", 5: "file"}
        self.third = []
        self.chip_memory = ChipMemory(Memory(**settings), lambda: self.now_ms, scale, self.third.append)
        self.chip_memory.open_file = self.files.get

    def __call__(self, line):
        return self.chip_memory.answer(*line.split())

    @property
    def free(self):
        self("stack")
        return self.chip_memory.memory.pool.free


def test_closed_sockets_are_found_to_be_closed():
    bench = Bench()
    before = bench.free
    assert bench("socket 3") is None and bench("socket 4") is None
    assert bench.free == before - 2 * memory.SOCKET
    del bench.files[3]
    bench.files[4] = "socket:[9]"  # closed, and the number is used again
    assert bench.free == before


def test_a_connection_takes_the_place_of_its_socket():
    bench = Bench()
    bench.chip_memory.radio(True, "wifi")
    before = bench.free
    bench("context 5")
    bench("socket 3")
    assert bench("tls 3") == ""
    cost = bench.chip_memory.memory.cost
    assert bench.free == before - cost.context - cost.rest
    assert bench.chip_memory.lowest == before - cost.context - cost.peak
    bench.files.clear()
    assert bench.free == before


def test_a_socket_stays_where_its_handshake_failed():
    bench = Bench()
    bench.chip_memory.radio(True, "wifi")
    bench.chip_memory.memory.pool.take("other", 80_000)
    before = bench.free
    bench("socket 3")
    assert bench("tls 3") == "setup"
    assert bench.free == before - memory.SOCKET


def test_an_allocation_that_does_not_fit_is_reported():
    bench = Bench()
    bench.chip_memory.memory.pool.take("other", 113_000)
    bench.chip_memory.memory.pool.take("rest", 25_000)
    assert bench("socket 3") == "full" and bench("thread") == "full"
    assert bench("context 5") == "full"


def test_the_stack_of_a_thread_comes_back_late():
    bench = Bench()
    before = bench.free
    assert bench("stack 60000") == memory.DEFAULT_STACK and bench("stack") == 60_000
    assert bench("stack 10") == 60_000 and bench("stack") == memory.LEAST_STACK
    bench("stack 60000")
    number = bench("thread")
    bench(f"unthread {number}")
    assert bench.free == before - 60_000 - memory.THREAD
    assert not bench.chip_memory.radio(True, "wifi")
    bench.now_ms += STACK_BACK_MS
    assert bench.free == before
    assert bench.chip_memory.radio(True, "wifi")


def bounded():
    """A bench whose heap has grown beside a reserve; how to let that go."""
    bench = Bench()
    bench(f"stack {110_592 - WANTED}")
    number = bench("thread")
    assert bench("heap_lives 60000 0") == 2 * FIRST_AREA - 97_984

    def let_go():
        bench(f"unthread {number}")
        bench.now_ms += STACK_BACK_MS

    return bench, let_go


def test_a_collection_gives_an_empty_second_area_back_and_the_next_one_is_as_large_as_there_is_room():
    bench, let_go = bounded()
    before = bench.free
    assert bench("heap_lives 50000 1") == 2 * FIRST_AREA - 97_984  # the reserve bounds the next one, too
    assert bench.chip_memory.memory.area == FIRST_AREA
    assert bench.free == before + 43_008  # as ESP-IDF reports a piece of that size
    let_go()
    assert bench("heap_lives 60000 0") == 0
    assert bench.chip_memory.memory.area == 2 * FIRST_AREA
    assert bench.chip_memory.doubled


def test_an_area_in_use_stays_when_the_reserve_goes():
    bench, let_go = bounded()
    bench("heap_lives 50000 0")
    let_go()
    before = bench.free
    assert bench("heap_lives 20000 0") == bench("heap_lives 60000 0") == 2 * FIRST_AREA - 97_984
    assert bench.chip_memory.memory.area == 97_984 and bench.free == before


def test_an_area_is_not_empty_whose_heap_does_not_fit_the_first():
    bench, _ = bounded()
    bench("heap_lives 56001 1")
    assert bench.chip_memory.memory.area == 97_984


@pytest.mark.parametrize("scale", [1, 2])
def test_the_ballast_fills_the_surplus_of_the_heap(scale):
    bench = Bench(scale)
    own, ballast, first = map(int, bench(f"heap {10_000 * scale} {140_000 * scale}").split())
    assert first == (FIRST_AREA - memory.CHIPS_OWN_HEAP - memory.NAMES) * scale
    assert own == (10_000 - memory.CHIPS_OWN_HEAP - memory.NAMES) * scale
    assert 140_000 * scale - own - ballast == 2 * FIRST_AREA * scale


def test_free_memory_counts_the_largest_piece_as_the_chip_does():
    """165,520 after boot was measured on 1.24.0."""
    bench = Bench(image="1.24.0")
    assert bench(f"heap_free {memory.CHIPS_OWN_HEAP} 0") == 165_520
    assert Bench(limited=False)("heap_free 1 1000") == 1000 + 110_592


def test_figures_outlive_a_reset_and_the_radio_a_soft_one():
    bench = Bench()
    bench.chip_memory.radio(True, "wifi")
    bench("heap_lives 60000")
    lowest = bench.free
    bench.chip_memory.reset(soft=True)
    assert bench.free == 95_656
    bench.chip_memory.reset(soft=False)
    assert bench.free == 139_852
    assert (bench.chip_memory.lowest, bench.chip_memory.peak, bench.chip_memory.doubled) == (
        lowest,
        60_000,
        True,
    )


class ChipBench:
    def __init__(self):
        self.now_ms = 0.0
        ms = lambda: self.now_ms  # noqa: E731
        self.chip = Chip(Plant(), ms, lambda *change: None, memory=ChipMemory(Memory(), ms))

    def __call__(self, line):
        return self.chip.answer(line)


def test_wifi_without_memory_raises_the_error_of_the_port():
    bench = ChipBench()
    bench("stack 110000")
    bench("thread")
    assert bench("active 1") == "!R Wifi Unknown Error 0x0101"
    assert bench("active") == "=0"
    assert bench("ap_active 1") == "!R Wifi Unknown Error 0x0101"


def test_wifi_takes_its_memory_once_and_gives_it_back():
    bench = ChipBench()
    free = bench.chip.memory.memory.pool.free
    bench("active 1")
    bench("active 1")
    assert bench.chip.memory.memory.pool.free == 95_656
    bench.chip.reset(SOFT_RESET)
    assert bench.chip.memory.memory.pool.free == 95_656
    bench("active 0")
    assert bench.chip.memory.memory.pool.free == free
    bench("active 1")
    bench.chip.reset(PWRON_RESET)
    assert bench.chip.memory.memory.pool.free == free
