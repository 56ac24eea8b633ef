"""The virtual board's serial port, with the real mpremote at the other end of the cable."""

import asyncio
import socket

import pytest
from mpremote.transport import TransportExecError
from mpremote.transport_serial import SerialTransport

from tools.env import interpreter
from tools.virtual_board.plant import Plant
from tools.virtual_board.serial_console import Console
from tools.virtual_board.virtual import VirtualBoard

pytestmark = pytest.mark.waits

INTERPRETERS = interpreter.available() or [interpreter.find()]
TIMEOUT_S = 30
MAIN = """
import machine, time
pin = machine.Pin(16, machine.Pin.OUT, value=0)
print("main")
try:
    while True:
        {busy}
finally:
    pin.value(1)
"""


@pytest.fixture(params=INTERPRETERS, ids=lambda found: f"{found.bits}bit")
def any_interpreter(request):
    return request.param


class Cabled:
    """A board that runs MAIN, and the URL of its serial port."""

    def __init__(self, flash, found, busy="time.sleep_ms(20)", boot=""):
        (flash / "main.py").write_text(MAIN.format(busy=busy))
        (flash / "boot.py").write_text(boot)
        self.lines = []
        self.board = VirtualBoard(flash, Plant(), found, on_line=self.lines.append)

    async def __aenter__(self):
        await self.board.power_on()
        self.url = await self.board.console.open()
        await self.board.until(lambda: "main" in self.lines, TIMEOUT_S)
        return self

    async def __aexit__(self, *_):
        await self.board.__aexit__()

    async def session(self, work, soft_reset=True):
        """What `work(transport)` returns, run with a transport in the raw REPL."""

        def use():
            transport = SerialTransport(self.url)
            try:
                transport.enter_raw_repl(soft_reset)
                return work(transport)
            finally:
                transport.close()

        return await asyncio.to_thread(use)


@pytest.mark.parametrize("busy", ["time.sleep_ms(20)", "time.sleep(60)", "pass"])
async def test_ctrl_c_ends_the_program_in_order_and_a_soft_reset_spares_main(tmp_path, any_interpreter, busy):
    async with Cabled(tmp_path, any_interpreter, busy, boot="left_by_boot = 5") as cabled:
        assert await cabled.session(lambda t: t.eval("left_by_boot")) == 5
        assert cabled.board.levels == {16: 1}
        assert cabled.board.reset_cause == "soft"
        assert cabled.lines.count("main") == 1


async def test_long_programs_arrive_whole_with_and_without_flow_control(tmp_path, any_interpreter):
    program = "\n".join(f"x{i} = {i}" for i in range(300)) + "\nprint(sum([x0, x128, x299]), 'ä\\n', end='')"

    def both(transport):
        pasted = transport.exec(program)
        transport.use_raw_paste = False
        return pasted, transport.exec(program)

    async with Cabled(tmp_path, any_interpreter) as cabled:
        assert await cabled.session(both) == ("427 ä\r\n".encode(),) * 2


async def test_errors_and_endless_programs_come_back(tmp_path, any_interpreter):
    def trouble(transport):
        for program, error in (("1/0", "ZeroDivisionError"), ("a b", "SyntaxError"), ("x" * 3000, "Error")):
            with pytest.raises(TransportExecError, match=error):
                transport.exec(program)
        transport.exec_raw_no_follow("print('endless')\nwhile True: pass")
        assert transport.read_until(1, b"endless\r\n").endswith(b"endless\r\n")
        transport.serial.write(b"\x03")
        _, error = transport.follow(TIMEOUT_S)
        assert b"KeyboardInterrupt" in error
        return transport.eval("6 * 7")

    async with Cabled(tmp_path, any_interpreter) as cabled:
        assert await cabled.session(trouble) == 42


async def test_a_cable_pulled_out_in_mid_program_text_leaves_a_usable_prompt(tmp_path, any_interpreter):
    async with Cabled(tmp_path, any_interpreter) as cabled:
        for wire in (b"\x05A\x01print(", b"print('half", b"\x05"):
            await cabled.session(lambda t, wire=wire: t.serial.write(wire))
            assert await cabled.session(lambda t: t.eval("6 * 7")) == 42


async def test_a_second_client_is_turned_away(tmp_path, any_interpreter):
    async with Cabled(tmp_path, any_interpreter) as cabled:
        host, port = cabled.url.removeprefix("socket://").split(":")
        first, writer = await asyncio.open_connection(host, port)
        second, other = await asyncio.open_connection(host, port)
        assert await second.read() == b""
        writer.write(b"\x03")
        assert b"KeyboardInterrupt" in await first.readuntil(b">>> ")
        for end in (writer, other):
            end.close()


async def test_the_friendly_prompt_echoes_evaluates_and_soft_resets_into_main(tmp_path, any_interpreter):
    async with Cabled(tmp_path, any_interpreter) as cabled:
        host, port = cabled.url.removeprefix("socket://").split(":")
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"\x03")
        await reader.readuntil(b"MicroPython ")
        await reader.readuntil(b">>> ")
        writer.write(b"pin.value() + 41\r")
        assert await reader.readuntil(b">>> ") == b"pin.value() + 41\r\n42\r\n>>> "
        writer.write(b"\x04")
        assert await reader.readuntil(b"main\r\n") == b"\r\nMPY: soft reboot\r\nmain\r\n"
        writer.close()


async def test_a_client_that_has_hung_up_leaves_the_port_to_the_next_one_however_late_the_board_looks():
    typed = asyncio.Queue()
    console = Console(typed.put_nowait)
    place = ("127.0.0.1", int((await console.open()).rpartition(":")[2]))
    try:
        # Both before the loop runs again, as while much is compiled beside it.
        socket.create_connection(place).close()
        with socket.create_connection(place) as client:
            client.send(b"x")
            assert await asyncio.wait_for(typed.get(), 10) == b"x"
    finally:
        console.close()
