"""Twenty boards: from a table and an export to a fleet that is online, and an update in steps that a bad one stops."""

import asyncio
import contextlib
import json
import sys
import time

import pytest

from tests_host.support.trees import changed_tree, replaced
from tools.cli import board_list, rollout, update_bundle
from tools.cloud.demo_device import CA_FILE, SSID, WIFI_PASSWORD, demo_config, update_command
from tools.cloud.entities import Command, Device, Plan, Sensor
from tools.cloud.site import Site
from tools.repository import ROOT
from tools.virtual_board.plant import Plant, wiring_from
from tools.virtual_board.virtual import VirtualBoard

pytestmark = [pytest.mark.thorough, pytest.mark.long]

KEY = "test-update-key-not-real"
COUNT, CANARIES, WITHOUT_MAC = 20, 2, 5
VERSION = {"firmware/version.py": 'VERSION = "9.9.9"\nBUILD_UTC = 1795219200\n'}
DIES = {
    "firmware/device.py": replaced("firmware/device.py", ("board = Board()", "raise ValueError('bad build')"))
}


class Fleet:
    """The simulated cloud with COUNT devices, a server of bundles, and as many boards, blank, on the bench."""

    def __init__(self, found, folder):
        self.found, self.folder = found, folder
        self.site = Site(connection_file=None, plan=Plan())
        self.devices = [str(1000 + number) for number in range(COUNT)]
        self.boards = []

    @contextlib.asynccontextmanager
    async def running(self):
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self.site)
            for device in self.devices:
                self.site.model.add_device(self._device(device))
            served = self.folder / "served"
            served.mkdir()
            port = await stack.enter_async_context(update_bundle.serving(served, self.site.certs.leaf()))
            self._answers(port)
            for number in range(COUNT):
                flash = self.folder / f"flash{number}"
                flash.mkdir()
                plant = Plant(wiring=wiring_from(self.config), time_scale=60.0, room_c=17.0, outside_c=8.0)
                board = VirtualBoard(
                    flash,
                    plant,
                    self.found,
                    networks={SSID: WIFI_PASSWORD},
                    unique_id=bytes.fromhex(mac(number)),
                )
                self.boards.append(await stack.enter_async_context(board))
                stack.callback(board.console.close)
            yield self

    def _device(self, device):
        return Device(
            int(device), f"cdv_{device:0>26}", f"test-secret-not-real-{device}",
            commands=[Command(1, "6"), Command(2, "9", value="18.5", limits=(5, 35, 0.5)), update_command()],
            sensors=[Sensor(1, "14"), Sensor(2, "15", kind="ldr_sensor", qc="illuminance", mu="lux:0")],
        )  # fmt: skip

    def _answers(self, port):
        """What the boards have in common, their table, and what the dashboard exports."""
        self.config = demo_config(self.site.addresses(), "https")
        for key in ("device_id", "client_id", "client_secret"):
            del self.config["cloud"][key]
        self.config["cloud"]["poll_s"] = 10
        url = f"https://api.realer.test:{port}"
        self.config["update"] = {"pin_port": "99", "url": url, "key": KEY, "prove_s": 5}
        self.config["portal"] = {}
        (self.folder / "base.json").write_text(json.dumps(self.config))
        (self.folder / CA_FILE).parent.mkdir()
        (self.folder / CA_FILE).write_bytes(self.site.certs.certificate)
        rows = [
            f"board {number},{'canary' if number < CANARIES else 'rest'},"
            f"{mac(number) if number < COUNT - WITHOUT_MAC else ''}"
            for number in range(COUNT)
        ]
        (self.folder / "boards.csv").write_text("\n".join(["name,group,mac", *rows]))
        export = [
            {
                "name": f"board {number}",
                "device_id": device,
                "client_id": f"cdv_{device:0>26}",
                "client_secret": f"test-secret-not-real-{device}",
            }
            for number, device in enumerate(self.devices)
        ]
        (self.folder / "export.json").write_text(json.dumps(export))

    async def realer(self, *arguments, within_s=1200):
        """What `realer ...` printed; it has to end well."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tools", *map(str, arguments), cwd=ROOT, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(within_s):
            output = (await process.communicate())[0].decode()
        assert process.returncode == 0, output
        assert "test-secret-not-real" not in output and KEY not in output
        return output

    def reported(self, device):
        return float(self.site.model.reported(int(device), "99") or -1)

    async def roll_out(self, number, folder):
        """`realer rollout` in steps, with this cloud in place of commands; the record, and whether it was stopped."""
        loop = asyncio.get_running_loop()

        def here(function, *arguments):
            async def call():
                return function(*arguments)

            return asyncio.run_coroutine_threadsafe(call(), loop).result(30)

        def ask(device):
            here(self.site.model.set_desired, int(device), "99", number, time.time())

        record = rollout.Record(number)
        steps = rollout.steps(board_list.read(folder), ["canary", "30%", "100%"], number)
        going = rollout.Rollout(
            record, ask, lambda device: here(self.reported, device), lambda _: None, print
        )
        try:
            await asyncio.to_thread(going.run, steps, 400, 2, 0)
        except rollout.Stopped:
            return record, True
        return record, False


def mac(number):
    return f"240ac40001{number:02x}"


async def test_twenty_boards_from_a_table_to_an_update_in_steps(smallest, tmp_path):
    fleet = Fleet(smallest, tmp_path)
    boards = tmp_path / "boards"
    async with fleet.running():
        await fleet.realer(
            "config", "--answers", tmp_path / "base.json", "--boards", tmp_path / "boards.csv",
            "--keys", tmp_path / "export.json", "--out", boards,
        )  # fmt: skip
        ports = [word for board in fleet.boards for word in ("--port", await board.console.open())]
        output = await fleet.realer(
            "deploy", "--all", "--boards", boards, "--assign", "--at-once", "6", "--within", "200", *ports
        )
        assert f"{COUNT} of {COUNT} boards done" in output
        known = board_list.read(boards)
        assert sorted(board.mac for board in known) == [mac(number) for number in range(COUNT)]
        assert [board.mac for board in known[:-WITHOUT_MAC]] == [mac(n) for n in range(COUNT - WITHOUT_MAC)]
        for number in range(COUNT):
            (listed,) = (each for each in known if each.mac == mac(number))
            config = json.loads((tmp_path / f"flash{number}" / "config.json").read_text())
            assert config["cloud"]["device_id"] == listed.device
        await fleet.realer("labels", boards)
        page = (boards / "labels.html").read_text()
        assert page.count("<svg") == page.count("<section") == COUNT
        # A good bundle reaches all of them, a bad one only the first two, which go back by themselves.
        for number, tree in ((7, VERSION), (8, DIES)):
            config, changed = (
                boards / f"{fleet.devices[0]}.json",
                changed_tree(tmp_path / f"tree{number}", tree),
            )
            await fleet.realer(
                "bundle", number, "--config", config, "--out", tmp_path / "served", "--tree", changed
            )
        before = [board.boots for board in fleet.boards]
        record, stopped = await fleet.roll_out(7, boards)
        assert not stopped and sorted(record.done) == fleet.devices and not record.failed
        record, stopped = await fleet.roll_out(8, boards)
        assert stopped and set(record.failed) <= set(fleet.devices[:CANARIES]) and not record.done
        assert all(fleet.reported(device) == 7 for device in fleet.devices)
        starts = [board.boots - earlier for board, earlier in zip(fleet.boards, before, strict=True)]
        assert starts == [3] * CANARIES + [1] * (COUNT - CANARIES), "the good one, the bad one, and back"
