"""The memory of a simulated ESP32, held against figures that were measured on the chip."""

import dataclasses

import pytest

from tools.cloud.chains import CHAINS as PRESENTED
from tools.virtual_board import memory
from tools.virtual_board.chip import HARD_RESET, PWRON_RESET, SOFT_RESET, Chip
from tools.virtual_board.memory import CHAINS, FIRST_AREA, IMAGES, Memory, NoRoomError
from tools.virtual_board.memory_desk import STACK_BACK_MS, MemoryDesk
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
    [
        ("1.24.0", 70_884, 64_696, (46_864, 43_008)),
        ("1.26.1", 69_284, 63_196, (44_328, 40_960)),
    ],
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


@pytest.mark.parametrize(("wanted", "area"), [(WANTED, 97_984), (46_000, 101_952), (50_000, 105_984)])
def test_a_reserve_bounds_the_second_area(wanted, area):
    """The last two as measured."""
    chip = Memory()
    chip.pool.take("thread", chip.pool.largest - wanted + memory.THREAD)
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


def test_with_a_smaller_heap_two_connections_fit():
    """80,960 bytes of area leave 21.3 KB beside two."""
    chip = with_wifi()
    chip.pool.take("context", chip.cost.context)
    chip.pool.take("second area", 25_600)
    assert [chip.handshake("first"), chip.handshake("second")] == ["", ""]
    assert chip.pool.free == pytest.approx(21_300, abs=1500)


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


def test_a_heap_that_may_not_double_is_exhausted_where_it_would():
    chip = Memory(doubles=False)
    assert chip.lacking() == FIRST_AREA
    chip.lives(FIRST_AREA + 1)
    assert chip.third and not chip.doubled


def test_a_heap_that_is_not_judged_takes_its_second_area_all_the_same():
    chip = Memory(judged=False)
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


def test_without_room_no_memory_is_taken():
    chip = with_wifi()
    before = chip.pool.free
    with pytest.raises(NoRoomError):
        chip.pool.take("stack", 95_000)
    assert chip.pool.free == before
    with pytest.raises(ValueError, match="taken already"):
        chip.pool.take("radio", 1)


def test_every_chain_that_servers_present_has_its_cost_in_every_image():
    assert tuple(PRESENTED) == CHAINS
    for image in IMAGES.values():
        assert tuple(image.tls) == CHAINS
        costs = [dataclasses.astuple(image.tls[chain]) for chain in CHAINS]
        assert costs == sorted(costs)
        assert all(memory.TLS_SETUP < rest < peak for _, rest, peak in costs)


class Desk:
    """A desk whose time and open files are set by hand."""

    def __init__(self, scale=1, **settings):
        self.now_ms = 0.0
        self.files = {3: "socket:[1]", 4: "socket:[2]", 5: "file"}
        self.third = []
        self.desk = MemoryDesk(Memory(**settings), lambda: self.now_ms, scale, self.third.append)
        self.desk.open_file = self.files.get

    def __call__(self, line):
        return self.desk.answer(*line.split())

    @property
    def free(self):
        self("stack")
        return self.desk.memory.pool.free


def test_closed_sockets_are_found_to_be_closed():
    desk = Desk()
    before = desk.free
    assert desk("socket 3") is None and desk("socket 4") is None
    assert desk.free == before - 2 * memory.SOCKET
    del desk.files[3]
    desk.files[4] = "socket:[9]"  # closed, and the number is used again
    assert desk.free == before


def test_a_connection_takes_the_place_of_its_socket():
    desk = Desk()
    desk.desk.radio(True, "wifi")
    before = desk.free
    desk("context 5")
    desk("socket 3")
    assert desk("tls 3") == ""
    cost = desk.desk.memory.cost
    assert desk.free == before - cost.context - cost.rest
    assert desk.desk.lowest == before - cost.context - cost.peak
    desk.files.clear()
    assert desk.free == before


def test_a_socket_stays_where_its_handshake_failed():
    desk = Desk()
    desk.desk.radio(True, "wifi")
    desk.desk.memory.pool.take("other", 80_000)
    before = desk.free
    desk("socket 3")
    assert desk("tls 3") == "setup"
    assert desk.free == before - memory.SOCKET


def test_an_allocation_that_does_not_fit_is_reported():
    desk = Desk()
    desk.desk.memory.pool.take("other", 113_000)
    desk.desk.memory.pool.take("rest", 25_000)
    assert desk("socket 3") == "full" and desk("thread") == "full"
    assert desk("context 5") == "full"


def test_the_stack_of_a_thread_comes_back_late():
    desk = Desk()
    before = desk.free
    assert desk("stack 60000") == memory.DEFAULT_STACK and desk("stack") == 60_000
    assert desk("stack 10") == 60_000 and desk("stack") == memory.LEAST_STACK
    desk("stack 60000")
    number = desk("thread")
    desk(f"unthread {number}")
    assert desk.free == before - 60_000 - memory.THREAD
    assert not desk.desk.radio(True, "wifi")
    desk.now_ms += STACK_BACK_MS
    assert desk.free == before
    assert desk.desk.radio(True, "wifi")


def bounded():
    """A desk whose heap has grown beside a reserve; how to let that go."""
    desk = Desk()
    desk(f"stack {110_592 - WANTED}")
    number = desk("thread")
    assert desk("heap_lives 60000 0") == 2 * FIRST_AREA - 97_984

    def let_go():
        desk(f"unthread {number}")
        desk.now_ms += STACK_BACK_MS

    return desk, let_go


def test_a_collection_gives_an_empty_second_area_back_and_the_next_one_is_as_large_as_there_is_room():
    desk, let_go = bounded()
    before = desk.free
    assert desk("heap_lives 50000 1") == 2 * FIRST_AREA - 97_984  # the reserve bounds the next one, too
    assert desk.desk.memory.area == FIRST_AREA
    assert desk.free == before + 43_008  # what a piece of that size is told as
    let_go()
    assert desk("heap_lives 60000 0") == 0
    assert desk.desk.memory.area == 2 * FIRST_AREA
    assert desk.desk.doubled


def test_an_area_in_use_stays_when_the_reserve_goes():
    desk, let_go = bounded()
    desk("heap_lives 50000 0")
    let_go()
    before = desk.free
    assert desk("heap_lives 20000 0") == desk("heap_lives 60000 0") == 2 * FIRST_AREA - 97_984
    assert desk.desk.memory.area == 97_984 and desk.free == before


def test_an_area_is_not_empty_whose_heap_does_not_fit_the_first():
    desk, _ = bounded()
    desk("heap_lives 56001 1")
    assert desk.desk.memory.area == 97_984


@pytest.mark.parametrize("scale", [1, 2])
def test_the_ballast_fills_the_surplus_of_the_heap(scale):
    desk = Desk(scale)
    own, ballast, first = map(int, desk(f"heap {10_000 * scale} {140_000 * scale}").split())
    assert first == (FIRST_AREA - memory.CHIPS_OWN_HEAP - memory.NAMES) * scale
    assert own == (10_000 - memory.CHIPS_OWN_HEAP - memory.NAMES) * scale
    assert 140_000 * scale - own - ballast == 2 * FIRST_AREA * scale


def test_free_memory_counts_the_largest_piece_as_the_chip_does():
    """165,520 after boot was measured on 1.24.0."""
    desk = Desk(image="1.24.0")
    assert desk(f"heap_free {memory.CHIPS_OWN_HEAP} 0") == 165_520
    assert Desk(judged=False)("heap_free 1 1000") == 1000 + 110_592


def test_a_third_area_is_reported_once():
    desk = Desk()
    desk("heap_lives 112100")
    desk("heap_failed")
    assert len(desk.third) == 1
    desk.desk.reset(soft=False)
    desk("heap_failed")
    assert desk.third[1:] == ["memory allocation failed"]


def test_figures_outlive_a_reset_and_the_radio_a_soft_one():
    desk = Desk()
    desk.desk.radio(True, "wifi")
    desk("heap_lives 60000")
    lowest = desk.free
    desk.desk.reset(soft=True)
    assert desk.free == 95_656
    desk.desk.reset(soft=False)
    assert desk.free == 139_852
    assert (desk.desk.lowest, desk.desk.peak, desk.desk.doubled) == (lowest, 60_000, True)


class Bench:
    def __init__(self):
        self.now_ms = 0.0
        ms = lambda: self.now_ms  # noqa: E731
        self.chip = Chip(Plant(), ms, lambda *change: None, memory=MemoryDesk(Memory(), ms))

    def __call__(self, line):
        return self.chip.answer(line)


def test_the_chip_crashes_where_wifi_starts_before_a_stack_is_back():
    bench = Bench()
    bench("thread")
    bench("unthread 0")
    assert bench("active 1") is None
    assert bench.chip.ended == HARD_RESET and "stack" in bench.chip.panicked
    bench.chip.reset(HARD_RESET)
    assert bench.chip.panicked == "" and bench("active 1") == "=1"


def test_wifi_without_memory_raises_the_error_of_the_port():
    bench = Bench()
    bench("stack 110000")
    bench("thread")
    assert bench("active 1") == "!R Wifi Unknown Error 0x0101"
    assert bench("active") == "=0"
    assert bench("ap_active 1") == "!R Wifi Unknown Error 0x0101"


def test_wifi_takes_its_memory_once_and_gives_it_back():
    bench = Bench()
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


def test_heap_regions_are_reported_as_by_the_port():
    bench = Bench()
    numbers = [int(word) for word in bench("idf")[1:].split()]
    assert numbers[1] + numbers[5] == 139_852 and numbers[6] == 110_592
    bench("active 1")
    bench("active 0")
    numbers = [int(word) for word in bench("idf")[1:].split()]
    assert numbers[3] + numbers[7] == 95_656
