"""The dashboard in a real browser, with a real device behind it; and alone, with more than a device would tell."""

import asyncio
import contextlib
import json
import re
import time

import pytest
from playwright.async_api import async_playwright, expect

from tools.cloud.demo_device import CLIENT_SECRET
from tools.cloud.messages import Passed
from tools.dashboard import snapshot
from tools.dashboard.feed import LIMITS
from tools.dashboard.narration import Said
from tools.dashboard.page_server import Dashboard
from tools.dashboard.watch import Projection, Watch
from tools.env import browser, interpreter, uplot
from tools.fixture.system import SystemFixture

WITHIN_MS = 20_000
expect.set_options(timeout=WITHIN_MS)


@contextlib.asynccontextmanager
async def chromium():
    async with async_playwright() as driver:
        program = await driver.chromium.launch(executable_path=browser.find(), args=browser.FLAGS)
        try:
            yield program
        finally:
            await program.close()


async def opened(program, url, width=1280, scheme="light"):
    """A page in a browser of its own, which raises what goes wrong in it."""
    context = await program.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = await context.new_page()
    page.set_default_timeout(WITHIN_MS)
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on(
        "console", lambda said: page.wrong.append(said.text) if said.type in ("error", "warning") else None
    )
    await page.goto(url)
    await page.locator(".device").first.wait_for()
    return page


@contextlib.asynccontextmanager
async def running(transport="https", **options):
    """A device that is online, its dashboard, and a browser."""
    async with contextlib.AsyncExitStack() as stack:
        fixture = await stack.enter_async_context(
            SystemFixture(interpreter.find(), transport=transport, **options)
        )
        watch = Watch(fixture, "device 1", watched=lambda: dashboard.pages > 0)
        dashboard = Dashboard([watch])
        await stack.enter_async_context(watch)
        await stack.enter_async_context(dashboard)
        program = await stack.enter_async_context(chromium())
        await fixture.online(30)
        yield fixture, dashboard, program


def command(page, port):
    """Desired, reported and physical value, as the page shows them."""
    return page.locator(f'.command[data-port="{port}"] dd')


async def test_what_the_owner_wants_reaches_the_relay_and_every_page():
    async with running() as (fixture, dashboard, program):
        page = await opened(program, dashboard.url)
        other = await opened(program, dashboard.url, 375, "dark")
        await expect(page.locator(".state")).to_have_text("Online")
        await page.get_by_role("switch", name="pump").click()
        for each in (page, other):
            await expect(command(each, "6")).to_have_text(["on", "on", "on"])
            await expect(each.get_by_role("switch", name="pump")).to_have_attribute("aria-checked", "true")
        assert fixture.on("pump")

        # Regulation: the room is colder than the setpoint, and then warmer.
        setpoint = page.get_by_label("heater", exact=True)
        await setpoint.fill("30")
        await setpoint.press("Enter")
        await expect(command(other, "9")).to_have_text(["30", "30", "on"])
        await page.get_by_label("heater, slider").fill("6")
        await expect(command(other, "9")).to_have_text(["6", "6", "off"])
        await page.get_by_label("room temperature").fill("4")
        await expect(command(other, "9").last).to_have_text("on")

        # A value that is none stays here, and is explained.
        await setpoint.fill("18.3")
        await setpoint.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("steps of 0.5")
        await expect(setpoint).to_have_value("6")
        assert fixture.model.desired(fixture.device_id, "9") == "6.0"

        # A relay that is welded: its state and the reported value differ from the desired one.
        await page.get_by_label("pump, its relay").select_option("stuck off")
        await expect(command(page, "6").last).to_have_text("off")
        await expect(other.locator(".timeline")).to_contain_text("pump stuck off")
        assert page.wrong == [
            "Failed to load resource: the server responded with a status of 400 (Bad Request)"
        ]
        assert other.wrong == []


@pytest.mark.thorough
async def test_one_click_breaks_it_and_the_page_says_what_follows():
    async with running("auto") as (_, dashboard, program):
        page = await opened(program, dashboard.url)
        await expect(page.locator("[data-text=transport]")).to_have_text("MQTT")
        timeline = page.locator(".timeline")
        await page.get_by_label("heater", exact=True).fill("30")
        await page.get_by_label("heater", exact=True).press("Enter")
        await expect(command(page, "9").last).to_have_text("on")

        await page.get_by_label("ntc, its wires").select_option("unplugged")
        await expect(timeline).to_contain_text("ntc unplugged")
        await expect(command(page, "9").last).to_have_text("off")
        await expect(page.locator('.command[data-port="9"] .warn')).not_to_have_text("")
        await page.get_by_label("ntc, its wires").select_option("fine")
        await expect(command(page, "9").last).to_have_text("on")

        await page.get_by_role("button", name="Expire the token").click()
        await expect(timeline).to_contain_text("1 token(s) expired by the owner")
        await page.get_by_role("switch", name="Subscription").click()
        await expect(page.locator(".state")).to_have_text(re.compile("Not authorized|Safe state"))
        await expect(timeline).to_contain_text("safe state entered")
        await expect(page.locator(".why")).not_to_have_text("")
        await page.get_by_role("switch", name="Subscription").click()

        # Messages: both ways, readable, without secrets.
        await page.locator("[name=words]").fill("oauth/token")
        shown = page.locator(".messages > li:visible")
        await expect(shown.first).to_contain_text("oauth/token")
        await page.get_by_label("to the cloud").uncheck()
        await expect(shown.first).to_contain_text("← cloud https POST /oauth/token")
        await shown.first.locator("summary").click()
        await expect(shown.first.locator("pre")).to_contain_text('"access_token": "•••"')
        assert CLIENT_SECRET not in await page.content()

        await page.get_by_role("switch", name="Power", exact=True).click()
        await expect(page.locator(".state")).to_have_text("No power")
        await page.get_by_role("switch", name="Power", exact=True).click()
        await expect(page.locator("[data-text=boots]")).to_contain_text("2, last: power on")
        await expect(page.locator(".plot canvas")).to_have_count(2)
        assert page.wrong == []


# Without a device: what it would tell is put into the feed.


class Alone:
    """What a running device showed once, and whatever is put there."""

    def __init__(self, state):
        self.projection, self.calls, self._news = Projection(), [], asyncio.Event()
        self.feed = self.projection.feed
        self.projection.look(state)

    async def do(self, call):
        self.calls.append(call)
        self._news.set()

    async def asked(self, calls):
        """Wait until it was asked for so many things, and compare them."""
        async with asyncio.timeout(WITHIN_MS / 1000):
            while len(self.calls) < len(calls):
                await self._news.wait()
                self._news.clear()
        assert self.calls == calls

    def flood(self, count, start):
        for number in range(start, start + count):
            at = start + number * 0.06
            body = json.dumps({"value": "1.0", "n": number}).encode()
            self.projection.passed(Passed(at, "mqtt", number % 2 == 0, f"topic/{number:05}", 0, body))
            self.projection.said(Said("cloud", f"stored {number:05}", "green"), at)
            sample = {"t": at, **{part: {} for part in ("measured", "there", "desired", "on")}}
            self.feed.add("samples", sample)


@contextlib.asynccontextmanager
async def alone(count=1):
    async with SystemFixture(interpreter.find(), powered=False) as fixture:
        state = snapshot.look(fixture, time.time()) | {"about": snapshot.about(fixture, "device 1")}
    status = {"state": "safe", "safe": ["authorization expired"], "outputs": [["pump", False, 0, "min_off_s"]],
              "outbox": [3, 0], "version": "1", "slot": "a", "lease_s": 90}  # fmt: skip
    devices = [Alone(state | {"about": state["about"] | {"name": f"device {n + 1}"}}) for n in range(count)]
    for device in devices:
        device.projection.line(f"status {json.dumps(status)}", time.time())
        device.flood(20, 0)
    async with Dashboard(devices) as dashboard, chromium() as program:
        yield devices[0] if count == 1 else devices, dashboard, program


@pytest.mark.gate
async def test_all_of_it_works_with_keys_alone():
    """What can be clicked can be reached with Tab, shows the focus, and does with keys what it is there for."""
    async with alone() as (device, dashboard, program):
        page = await opened(program, dashboard.url)
        names = await reached(page)
        expected = {"pump", "heater", "heater, slider", "room temperature", "ntc, its wires", "Press", "Subscription",
                  "Expire the token", "503", "Add", "Timeline", "Messages"}  # fmt: skip
        assert expected <= set(names), expected - set(names)
        pump = page.get_by_role("switch", name="pump")
        await pump.focus()
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Tab")
        outline = "e => getComputedStyle(e).outlineStyle + getComputedStyle(e).outlineWidth"
        assert await pump.evaluate(outline) == "solid3px"
        await page.keyboard.press("Space")
        await page.get_by_label("heater, slider").focus()
        await page.keyboard.press("ArrowRight")
        await page.get_by_label("ntc, its wires").focus()
        await page.keyboard.press("ArrowDown")
        await page.get_by_role("button", name="Press").focus()
        await page.keyboard.press("Enter")
        await device.asked([
            {"verb": "set", "port": "6", "value": 1},
            {"verb": "set", "port": "9", "value": 19},
            {"verb": "sensor", "role": "ntc", "fault": "open"},
            {"verb": "button", "ms": 400},
        ])  # fmt: skip


async def reached(page):
    """The names of what has the focus, from Tab to Tab until it comes round."""
    names, name = [], "e => e.getAttribute('aria-label') || e.labels?.[0]?.innerText || e.innerText"
    for _ in range(120):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(f"({name})(document.activeElement)")
        if await page.evaluate("document.activeElement === document.body"):
            break
        names.append(focused.strip())
    return names


@pytest.mark.gate
async def test_of_several_devices_one_is_shown_and_driven():
    async with alone(3) as (devices, dashboard, program):
        page = await opened(program, dashboard.url)
        cards = page.get_by_role("navigation").get_by_role("button")
        await expect(cards).to_have_count(3)
        devices[2].projection.look({"board": devices[2].feed.state("board") | {"powered": True}})
        await expect(cards.last).to_contain_text("device 3: Safe state")
        await expect(page.locator(".device:visible .state")).to_have_text("No power")
        await cards.last.click()
        await expect(page.locator(".device:visible .state")).to_have_text("Safe state")
        await page.locator(".device:visible").get_by_role("switch", name="pump").click()
        await devices[2].asked([{"verb": "set", "port": "6", "value": 1}])
        assert not devices[0].calls and not devices[1].calls and page.wrong == []


@pytest.mark.gate
async def test_ten_minutes_of_a_thousand_messages_leave_the_page_as_it_was():
    async with alone() as (device, dashboard, program):
        page = await opened(program, dashboard.url)
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable")
        sizes, uses = [], []
        for minutes in range(2, 11, 2):
            for part in range(20):
                device.flood(100, 1_000 * (minutes - 2) + 100 * part)
                await asyncio.sleep(0)
            last = f"{1_000 * minutes - 1:05}"
            await expect(page.locator(".messages > li").first).to_contain_text(last)
            await expect(page.locator(".timeline > li").first).to_contain_text(last)
            sizes.append(await page.evaluate("document.querySelectorAll('*').length"))
            uses.append(await taken(session))
        assert await page.locator(".messages > li").count() <= LIMITS["messages"]
        assert max(sizes[1:]) - min(sizes[1:]) <= 20, sizes
        # Everything that is kept has been full since the first minutes.
        for first, last, room in zip(uses[0], uses[-1], (500_000, 50, 50), strict=True):
            assert last - first <= room, uses
        assert page.wrong == []


async def taken(session):
    """What a page has in use after a collection: bytes of its heap, elements and text nodes, listeners."""
    await session.send("HeapProfiler.collectGarbage")
    metrics = {
        item["name"]: item["value"] for item in (await session.send("Performance.getMetrics"))["metrics"]
    }
    return metrics["JSHeapUsedSize"], metrics["Nodes"], metrics["JSEventListeners"]


@pytest.mark.gate
async def test_who_reads_an_old_message_is_not_moved():
    async with alone() as (device, dashboard, program):
        page = await opened(program, dashboard.url)
        device.flood(100, 100)
        await expect(page.locator(".messages > li").first).to_contain_text("00199")
        row = page.locator(".messages > li", has_text="00150")
        await row.evaluate("e => e.parentNode.scrollTop = e.offsetTop - e.parentNode.offsetTop")
        before = await row.bounding_box()
        device.flood(30, 200)
        await expect(page.locator(".messages > li").first).to_contain_text("00229")
        assert abs((await row.bounding_box())["y"] - before["y"]) < 2
        await page.locator(".messages").evaluate("e => e.scrollTop = 0")
        await page.locator(".messages > li").first.locator("summary").click()
        before = await page.locator("[open]").bounding_box()
        device.flood(10, 230)
        await expect(page.locator(".messages > li").first).to_contain_text("00239")
        assert abs((await page.locator("[open]").bounding_box())["y"] - before["y"]) < 2, (
            "it is open, so it is read"
        )
        await page.get_by_label("hold").check()
        device.flood(10, 240)
        await expect(page.locator(".timeline > li").first).to_contain_text("00249")
        await expect(page.locator(".messages > li").first).to_contain_text("00239")
        await page.get_by_label("hold").uncheck()
        await expect(page.locator(".messages > li").first).to_contain_text("00249")


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = (back, colour) => {
    canvas.fillStyle = `rgb(${back})`; canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = (rgb) => rgb.map((part) => linear(part / 255))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (node) => {
    const chain = [];
    for (let e = node; e; e = e.parentElement) chain.unshift(getComputedStyle(e).backgroundColor);
    return chain.reduce(over, [255, 255, 255]);
  };
  const behindSvg = (node) => {
    const box = node.getBoundingClientRect();
    const shapes = [...node.ownerSVGElement.querySelectorAll("rect")].filter((shape) => {
      const b = shape.getBoundingClientRect();
      return b.left <= box.left && b.right >= box.right && b.top <= box.top && b.bottom >= box.bottom;
    });
    return shapes.map((shape) => getComputedStyle(shape).fill).reduce(over, behind(node.ownerSVGElement));
  };
  const found = [];
  let seen = 0;
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.getClientRects().length || ["OPTION", "SCRIPT", "TEMPLATE"].includes(node.tagName)) continue;
    const svg = node instanceof SVGElement, style = getComputedStyle(node);
    const back = svg ? behindSvg(node) : behind(node), front = over(back, svg ? style.fill : style.color);
    const [low, high] = [light(back), light(front)].sort((a, b) => a - b), ratio = (high + 0.05) / (low + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    seen += 1;
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${node.tagName} ${node.textContent.trim()}`);
  }
  return [seen, found];
}"""


UNNAMED = """[...document.querySelectorAll("input, select, button, meter, .plot, svg")].filter((e) => e.offsetParent
    && !(e.getAttribute("aria-label") || e.labels?.length || e.innerText?.trim() || e.title)).map((e) => e.outerHTML)"""


@pytest.mark.gate
async def test_it_can_be_read_on_a_phone_and_in_both_schemes():
    async with alone() as (_, dashboard, program):
        for scheme in ("light", "dark"):
            page = await opened(program, dashboard.url, 360, scheme)
            await expect(page.locator(".state")).to_have_text("No power")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360
            seen, poor = await page.evaluate(CONTRAST)
            assert seen > 100 and poor == []
            assert await page.evaluate(UNNAMED) == []


@pytest.mark.gate
async def test_the_end_of_the_demo_is_said_and_nothing_can_be_done_then():
    async with chromium() as program:
        async with alone() as (_, dashboard, _):
            page = await opened(program, dashboard.url)
        await expect(page.get_by_role("status")).to_contain_text("The demo has ended")
        assert await reached(page) == [], "nothing is left that could be used"


@pytest.mark.gate
async def test_without_the_library_the_page_says_so_and_shows_the_figures(monkeypatch):
    monkeypatch.setattr(uplot, "find", lambda: None)
    async with alone() as (_, dashboard, program):
        page = await opened(program, dashboard.url)
        await expect(page.locator(".no-charts")).to_contain_text("realer fetch charts")
        await expect(page.locator(".no-charts")).to_be_visible()
        await expect(page.locator("figcaption").first).to_contain_text("actual 17 °C")
        assert await page.locator(".plot:visible").count() == 0 and page.wrong == []
