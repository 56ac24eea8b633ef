"""`make pictures`: the pictures of the documentation, taken of the running dashboard in a Chromium without a window."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from playwright.async_api import async_playwright

from tools.dashboard.server import Dashboard
from tools.dashboard.watch import Watch
from tools.env import browser, interpreter
from tools.fixture.system import SystemFixture
from tools.repository import ROOT

DASHBOARD = ROOT / "docs" / "pictures" / "dashboard.png"
LARGEST_BYTES = 200_000
_SIZE = {"width": 1280, "height": 980}


async def take(path: Path) -> None:
    """A device that regulates, after a while in which something was done to it."""
    async with SystemFixture(interpreter.find(), transport="auto", room_c=18.5, time_scale=20) as fixture:
        watch = Watch(fixture, "device 1")
        async with watch, Dashboard([watch]) as dashboard, async_playwright() as driver:
            program = await driver.chromium.launch(executable_path=browser.find(), args=list(browser.FLAGS))
            page = await program.new_page(viewport=_SIZE, color_scheme="light")  # type: ignore[arg-type]
            await page.goto(dashboard.url)
            await fixture.online(30)
            for wait_s, call in (
                (8, {"verb": "set", "port": "6", "value": 1}),
                (6, {"verb": "set", "port": "9", "value": 19.5}),
                (14, {"verb": "turn", "knob": "room", "value": 20.5}),
                (14, {"verb": "turn", "knob": "light", "value": 400}),
                (4, None),
            ):
                await asyncio.sleep(wait_s)
                if call:
                    await watch.do(call)
            path.parent.mkdir(exist_ok=True)
            await page.screenshot(path=path)
            await program.close()


def main() -> int:
    asyncio.run(take(DASHBOARD))
    size = DASHBOARD.stat().st_size
    print(f"{DASHBOARD.relative_to(ROOT)}: {size:,} bytes")
    return int(size > LARGEST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
