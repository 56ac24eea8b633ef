"""Pictures of pages in a Chromium without a window: the dashboard of a running device, and the setup portal."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

from PIL import Image, PngImagePlugin
from playwright.async_api import Page, ViewportSize, async_playwright

from tools.cloud.demo_device import SSID
from tools.dashboard.page_server import Dashboard
from tools.dashboard.watch import Watch
from tools.env import browser, interpreter
from tools.fixture.system import SystemFixture

_SIZE: ViewportSize = {"width": 1280, "height": 980}
_FILM: ViewportSize = {"width": 1000, "height": 560}
_PHONE: ViewportSize = {"width": 375, "height": 667}
_FRAME_S, _END_S = 0.25, 3.0
_PORTAL_PASSWORD = "test-portal-password-not-real"
_SCENES: tuple[tuple[float, str, dict[str, Any] | None], ...] = (
    (3, "The device is online and regulates the room. The pump is off.", None),
    (5, "Its owner asks for the pump in the cloud. The relay follows, and the device reports it.",
     {"verb": "set", "port": "6", "value": 1}),
    (8, "The subscription ends. The cloud refuses the device, and every output goes to its safe state.",
     {"verb": "subscription", "on": False}),
    (8, "The subscription is renewed. The device comes back by itself.", {"verb": "subscription", "on": True}),
)  # fmt: skip
"""Of the animation: how long, in seconds; what is said below; what is done at its begin."""
_CAPTION = """text => {
  let bar = document.getElementById("caption");
  if (!bar) {
    document.querySelector("header").hidden = true;
    bar = document.body.appendChild(document.createElement("div"));
    bar.id = "caption";
    Object.assign(bar.style, {position: "fixed", left: 0, right: 0, bottom: 0, padding: "14px 18px", zIndex: 9,
      background: "#1e293b", color: "#ffffff", fontSize: "19px"});
  }
  bar.textContent = text;
}"""


@contextlib.asynccontextmanager
async def _chromium(size: ViewportSize, *flags: str) -> AsyncIterator[Page]:
    async with async_playwright() as driver:
        program = await driver.chromium.launch(executable_path=browser.find(), args=[*browser.FLAGS, *flags])
        try:
            yield await program.new_page(viewport=size, color_scheme="light")
        finally:
            await program.close()


@contextlib.asynccontextmanager
async def running(size: ViewportSize = _SIZE) -> AsyncIterator[tuple[Watch, Page]]:
    """A device that regulates, and its page."""
    async with SystemFixture(interpreter.find(), transport="auto", room_c=18.5, time_scale=20) as fixture:
        watch = Watch(fixture, "device 1")
        async with watch, Dashboard([watch]) as dashboard, _chromium(size) as page:
            await page.goto(dashboard.url)
            await fixture.online(30)
            yield watch, page


async def labels(page: Page) -> str:
    """Headings, labels and buttons, one a line."""
    texts = await page.locator("h1, h2, h3, label, legend, button, th").all_inner_texts()
    return "\n".join(dict.fromkeys(filter(None, (" ".join(text.split()) for text in texts))))


async def _shot(page: Page, **options: Any) -> bytes:
    """The page as a PNG, whose description is its labels."""
    words = PngImagePlugin.PngInfo()
    words.add_itxt("Description", await labels(page))
    made = io.BytesIO()
    with Image.open(io.BytesIO(await page.screenshot(**options))) as image:
        image.save(made, "PNG", pnginfo=words, optimize=True)
    return made.getvalue()


async def dashboard() -> dict[str, bytes]:
    """The page after a while in which something was done to the device."""
    async with running() as (watch, page):
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
        return {"dashboard.png": await _shot(page)}


async def animation() -> dict[str, bytes]:
    """A relay that follows, and the safe state: what the page shows, four frames a second, without what is equal."""
    frames: list[tuple[float, bytes]] = []
    async with running(_FILM) as (watch, page):
        await watch.fixture.until(
            "the lease is shown", lambda: "lease_ends" in watch.feed.state("status", {}), 20
        )
        for scene_s, caption, call in _SCENES:
            await page.evaluate(_CAPTION, caption)
            if call:
                await watch.do(call)
            begun = time.monotonic()
            while (now := time.monotonic()) < begun + scene_s:
                frames.append((now, await page.screenshot()))
                await asyncio.sleep(max(0.0, now + _FRAME_S - time.monotonic()))
    return {"dashboard.webp": film(frames)}


def film(frames: list[tuple[float, bytes]]) -> bytes:
    """An animated WebP without loss, of PNGs and the moment of each in seconds. It begins anew after a while."""
    shown = [frame for at, frame in enumerate(frames) if not at or frame[1] != frames[at - 1][1]]
    images = [Image.open(io.BytesIO(png)).convert("RGB") for _, png in shown]
    moments = [moment for moment, _ in shown] + [frames[-1][0] + _END_S]
    lasting = [round((end - begin) * 1000) for begin, end in itertools.pairwise(moments)]
    made = io.BytesIO()
    images[0].save(
        made,
        "WEBP",
        save_all=True,
        append_images=images[1:],
        duration=lasting,
        loop=0,
        lossless=True,
        method=4,
    )
    return made.getvalue()


def _unprovisioned(config: dict[str, Any]) -> None:
    """Wired and provisioned on the bench, without a network and without keys."""
    config["portal"] = {"password": _PORTAL_PASSWORD}
    config["wifi"]["networks"] = []
    config["cloud"] |= dict.fromkeys(("device_id", "client_id", "client_secret"), "REPLACE-ME")


async def portal() -> dict[str, bytes]:
    """The page of the board's own Wi-Fi, on a phone that has joined it."""
    async with SystemFixture(interpreter.find(), edit=_unprovisioned) as fixture:
        await fixture.until("the portal is open", lambda: {53, 80} <= set(fixture.board.listening), 30)
        here = f"--host-resolver-rules=MAP * 127.0.0.1:{fixture.board.listening[80]}"
        async with _chromium(_PHONE, here) as page:
            await page.goto("http://192.168.4.1/")
            await page.get_by_text(SSID, exact=True).click()
            return {"portal.png": await _shot(page, full_page=True)}
