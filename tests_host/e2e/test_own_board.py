"""The way of docs/own-board.md, with the commands that stand there: from an empty board to one that the page shows."""

import re

import pytest

from tests_host.e2e.test_dashboard import chromium, command, expect, opened
from tests_host.e2e.test_recipe import Shell
from tools.repository import ROOT

pytestmark = pytest.mark.thorough

PAGE = (ROOT / "docs/own-board.md").read_text(encoding="utf-8")


def lines():
    """The commands of the page, in their order."""
    blocks = PAGE.split("```")[1::2]
    return [line.partition("  #")[0].strip() for block in blocks for line in block.strip().splitlines()]


async def test_an_empty_board_is_deployed_to_and_seen_on_the_page(tmp_path):
    demo, config, check, deploy, pump, status, off, on = lines()
    shell = Shell(tmp_path)
    try:
        output = await shell.start(demo, "is empty; its configuration: ")
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", output)
        async with chromium() as program:
            page = await opened(program, address)
            state = page.locator(".state")
            await expect(state).to_have_text("At the REPL")
            for line in (config, check, deploy):
                ended, output = await shell.run(line)
                assert ended == 0, output
            await expect(state).to_have_text("Online")
            for line in (pump, status):
                ended, output = await shell.run(line)
                assert ended == 0, output
            await expect(command(page, "6")).to_have_text(["on", "on", "on"])
            await shell.run(off)
            await expect(state).to_have_text(re.compile("Not authorized|Safe state"))
            await expect(command(page, "6").last).to_have_text("off")
            await shell.run(on)
            await expect(state).to_have_text("Online")
            assert page.wrong == []
    finally:
        await shell.end()
