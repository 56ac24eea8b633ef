"""The virtual board with the real MicroPython: start order, resets, watchdog, power cuts, and nothing left behind."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.virtual_board.install import install
from tools.virtual_board.memory import CHIPS_OWN_HEAP, FIRST_AREA, NAMES
from tools.virtual_board.plant import Plant
from tools.virtual_board.radio import Point
from tools.virtual_board.virtual import VirtualBoard

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUT_S = 20


class Scenario:
    """A board whose flash holds these two programs, and all it said and did."""

    def __init__(self, flash, found, main, boot="", **settings):
        flash.mkdir(exist_ok=True)
        (flash / "boot.py").write_text(boot)
        (flash / "main.py").write_text(main)
        self.lines = []
        self.events = []
        self.board = VirtualBoard(
            flash, Plant(), found, on_line=self.lines.append, on_event=self.events.append, **settings
        )

    async def __aenter__(self):
        await self.board.power_on()
        return self

    async def __aexit__(self, *_):
        await self.board.power_off()

    async def saw(self, kind, *values):
        """Wait for an event that starts like this."""
        desired = (kind, *values)
        await self.board.until(
            lambda: any(event[: len(desired)] == desired for event in self.events), timeout_s=TIMEOUT_S
        )

    def kinds(self, *of):
        return [event[:2] for event in self.events if event[0] in of]


def tell(flash, found, main, boot="", **settings):
    """Run the two programs until the REPL would wait."""

    async def play():
        async with Scenario(flash, found, main, boot, **settings) as scenario:
            await scenario.saw("repl")
            return scenario

    return asyncio.run(play())


def test_boot_then_main_in_one_namespace_on_a_file_system_of_its_own(tmp_path, any_interpreter):
    flash = tmp_path / "flash"
    (flash / "lib").mkdir(parents=True)
    (flash / "lib" / "engine.py").write_text("POWER = 7\n")
    main = """
import engine, os, sys
print(__name__, left_by_boot, engine.POWER, sys.path[1:], os.getcwd(), sorted(os.listdir("/"))[-3:])
with open("/state.new", "w") as f:
    f.write("kept")
os.rename("/state.new", "state")
"""
    scenario = tell(flash, any_interpreter, main, boot="left_by_boot = 5")
    assert scenario.lines == ["__main__ 5 7 ['', '.frozen', '/lib'] / ['boot.py', 'lib', 'main.py']"]
    assert (flash / "state").read_text() == "kept"


def test_a_failing_boot_py_leaves_the_repl_without_main(tmp_path, any_interpreter):
    scenario = tell(tmp_path, any_interpreter, "print('never')", boot="1 / 0")
    assert scenario.lines[-1].startswith("ZeroDivisionError")
    assert '  File "boot.py", line 1, in <module>' in scenario.lines
    assert "never" not in scenario.lines


def test_the_heap_is_that_of_the_chip_and_the_board_takes_little_of_it(tmp_path, any_interpreter):
    main = """
import gc, machine, network
gc.collect()
print(gc.mem_free() + gc.mem_alloc(), gc.mem_alloc())
"""
    scenario = tell(tmp_path, any_interpreter, main)
    total, used = map(int, scenario.lines[0].split())
    words = any_interpreter.bits // 32
    if words == 1:
        assert total == pytest.approx(
            FIRST_AREA + 110_592, abs=1500
        )  # the pool's largest piece counts as well
    assert (CHIPS_OWN_HEAP + NAMES) * words <= used < (2628 + NAMES) * words
    # 4.6 KB of it is the table of names as full as a chip's is. None of it is charged to the firmware. It is known to
    # 128 bytes: a name of the shims is in ROM, one that is made up in its place takes from a piece of that size.
    taken = scenario.board.chip.memory.board_heap
    assert taken < (22_016 if any_interpreter.version >= (1, 25) else 29_000) * words


def test_machine_reset_ends_the_program_on_the_spot(tmp_path, any_interpreter):
    main = """
import machine
print("cause", machine.reset_cause())
if machine.reset_cause() == machine.PWRON_RESET:
    machine.Pin(16, machine.Pin.OUT, value=1)
    try:
        machine.reset()
    finally:
        print("never")
"""
    scenario = tell(tmp_path, any_interpreter, main)
    assert scenario.lines == ["cause 1", "cause 2"]
    assert [event[:3] for event in scenario.events if event[0] == "pin"][:2] == [
        ("pin", 16, 1),
        ("pin", 16, None),
    ]
    assert scenario.kinds("boot", "reset") == [("boot", 1), ("reset", "hard"), ("boot", 2)]


def test_machine_reset_takes_no_memory(tmp_path, any_interpreter):
    main = """
import machine, micropython
if machine.reset_cause() == machine.PWRON_RESET:
    micropython.heap_lock()
    machine.reset()
"""
    assert tell(tmp_path, any_interpreter, main).kinds("crash", "reset") == [("reset", "hard")]


@pytest.mark.parametrize("busy", ["pin.value(); time.sleep_ms(5)", "time.sleep(60)"])
async def test_ctrl_c_strikes_once_whatever_the_program_does(tmp_path, any_interpreter, busy):
    main = f"""
import machine, time
pin = machine.Pin(16, machine.Pin.OUT, value=0)
print("ready")
try:
    while True:
        {busy}
except KeyboardInterrupt:
    pin.value(1)
print("goes on", pin.value())
"""

    async with Scenario(tmp_path, any_interpreter, main) as scenario:
        await scenario.saw("line", "ready")
        await scenario.board.ctrl_c()
        await scenario.saw("repl")
    assert scenario.lines == ["ready", "goes on 1"]


@pytest.mark.parametrize("end", ["machine.soft_reset()", "sys.exit()", "raise SystemExit"])
def test_a_soft_reset_unwinds_the_program_and_keeps_the_pins(tmp_path, any_interpreter, end):
    main = f"""
import machine, sys
if machine.reset_cause() == machine.PWRON_RESET:
    machine.Pin(16, machine.Pin.OUT, value=1)
    try:
        {end}
    finally:
        print("unwound")
print("cause", machine.reset_cause(), machine.Pin(16).value())
"""
    scenario = tell(tmp_path, any_interpreter, main)
    assert scenario.lines == ["unwound", "MPY: soft reboot", "cause 5 1"]


def test_the_watchdog_resets_a_hung_program_and_is_the_reset_cause(tmp_path, any_interpreter):
    main = """
import machine, time
print("cause", machine.reset_cause())
if machine.reset_cause() == machine.PWRON_RESET:
    machine.Pin(16, machine.Pin.OUT, value=1)
    dog = machine.WDT(timeout=1000)
    for _ in range(12):
        time.sleep_ms(100)
        dog.feed()
    print("fed for longer than that")
    while True:
        pass
"""
    scenario = tell(tmp_path, any_interpreter, main)
    assert scenario.lines == ["cause 1", "fed for longer than that", "cause 3"]
    assert ("wdt",) in scenario.events
    assert scenario.kinds("reset") == [("reset", "watchdog")]


def test_a_crash_of_the_interpreter_is_a_hard_reset(tmp_path, any_interpreter):
    main = """
import machine
if machine.reset_cause() == machine.PWRON_RESET:
    import ffi
    ffi.open("libc.so.6").func("v", "exit", "i")(3)
"""
    scenario = tell(tmp_path, any_interpreter, main)
    assert scenario.kinds("crash", "reset") == [("crash", 3), ("reset", "hard")]


async def test_power_cut_releases_everything_and_only_the_flash_remembers(tmp_path, any_interpreter):
    main = """
import machine
rtc = machine.RTC()
print(machine.reset_cause(), rtc.datetime()[0], rtc.memory())
rtc.datetime((2026, 11, 21, 0, 6, 0, 0, 0))
rtc.memory(b"healthy")
machine.Pin(16, machine.Pin.OUT, value=1)
print("on")
while True:
    pass
"""

    async with Scenario(tmp_path, any_interpreter, main) as scenario:
        board = scenario.board
        await scenario.saw("line", "on")
        assert board.levels == {16: 1}
        await board.reset()
        await board.until(lambda: scenario.lines.count("on") == 2, TIMEOUT_S)
        await board.power_off()
        assert board.levels == {} and board.plant.level(16) == 0
        await board.power_on()
        await board.until(lambda: scenario.lines.count("on") == 3, TIMEOUT_S)
        assert board.boots == 3 and board.reset_cause == "power_on"
    assert scenario.lines[::2] == ["1 2000 b''", "2 2026 b'healthy'", "1 2000 b''"]


async def test_buttons_sensors_and_welded_relays_reach_the_program(tmp_path, any_interpreter):
    main = """
from machine import ADC, Pin
import time
button, relay, adc = Pin(27, Pin.IN, Pin.PULL_UP), Pin(16, Pin.OUT, value=0), ADC(Pin(34), atten=ADC.ATTN_11DB)
print("idle", button.value(), relay.value(), 1_900_000 < adc.read_uv() < 2_000_000, adc.read_u16() >> 15)
while button():
    time.sleep_ms(5)
relay.on()
print("pressed", relay.value(), adc.read_uv())
for wrong in (lambda: Pin(34, Pin.OUT), lambda: Pin(9), lambda: ADC(Pin(16)), lambda: ADC(34, atten=4)):
    try:
        wrong()
    except ValueError as error:
        print(error)
"""

    async with Scenario(tmp_path, any_interpreter, main) as scenario:
        await scenario.saw("line", "idle 1 0 True 1")
        scenario.board.plant.stick(16, 0)
        scenario.board.plant.break_sensor("ntc", "open")
        scenario.board.press_button()
        await scenario.saw("repl")
    assert scenario.lines[1:] == [
        "pressed 0 3134000",
        "pin can only be input",
        "pin belongs to the flash chip",
        "invalid pin",
        "invalid attenuation",
    ]


CARELESS = """
import network, socket, time
wlan = network.WLAN(network.WLAN.IF_STA)
wlan.active(True)
wlan.connect("bench", "test-secret")
while not wlan.isconnected():
    time.sleep_ms(10)
def connected(port):
    sock = socket.socket()
    try:
        sock.connect(socket.getaddrinfo("127.0.0.1", port, 0, socket.SOCK_STREAM)[0][-1])
        sock.write("new ")
    except OSError as e:
        return e.args[0]
    return sock
def written(sock):
    try:
        return sock.write("old ")
    except OSError as e:
        return "failed"
sock = connected(PORT)
print("connected", written(sock))
while wlan.isconnected():
    time.sleep_ms(10)
print("lost", written(sock), connected(PORT))
while not wlan.isconnected():
    time.sleep_ms(10)
print("back", not isinstance(connected(PORT), int))
"""


async def test_without_a_network_nothing_of_a_careless_program_passes(tmp_path, any_interpreter):
    """Neither over the connection that was open nor over another one."""

    output = []

    async def listen(reader, writer):
        while data := await reader.read(99):
            output.append(data.decode())
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    main = CARELESS.replace("PORT", str(server.sockets[0].getsockname()[1]))
    async with (
        server,
        Scenario(tmp_path, any_interpreter, main, networks={"bench": "test-secret"}) as scenario,
    ):
        await scenario.saw("line", "connected 4")
        scenario.board.network_down()
        await scenario.saw("line", "lost failed 113")
        assert "".join(output) == "new old "
        scenario.board.network_up()
        await scenario.saw("line", "back True")
        await scenario.saw("repl")
    assert "".join(output) == "new old new "


async def test_wifi_of_several_access_points_and_one_that_is_dead(tmp_path, any_interpreter):
    main = """
import errno, network, socket, time
network.country("DE")
wlan = network.WLAN(network.WLAN.IF_STA)
wlan.active(True)
wlan.config(reconnects=0, pm=network.WLAN.PM_NONE)
found = sorted(wlan.scan(), key=lambda point: -point[3])
print([(point[0], point[1][5], point[3]) for point in found], network.country(), wlan.config("pm"))
def join():
    wlan.connect("bench", "test-secret", bssid=found[0][1])
    while not wlan.isconnected():
        time.sleep_ms(10)
    print(wlan.status("rssi"))
join()
wlan.ifconfig(("10.0.0.5", "255.0.0.0", "10.0.0.1", "9.9.9.9"))
print(wlan.ifconfig())
def reach(port):
    sock = socket.socket()
    sock.setblocking(False)
    try:
        sock.connect(socket.getaddrinfo("127.0.0.1", port, 0, socket.SOCK_STREAM)[0][-1])
    except OSError as e:
        if e.args[0] != errno.EINPROGRESS:
            return "refused"
    time.sleep_ms(300)
    import select
    poller = select.poll()
    poller.register(sock, select.POLLOUT | select.POLLHUP)
    ready = poller.poll(0)
    sock.close()
    return "silence" if not ready else "answer"
print(reach(1))
print("ready")
while reach(1) != "silence":
    time.sleep_ms(10)
print("silent", wlan.isconnected())
wlan.disconnect()
join()
print(reach(1) != "silence")
"""

    scenario = Scenario(tmp_path, any_interpreter, main, networks={})
    points = [Point("bench", "test-secret", bytes((2, 0, 0, 0, 0, n)), -90 + 20 * n) for n in (1, 2)]
    scenario.board.chip.radio.points = points
    async with scenario:
        await scenario.saw("line", "ready")
        scenario.board.chip.radio.zombie = "join"
        await scenario.saw("repl")
    lines = scenario.lines
    assert lines[:3] == [
        "[(b'bench', 2, -50), (b'bench', 1, -70)] DE 0",
        "-50",
        "('10.0.0.5', '255.0.0.0', '10.0.0.1', '9.9.9.9')",
    ]
    assert lines[3] != "silence" and lines[4:] == ["ready", "silent True", "-50", "True"]


def test_the_modules_an_esp32_image_has_built_in(tmp_path, any_interpreter):
    main = """
import esp32, machine, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
print(context.verify_mode == ssl.CERT_NONE)
context.verify_mode = ssl.CERT_REQUIRED
print(context.verify_mode == ssl.CERT_REQUIRED)
nvs = esp32.NVS("app")
try:
    nvs.get_i32("n")
except OSError as error:
    print(error.args)
nvs.set_i32("n", -3)
nvs.set_blob("b", b"\\x00 \\xff")
room = bytearray(8)
print(nvs.get_i32("n"), nvs.get_blob("b", room), bytes(room[:3]))
print(len(esp32.idf_heap_info(esp32.HEAP_DATA)[0]), len(machine.unique_id()))
"""
    assert tell(tmp_path, any_interpreter, main).lines == [
        "True",
        "True",
        "(-4354, 'ESP_ERR_NVS_NOT_FOUND')",
        "-3 3 b'\\x00 \\xff'",
        "4 6",
    ]


async def test_a_power_cut_at_any_moment_of_the_start_leaves_no_process(smallest, tmp_path):
    scenario = Scenario(tmp_path, smallest, "while True: pass")
    for turn in range(8):
        await scenario.board.power_on()
        for _ in range(turn * turn):
            await asyncio.sleep(0)
        await scenario.board.power_off()
    assert processes_on(tmp_path) == []


def test_install_replaces_code_and_keeps_what_the_device_stored(tmp_path):
    tree, flash = tmp_path / "tree", tmp_path / "flash"
    for name in (
        "firmware/core/x.py", "firmware/__pycache__/x.pyc", "lib/y.py", "boot.py", "main.py", "certs/a.der",
    ):  # fmt: skip
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    (flash / "firmware").mkdir(parents=True)
    (flash / "firmware" / "old.py").write_text("")
    (flash / "boot.json").write_text("{}")
    config = {"cloud": {"ca_files": ["certs/a.der", "certs/b.der"]}}
    install(flash, config, tree, {"certs/b.der": b"given"})
    held = {str(path.relative_to(flash)) for path in flash.rglob("*") if path.is_file()}
    code = {"firmware/core/x.py", "lib/y.py", "boot.py", "main.py"}
    assert held == code | {"boot.json", "config.json", "certs/a.der", "certs/b.der"}
    assert json.loads((flash / "config.json").read_text()) == config
    with pytest.raises(FileNotFoundError):
        install(flash, {"cloud": {"ca_files": ["certs/none.der"]}}, tree)


# The command line, as a person uses it

MAIN = """
import machine
button = machine.Pin(27, machine.Pin.IN, machine.Pin.PULL_UP)
print("cause", machine.reset_cause())
while button():
    pass
print("pressed")
while True:
    pass
"""


@pytest.fixture
def command(tmp_path):
    """`realer board` on a small device tree, started; whatever a test does, it is ended."""
    tree = tmp_path / "tree"
    for folder in ("firmware", "lib"):
        (tree / folder).mkdir(parents=True)
    (tree / "boot.py").write_text("")
    (tree / "main.py").write_text(MAIN)
    config = tmp_path / "config.json"
    config.write_text('{"buttons": [{"gpio": 27}]}')
    argv = [
        sys.executable, "-m", "tools", "board", "--config", config, "--tree", tree, "--flash",
        tmp_path / "flash",
    ]  # fmt: skip
    with subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as host:
        try:
            yield host
        finally:
            host.kill()


def processes_on(flash):
    """Ids of the interpreters that run on this flash folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(flash).encode() in entry.read_bytes() and b"heapsize" in entry.read_bytes():
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


def read_until(host, text):
    for line in host.stdout:
        if text in line:
            return
    raise AssertionError(f"never said {text!r}")


def test_keys_press_the_button_cut_the_power_and_quit(command, tmp_path):
    read_until(command, "cause 1")
    command.stdin.write("b")
    command.stdin.flush()
    read_until(command, "pressed")
    command.stdin.write("p")
    command.stdin.flush()
    read_until(command, "power off")
    read_until(command, "cause 1")
    command.stdin.write("q")
    command.stdin.flush()
    assert command.wait(TIMEOUT_S) == 0
    assert processes_on(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_cleanly(command, tmp_path, number):
    read_until(command, "cause 1")
    command.send_signal(number)
    assert command.wait(TIMEOUT_S) == 0
    assert "Traceback" not in command.stdout.read()
    assert processes_on(tmp_path) == []


def test_a_killed_host_takes_even_a_hung_program_with_it(command, tmp_path):
    read_until(command, "cause 1")
    assert len(processes_on(tmp_path)) == 1
    command.kill()
    command.wait()
    deadline = time.monotonic() + TIMEOUT_S
    while processes_on(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert processes_on(tmp_path) == []
