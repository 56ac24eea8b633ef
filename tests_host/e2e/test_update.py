"""Updates over the air: asked for in the cloud, fetched over TLS, confirmed when online, rolled back when not."""

import shutil

import pytest

from tests_host.support.field import PORT, Field
from tests_host.support.trees import changed_tree, replaced

pytestmark = [pytest.mark.gate, pytest.mark.long]

VERSION = {"firmware/version.py": 'VERSION = "9.9.9"\nBUILD_UTC = 1795219200\n'}
DIES = {
    "firmware/device.py": replaced("firmware/device.py", ("board = Board()", "raise ValueError('bad build')"))
}


@pytest.mark.thorough("mqtt", "auto")
@pytest.mark.parametrize("transport", ["https", "mqtt", "auto"])
async def test_a_new_version_is_fetched_switched_to_and_confirmed(smallest, tmp_path, transport):
    async with Field(smallest, tmp_path, transport=transport) as fixture:
        fixture.publish(7, changed_tree(tmp_path / "tree", VERSION))
        await fixture.online()
        fixture.want("6", 1)
        await fixture.until("the pump runs", lambda: fixture.on("pump"), 8)
        fixture.want(PORT, 7)
        await fixture.until("the record is switched", lambda: fixture.record().get("slot") == "a", 90)
        await fixture.until("the new version starts", lambda: fixture.record()["tries"] == 0, 20)
        await fixture.until("it is confirmed", lambda: "tries" not in fixture.record(), 30)
        await fixture.until("the number is reported", lambda: fixture.reported(PORT) == "7.0", 20)
        assert fixture.board.boots == 2 and await fixture.runs() == ("9.9.9", "a")
        await fixture.power_cycle()
        await fixture.online()
        assert fixture.board.boots == 3 and await fixture.runs() == ("9.9.9", "a")


async def test_there_is_memory_for_an_update_beside_the_setup_portal(smallest, tmp_path):
    def portal(config):
        config["portal"] = {"password": "test-password-not-real"}

    async with Field(smallest, tmp_path, also=portal) as fixture:
        fixture.publish(7, changed_tree(tmp_path / "tree", VERSION))
        await fixture.online()
        fixture.want(PORT, 7)
        await fixture.until("it is being fetched", lambda: fixture.asked.count("/firmware/7/files") > 9, 60)
        assert fixture.memory()["heap_peak"] < 87_000, "the HTTPS half is not in memory beside it"
        await fixture.until("the number is reported", lambda: fixture.reported(PORT) == "7.0", 150)
        assert fixture.board.boots == 2


@pytest.mark.thorough
@pytest.mark.parametrize("image", ["stock", "own"])
async def test_a_server_without_ranges_does_as_well(smallest, tmp_path, image):
    """Into a folder and into the ROM partition; `files` is asked for once."""
    async with Field(smallest, tmp_path, ranges=False, image=image) as fixture:
        fixture.publish(7, changed_tree(tmp_path / "tree", VERSION))
        await fixture.online()
        before = fixture.record().get("slot", "")
        fixture.want(PORT, 7)
        await fixture.until("the record is switched", lambda: fixture.record().get("slot", "") != before, 90)
        await fixture.until("it is confirmed", lambda: "tries" not in fixture.record(), 40)
        await fixture.until("the number is reported", lambda: fixture.reported(PORT) == "7.0", 20)
        assert fixture.board.boots == 2 and await fixture.runs() == ("9.9.9", fixture.record()["slot"])
        assert fixture.asked == [f"/firmware/7/{name}" for name in ("head", "manifest", "files")]


@pytest.mark.parametrize("ranges", [True, False])
async def test_an_update_that_a_power_cut_interrupts_is_taken_up_again(smallest, tmp_path, ranges):
    async with Field(smallest, tmp_path, ranges=ranges) as fixture:
        fixture.publish(7)
        await fixture.online()
        fixture.want(PORT, 7)
        await fixture.until("it is being fetched", lambda: "/firmware/7/files" in fixture.asked, 60)
        await fixture.power_cycle()
        asked = len(fixture.asked)
        await fixture.until("it is fetched again", lambda: len(fixture.asked) > asked, 40)
        await fixture.until("the record is switched", lambda: fixture.record().get("slot") == "a", 60)
        await fixture.until("the number is reported", lambda: fixture.reported(PORT) == "7.0", 40)
        assert "asked" not in fixture.record()


@pytest.mark.thorough
@pytest.mark.parametrize("transport", ["https", "mqtt"])
async def test_a_board_with_a_rom_partition_runs_updates_from_there(smallest, tmp_path, transport):
    async with Field(smallest, tmp_path, transport=transport, image="own") as fixture:
        fixture.publish(7, changed_tree(tmp_path / "tree", VERSION))
        fixture.publish(8, changed_tree(tmp_path / "bad", DIES))
        await fixture.online()
        assert fixture.record() == {"slot": "rom:0"}
        fixture.want(PORT, 7)
        await fixture.until("the record is switched", lambda: fixture.record()["slot"] != "rom:0", 90)
        top = fixture.record()["slot"]
        await fixture.until("it is confirmed", lambda: "tries" not in fixture.record(), 40)
        await fixture.until("the number is reported", lambda: fixture.reported(PORT) == "7.0", 20)
        assert fixture.record() == {
            "slot": top, "back": "rom:0", "online": True, "number": 7, "was": 0,
        }  # fmt: skip
        assert await fixture.runs() == ("9.9.9", top)
        # The next one takes the place of the first; it dies, and the one before is still whole.
        fixture.want(PORT, 8)
        await fixture.until("the one before is back", lambda: fixture.record().get("failed") == "rom:0", 90)
        await fixture.online()
        assert fixture.record()["slot"] == top and fixture.reported(PORT) == "7.0"
        assert not [path for path in fixture.flash.rglob("*") if path.suffix == ".mpy"]
        assert not (fixture.flash / "manifest").exists()


@pytest.mark.thorough
async def test_a_partition_without_room_for_another_copy_refuses_the_update(smallest, tmp_path):
    async with Field(smallest, tmp_path, image="own", rom_bytes=96 << 10) as fixture:
        fixture.publish(7)
        await fixture.online()
        fixture.want(PORT, 7)
        await fixture.refuses(7)
        assert set(fixture.asked) == {"/firmware/7/head", "/firmware/7/manifest"}, (
            "no file is fetched in vain"
        )
        assert fixture.board.boots == 1 and fixture.record() == {"slot": "rom:0"}


async def goes_back(found, folder, changed):
    """A bundle with these files is tried, and the version before comes back."""
    async with Field(found, folder) as fixture:
        fixture.publish(7, changed_tree(folder / "tree", changed))
        await fixture.online()
        fixture.want(PORT, 7)
        await fixture.until("the old one is back", lambda: fixture.board.boots == 3, 120)
        await fixture.online()
        assert fixture.record()["slot"] == "" and fixture.record()["failed"] == "a"
        reports = [event for event in fixture.model.named("feed_stored") if event.get("command_id") == 9]
        assert {event["value"] for event in reports} == {"0.0"}, "what failed its trial is never reported"


@pytest.mark.thorough
async def test_a_version_that_dies_online_before_it_is_confirmed_is_rolled_back(smallest, tmp_path):
    path = "firmware/updater.py"
    dies = replaced(path, ("self.steady.passed(now))", "self.steady.passed(now) and self.reset())"))
    await goes_back(smallest, tmp_path, {path: dies})


@pytest.mark.thorough
async def test_a_version_that_crashes_is_rolled_back(smallest, tmp_path):
    await goes_back(smallest, tmp_path, DIES)


@pytest.mark.thorough
async def test_a_version_that_refuses_the_configuration_gives_way_to_the_old_one(smallest, tmp_path):
    """Whose rules became stricter: without a configuration there is no update loop that would end the trial."""
    path = "firmware/settings.py"
    await goes_back(smallest, tmp_path, {path: replaced(path, ("    wrong = 0\n", "    wrong = 1\n"))})


@pytest.mark.thorough
async def test_a_version_that_never_comes_online_gives_way_to_the_old_one(smallest, tmp_path):
    path = "firmware/runtime/cloud_loop.py"
    broken = replaced(path, ("await self.serve()", "await self.x()"))
    broken += "\n    async def x(self):\n        raise LinkError('broken')\n"
    await goes_back(smallest, tmp_path, {path: broken})


@pytest.mark.thorough
async def test_a_bundle_with_a_wrong_signature_or_number_is_refused(smallest, tmp_path):
    async with Field(smallest, tmp_path) as fixture:
        fixture.publish(5)
        shutil.copytree(fixture.bundles / "5", fixture.bundles / "6")  # an old bundle under a new number
        fixture.publish(7)
        manifest = fixture.bundles / "7" / "manifest"
        manifest.write_bytes(manifest.read_bytes().replace(b"device.mpy", b"devicf.mpy"))
        fixture.publish(8)
        files = fixture.bundles / "8" / "files"
        files.write_bytes(files.read_bytes()[:-1] + b"x")
        await fixture.online()
        before = fixture.record()
        for number in (6, 7, 8, 9):
            fixture.want(PORT, number)
            await fixture.refuses(number)
        assert fixture.board.boots == 1 and fixture.record() == before
