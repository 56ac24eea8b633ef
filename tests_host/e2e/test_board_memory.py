"""The virtual board's memory as a program on the real MicroPython meets it: areas, pool, TLS, and their errors."""

import pytest

from tools.cloud.site import Site
from tools.repository import ROOT
from tools.virtual_board.memory import CHAINS, FIRST_AREA, IMAGES, NAMES, TIGHTEST, Memory
from tools.virtual_board.plant import Plant
from tools.virtual_board.virtual import VirtualBoard

TIMEOUT_S = 20
WIFI_UP = 95_656
HELPERS = """
import asyncio, esp32, gc, network, select, socket, sys, time, tls, _thread

def free():
    return sum([region[1] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])

def largest():
    return max([region[2] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])

def reserve(wanted):
    lock = _thread.allocate_lock()
    lock.acquire()
    _thread.stack_size(largest() - wanted)
    _thread.start_new_thread(lock.acquire, ())
    return lock

def context():
    made = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    with open("ca.der", "rb") as f:
        made.load_verify_locations(f.read())
    return made

def connected(port):
    sock = socket.socket()
    sock.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    return sock

def fresh(f, *args):
    # So deep in the stack that nothing of it is left there for the collector to find.
    return fresh_at(12, f, args)

def fresh_at(n, f, args):
    return fresh_at(n - 1, f, args) if n else f(*args)

def wiped(n=14):
    return wiped(n - 1) + 0 if n else 0
"""


class Scenario:
    """What a board printed and did whose main.py is these lines after HELPERS; and the memory of its chip."""

    def __init__(self):
        self.lines, self.events = [], []
        self.chip_memory = None

    def saw(self, kind):
        return [event for event in self.events if event[0] == kind]


async def play(flash, found, main, ends="repl", ca=b"", **settings):
    scenario = Scenario()
    (flash / "main.py").write_text(HELPERS + main)
    (flash / "ca.der").write_bytes(ca)
    board = VirtualBoard(
        flash, Plant(), found, on_line=scenario.lines.append, on_event=scenario.events.append, **settings
    )
    async with board:
        await board.until(lambda: scenario.saw(ends), TIMEOUT_S)
        scenario.chip_memory = board.chip.memory
    assert not [line for line in scenario.lines if line.startswith("Traceback")], scenario.lines
    return scenario


async def test_a_program_sees_the_heap_and_the_pool_of_a_chip(tmp_path, smallest):
    main = "gc.collect()\nprint(gc.mem_alloc(), gc.mem_free(), largest(), free())\n"
    scenario = await play(tmp_path, smallest, main)
    used, left, largest, free = map(int, scenario.lines[0].split())
    assert NAMES < used < NAMES + 6000  # with the chip's own thousand, and these functions
    assert left == pytest.approx(FIRST_AREA - used + largest, abs=200)
    assert (largest, free) == (110_592, 139_852)


@pytest.mark.parametrize(("size", "doubled"), [(40_000, False), (60_000, True)])
async def test_more_than_the_first_area_takes_the_second_from_the_pool(
    tmp_path, any_interpreter, size, doubled
):
    words = any_interpreter.bits // 32
    main = f"""
held = [bytearray(1000) for _ in range({size * words // 1000})]
gc.collect()
print(free())
"""
    scenario = await play(tmp_path, any_interpreter, main)
    assert scenario.chip_memory.doubled == doubled
    assert int(scenario.lines[0]) == 139_852 - (57_380 if doubled else 0)
    assert size + NAMES < scenario.chip_memory.peak < size * 1.05 + NAMES + 8000  # and these functions
    assert not scenario.saw("third_area")


async def test_the_firmware_bounds_the_heap_of_a_stock_image(tmp_path, smallest):
    """`heap.grow` itself, before anything else is loaded, as main.py calls it."""
    (tmp_path / "heap.py").write_text((ROOT / "firmware" / "heap.py").read_text())
    main = """
import heap
pin = heap.grow()
print(pin is not None, largest() > 65000)
for _ in range(3):
    gc.collect()
held = [bytearray(1000) for _ in range(60)]
gc.collect()
"""
    scenario = await play(tmp_path, smallest, main)
    assert scenario.lines == ["True True"]
    assert scenario.chip_memory.memory.area == 97_984 and not scenario.saw("third_area")


async def test_a_heap_that_could_not_be_bounded_gives_the_reserve_back(tmp_path, smallest):
    (tmp_path / "heap.py").write_text((ROOT / "firmware" / "heap.py").read_text())
    main = """
import heap
taken = [bytearray(500) for _ in range(20)]
gc.mem_free = lambda: 400000  # so that no list of half that size finds room
before = largest()
print(heap.grow(), largest() > before - 58000)
network.WLAN(network.WLAN.IF_STA).active(True)
"""
    scenario = await play(tmp_path, smallest, main)
    assert scenario.lines[-1] == "None True", scenario.lines
    assert not scenario.saw("panic")


async def test_wifi_before_the_stack_is_back_crashes_the_chip(tmp_path, smallest):
    main = """
if not __import__("machine").reset_cause() == 2:
    reserve(42000).release()
    network.WLAN(network.WLAN.IF_STA).active(True)
"""
    scenario = await play(tmp_path, smallest, main)
    assert [event[:2] for event in scenario.events if event[0] in ("boot", "reset")] == [
        ("boot", 1), ("reset", "hard"), ("boot", 2),
    ]  # fmt: skip
    assert "stack" in scenario.saw("panic")[0][1]


async def test_a_caught_allocation_error_still_counts_as_a_third_area(tmp_path, smallest):
    main = """
import machine
held = []
def fill():
    try:
        while True:
            held.append(bytearray(500))
    except MemoryError:
        held.clear()
fill()
for _ in range(3):
    time.sleep_ms(60)
    machine.reset_cause()
"""
    scenario = await play(tmp_path, smallest, main)
    assert [event[1] for event in scenario.saw("third_area")] == [
        "memory allocation failed, allocating 500 bytes"
    ]
    # Nothing was left for sockets then.
    assert scenario.chip_memory.lowest < 139_852 - 57_380 - 40_000


async def test_no_allocation_crosses_the_border_of_two_areas(tmp_path, smallest):
    main = """
held = []
for size in (54000, 31000, 17000):
    try:
        held.append(bytearray(size))
        print(size)
    except MemoryError:
        print("no piece of", size, "in", 2 * 56000 - gc.mem_alloc())
"""
    scenario = await play(tmp_path, smallest, main)
    assert scenario.lines[:2] == ["54000", "31000"]
    assert scenario.lines[2].startswith("no piece of 17000 in 17")
    assert len(scenario.saw("third_area")) == 1


async def test_a_failed_allocation_is_known_before_the_reset_that_follows(tmp_path, smallest):
    main = """
import machine
if machine.reset_cause() == machine.PWRON_RESET:
    try:
        held = []
        while True:
            held.append(bytearray(10))
    except MemoryError:
        machine.reset()
"""
    scenario = await play(tmp_path, smallest, main)
    kinds = [event[0] for event in scenario.events if event[0] in ("boot", "third_area", "reset", "crash")]
    assert kinds == ["boot", "third_area", "reset", "boot"]


async def test_a_board_with_psram_has_room(tmp_path, smallest):
    main = "held = [bytearray(1000) for _ in range(300)]\ngc.collect()\nprint(len(held), gc.mem_free() > 1000000)\n"
    scenario = await play(tmp_path, smallest, main, heap="2m")
    assert scenario.lines == ["300 True"] and not scenario.saw("third_area")


@pytest.mark.parametrize("chain", CHAINS)
async def test_every_chain_is_accepted_by_the_real_tls_and_takes_its_measured_memory(
    tmp_path, any_interpreter, chain
):
    main = """
network.WLAN(network.WLAN.IF_STA).active(True)
trusted = context()
start = free()
async def hello(port, name):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted, server_hostname=name)
    writer.write(b"GET / HTTP/1.1\\r\\n\\r\\n")
    await writer.drain()
    print(start - free())
    writer.close()
    await writer.wait_closed()
    print(start - free())
asyncio.run(hello(%d, "api.realer.test"))
asyncio.run(hello(%d, "mqtt.realer.test"))
"""
    async with Site(connection_file=None, mqtt=True, chain=chain) as site:
        main %= site.server.port, site.broker.port
        scenario = await play(
            tmp_path, any_interpreter, main, ca=site.certs.certificate, memory=Memory(TIGHTEST, chain)
        )
        assert site.server.handshakes == 1
    cost = IMAGES[TIGHTEST].tls[chain]
    assert [int(line) for line in scenario.lines] == [cost.rest, 0, cost.rest, 0]
    assert scenario.chip_memory.lowest == WIFI_UP - cost.context - cost.peak


@pytest.mark.parametrize(
    ("short", "error"),
    [
        (2_000, "ValueError ('The certificate is not correctly signed by the trusted CA\\n',)"),
        (5_000, "OSError (-10368, 'X509 - Allocation of memory failed')"),
        (8_000, "OSError (12,)"),
    ],
)
async def test_a_handshake_that_finds_no_memory_fails_as_on_the_chip(tmp_path, any_interpreter, short, error):
    main = """
network.WLAN(network.WLAN.IF_STA).active(True)
trusted = context()
_thread.stack_size(%d)
lock = _thread.allocate_lock()
lock.acquire()
_thread.start_new_thread(lock.acquire, ())
sock = connected(%d)
secured = trusted.wrap_socket(sock, server_hostname="api.realer.test", do_handshake_on_connect=False)
poller = select.poll()
poller.register(secured, select.POLLOUT)
print(len(poller.poll(1000)))
try:
    secured.write(b"secret")
except (OSError, ValueError) as error:
    print(type(error).__name__, error.args)
secured.close()
print(free())
"""
    cost = IMAGES[TIGHTEST].tls["rsa2048"]
    stack = WIFI_UP - 1_400 - cost.context - cost.peak + short - 400
    async with Site(connection_file=None) as site:
        main %= stack, site.server.port
        scenario = await play(tmp_path, any_interpreter, main, ca=site.certs.certificate)
        assert site.server.requests == 0
    assert scenario.lines[:2] == ["1", error]
    assert int(scenario.lines[2]) == WIFI_UP - cost.context - stack - 400
