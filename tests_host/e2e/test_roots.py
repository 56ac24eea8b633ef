"""Root certificates that change: the cloud gets another authority, and the board has to find it again by itself."""

import pytest

from tests_host.support.field import PORT, Field
from tests_host.support.trees import changed_tree, replaced
from tools.cli import update_bundle
from tools.cloud.certs import TestCA

pytestmark = [pytest.mark.gate, pytest.mark.long]

SOON = {"firmware/updater.py": replaced("firmware/updater.py", ("_LOST = const(3600)", "_LOST = const(5)"))}
"""A board that asks the update server after five seconds instead of an hour."""


def authorities(folder):
    """The cloud's next authority, and one for the update server alone."""
    return TestCA(folder / "next"), TestCA(folder / "authority")


def with_own_server(found, folder, own):
    """A board that trusts the cloud and the update server, which has the authority `own`, and loses no time."""

    def trusts_both(config):
        config["cloud"]["ca_files"].append("certs/own.der")

    files, tree = {"certs/own.der": own.certificate}, changed_tree(folder / "tree", SOON)
    return Field(found, folder, authority=own, also=trusts_both, files=files, tree=tree)


async def installed(fixture, number, slot="a"):
    await fixture.until("the record is switched", lambda: fixture.record().get("slot") == slot, 90)
    await fixture.until("it is confirmed", lambda: "tries" not in fixture.record(), 60)
    await fixture.until("the number is reported", lambda: fixture.reported(PORT) == f"{number}.0", 20)


async def moved(fixture, authority):
    """The cloud presents certificates of another authority; the board comes back to it."""
    await fixture.site.change_authority(authority)
    polls = fixture.polls()
    await fixture.until("the board is back", lambda: fixture.polls() > polls + 1, 60)


@pytest.mark.thorough("own")
@pytest.mark.parametrize("image", ["stock", "own"])
async def test_a_bundle_with_the_next_root_keeps_the_board(smallest, tmp_path, image):
    after, _ = authorities(tmp_path)
    async with Field(smallest, tmp_path, image=image) as fixture:
        fixture.trust(now=fixture.site.certs.certificate, after=after.certificate)
        fixture.publish(7)
        await fixture.online()
        assert len((await fixture.status())["roots"]) == 2
        fixture.want(PORT, 7)
        before = fixture.record().get("slot", "")
        await fixture.until("the record is switched", lambda: fixture.record().get("slot", "") != before, 90)
        await installed(fixture, 7, fixture.record()["slot"])
        await moved(fixture, after)
        if image == "stock":  # what a worn flash made of one: the others have to do
            (fixture.flash / "a" / "firmware" / "certs" / "worn.der").write_bytes(b"\xff" * 900)
        await fixture.power_cycle()
        await fixture.online()
        assert fixture.board.boots == 3 and fixture.reported(PORT) == "7.0"


async def test_a_board_that_was_off_while_the_root_changed_asks_the_server_of_updates(smallest, tmp_path):
    """The cloud cannot ask it for anything. The update server has an authority of its own, which lasts."""
    after, own = authorities(tmp_path)
    async with with_own_server(smallest, tmp_path, own) as fixture:
        await fixture.online()
        await fixture.board.power_off()
        await fixture.site.change_authority(after)
        fixture.trust(after=after.certificate, own=own.certificate)
        fixture.publish(9)
        asked = fixture.polls()
        await fixture.board.power_on()
        await installed(fixture, 9)
        assert fixture.polls() > asked and fixture.asked[0] == "/firmware/rescue"
        assert fixture.board.boots == 3, "the first start, the next one, and that of the bundle"


@pytest.mark.thorough
async def test_a_rescue_that_does_not_help_is_tried_twice(smallest, tmp_path):
    after, own = authorities(tmp_path)
    async with with_own_server(smallest, tmp_path, own) as fixture:
        await fixture.online()
        fixture.trust(own=own.certificate)  # the owner forgot the cloud's next root
        fixture.publish(9, changed_tree(tmp_path / "same", SOON))
        await fixture.site.change_authority(after)
        heads = lambda: fixture.asked.count("/firmware/9/head")  # noqa: E731
        await fixture.until("it is tried twice", lambda: heads() == 2, 240)
        await fixture.until("it is back", lambda: fixture.record().get("failed") == "a", 90)
        looks = fixture.asked.count("/firmware/rescue")
        await fixture.until("it asks again", lambda: fixture.asked.count("/firmware/rescue") > looks + 1, 90)
        assert heads() == 2
        assert fixture.record()["slot"] == "" and "tries" not in fixture.record()


@pytest.mark.thorough
async def test_nobody_but_the_owner_names_a_bundle_for_lost_boards(smallest, tmp_path):
    after, own = authorities(tmp_path)
    async with with_own_server(smallest, tmp_path, own) as fixture:
        fixture.trust(after=after.certificate)
        fixture.publish(9)
        forged = update_bundle.rescue(9, b"another-key-not-real")
        (fixture.bundles / "rescue").write_text(forged)
        await fixture.online()
        await fixture.site.change_authority(after)
        looked = lambda: fixture.asked.count("/firmware/rescue") > 1  # noqa: E731
        await fixture.until("it has asked twice", looked, 120)
        assert set(fixture.asked) == {"/firmware/rescue"} and fixture.board.boots == 1


@pytest.mark.thorough
async def test_roots_that_are_none_are_refused_before_they_are_put_in_place(smallest, tmp_path, monkeypatch):
    """The command would refuse them: this is a bundle that somebody made by hand."""
    garbage = {
        "root.der": b"\x30\x82\x01\x00" + bytes(252),
        "large.der": bytes(5000),
        "text.der": b"-----BEGIN",
    }
    async with Field(smallest, tmp_path) as fixture:
        for number, name in enumerate(garbage, 6):
            monkeypatch.setattr(update_bundle.roots, "of_config", lambda *_, n=name: {n: garbage[n]})
            monkeypatch.setattr(update_bundle.roots, "lines", lambda _: ())
            fixture.publish(number)
        await fixture.online()
        before = fixture.record()
        for number in (6, 7, 8):
            fixture.want(PORT, number)
            await fixture.refuses(number)
        assert fixture.board.boots == 1 and fixture.record() == before
