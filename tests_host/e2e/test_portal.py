"""The setup portal on the virtual board, as a person with a phone meets it: a real browser, the real MicroPython."""

import asyncio
import contextlib
import json
import socket
import time

import pytest
from playwright.async_api import async_playwright

from dnsstub import resolver as dns
from tools.cloud.demo_device import CLIENT_SECRET
from tools.env import browser
from tools.fixture.system import SSID, WIFI_PASSWORD, SystemFixture

PORTAL_PASSWORD = "test-portal-password-not-real"
HOME = "http://192.168.4.1/"


def fresh(config):
    """As it leaves the bench: wired and provisioned, without a network and without keys."""
    config["portal"] = {"password": PORTAL_PASSWORD}
    config["wifi"]["networks"] = []
    config["cloud"] |= {"device_id": "REPLACE-ME", "client_id": "REPLACE-ME", "client_secret": "REPLACE-ME"}


def moved(config):
    """It worked once; since then the Wi-Fi has another password."""
    config["portal"] = {"password": PORTAL_PASSWORD, "wait_s": 5}
    config["wifi"]["networks"][0]["password"] = "an-old-password-not-real"


def found(port):
    """Where a phone is sent that looks for the internet."""
    with socket.socket(type=socket.SOCK_DGRAM) as wire:
        wire.settimeout(10)
        wire.sendto(dns.query(7, "captive.example"), ("127.0.0.1", port))
        return dns.parse(wire.recv(512), 7, "captive.example")[0]


@contextlib.asynccontextmanager
async def phone(fixture, scheme="light"):
    """A page in a browser that has joined the board's access point: every name leads to the board."""
    await fixture.until("the portal is open", lambda: {53, 80} <= set(fixture.board.listening), 30)
    port = fixture.board.listening[80]
    async with async_playwright() as driver:
        chromium = await driver.chromium.launch(
            executable_path=browser.find(),
            args=[*browser.FLAGS, f"--host-resolver-rules=MAP * 127.0.0.1:{port}"],
        )
        try:
            page = await chromium.new_page(viewport={"width": 375, "height": 667}, color_scheme=scheme)
            page.set_default_timeout(20_000)
            yield page
        finally:
            await chromium.close()


@pytest.mark.gate
@pytest.mark.thorough("64bit")
async def test_from_the_box_to_the_cloud_without_a_cable(any_interpreter):
    keys = {}

    def edit(config):
        keys.update(config["cloud"])
        fresh(config)

    async with SystemFixture(any_interpreter, edit=edit) as fixture:
        async with phone(fixture) as page:
            await page.goto("http://connectivitycheck.example/generate_204")
            assert page.url == HOME
            assert "bench device-0001" in await page.title()
            assert await asyncio.to_thread(found, fixture.board.listening[53]) == ["192.168.4.1"]
            assert await page.evaluate("document.documentElement.scrollWidth") <= 375

            await page.get_by_label("Wi-Fi network").fill(SSID)
            await page.get_by_label("Wi-Fi password").fill("short")
            await page.get_by_label("Device ID").fill(keys["device_id"])
            await page.get_by_label("Client ID").fill(keys["client_id"])
            await page.get_by_label("Client secret").fill(CLIENT_SECRET)
            await page.get_by_role("button").click()
            wrong = page.locator("#wrong-password")
            await wrong.wait_for()
            assert "8..64 characters" in await wrong.inner_text()
            assert await page.get_by_label("Wi-Fi network").input_value() == SSID
            assert CLIENT_SECRET not in await page.content()
            assert fixture.board.boots == 1

            await page.get_by_label("Wi-Fi password").fill(WIFI_PASSWORD)
            await page.get_by_label("Client secret").fill(CLIENT_SECRET)
            await page.get_by_role("button").click()
            await page.get_by_text("The device restarts now and joins bench").wait_for()
        await fixture.online(30)
        assert fixture.board.boots == 2 and fixture.board.reset_cause == "hard"
        assert not fixture.board.chip.access_point.active
        assert fixture.board.chip.access_point.seen == [("bench device-0001", 3)]
        output = "\n".join(fixture.lines)
        assert not any(secret in output for secret in (PORTAL_PASSWORD, WIFI_PASSWORD, CLIENT_SECRET))


SMALL = """[...document.querySelectorAll("input:not([type=hidden]), button, .row")].filter(
    e => e.offsetParent && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)"""


def luminance(rgb):
    return sum(int(part) for part in rgb.strip("rgba()").split(",")[:3])


@pytest.mark.gate
async def test_the_page_is_as_a_phones_own_settings_are(smallest):
    """A list of networks to tap, large fields, what was entered can be seen, dark where the phone is dark."""
    keys = {}

    def edit(config):
        keys.update(config["cloud"])
        fresh(config)

    async with SystemFixture(smallest, edit=edit) as fixture:
        async with phone(fixture, "dark") as page:
            refused = []
            page.on("console", lambda message: refused.append(message.text))
            await page.goto(HOME)
            assert "cloud.device_id" in await page.inner_text("body")  # why it is open
            assert await page.evaluate(SMALL) == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= 375
            colours = "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
            front, back = await page.eval_on_selector("input[name=ssid]", colours)
            assert luminance(front) > luminance(back)

            await page.get_by_role("button", name="Save").click()
            await page.get_by_text("Nothing was entered").wait_for()
            assert "enter its name" in await page.locator("#wrong-ssid").inner_text()
            assert "dashboard" in await page.locator("#wrong-client_secret").inner_text()

            await page.get_by_text(SSID, exact=True).click()
            assert await page.get_by_label("Wi-Fi network").input_value() == SSID
            password = page.get_by_label("Wi-Fi password")
            assert await password.evaluate("e => e === document.activeElement")
            await password.fill(WIFI_PASSWORD)
            assert await password.get_attribute("type") == "password"
            await page.get_by_label("Show what is entered").check()
            assert await password.get_attribute("type") == "text"
            await page.get_by_label("Show what is entered").uncheck()
            assert await password.get_attribute("type") == "password"
            await page.get_by_label("Device ID").fill(keys["device_id"])
            await page.get_by_label("Client ID").fill(keys["client_id"])
            await page.get_by_label("Client secret").fill(CLIENT_SECRET)
            await page.get_by_role("button", name="Save").click()
            await page.get_by_text(f"joins {SSID}").wait_for()
            assert refused == [] or all("422" in text for text in refused), refused
        await fixture.online(30)


@pytest.mark.gate
async def test_a_name_that_is_typed_counts_although_another_network_was_tapped(smallest):
    async with SystemFixture(smallest, edit=fresh) as fixture, phone(fixture) as page:
        await page.goto(HOME)
        await page.get_by_text(SSID, exact=True).click()
        await page.get_by_label("Wi-Fi network").fill("another one")
        await page.get_by_role("button", name="Save").click()
        await page.locator("#wrong-device_id").wait_for()
        assert await page.get_by_label("Wi-Fi network").input_value() == "another one"


async def first_connection(port):
    """Once the device listens: a port is known shortly before that."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)


async def test_silent_connections_do_not_block_others(smallest):
    async with SystemFixture(smallest, edit=fresh) as fixture:
        await fixture.until("the portal is open", lambda: 80 in fixture.board.listening, 30)
        port = fixture.board.listening[80]
        silent = [await first_connection(port)]
        silent += [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        try:
            for method in ("GET", "HEAD"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(f"{method} / HTTP/1.1\r\nHost: 192.168.4.1\r\n\r\n".encode())
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 8)
                assert head.startswith(b"HTTP/1.1 200") and b"script-src 'sha256-" in head
                rest = await asyncio.wait_for(reader.read(20), 8)
                assert bool(rest) == (method == "GET")
                writer.close()
        finally:
            for _, writer in silent:
                writer.close()


@pytest.mark.gate
async def test_a_board_that_no_longer_finds_its_network(smallest):
    async with SystemFixture(smallest, edit=moved) as fixture:
        async with phone(fixture) as page:
            await page.goto(HOME)
            fixture.board.press_button()  # nobody's business but the pump's
            await fixture.until("the pump runs by hand", lambda: fixture.on("pump"), 5)
            assert await page.get_by_label("Wi-Fi network").input_value() == SSID
            assert await page.get_by_label("Wi-Fi password").input_value() == ""
            assert "could not join any Wi-Fi it knows" in await page.inner_text("body")
            assert await page.locator(f"input[type=radio][value={SSID}]").count() == 1
            await page.get_by_label("Wi-Fi password").fill("short")
            await page.get_by_role("button").click()
            await page.locator("#wrong-password").wait_for()
            await page.get_by_label("Wi-Fi password").fill(WIFI_PASSWORD)
            await page.get_by_role("button").click()
            await page.get_by_text("Saved").wait_for()
        await fixture.online(30)
        written = json.loads((fixture.flash / "config.json").read_text())
        assert written["wifi"]["networks"] == [{"ssid": SSID, "password": WIFI_PASSWORD}]
        assert written | {"wifi": 0} == fixture.config | {"wifi": 0}


@pytest.mark.gate
async def test_a_page_elsewhere_cannot_send_the_form(smallest):
    async with SystemFixture(smallest, edit=fresh) as fixture:
        before = (fixture.flash / "config.json").read_text()
        async with phone(fixture) as page:
            await page.goto(HOME)
            await page.goto("about:blank")
            form = f'<form method="post" action="{HOME}save"><input name="ssid" value="evil"><button>x</button></form>'
            await page.set_content(form)
            await page.get_by_role("button").click()
            await page.get_by_text("That form has expired").wait_for()
            assert await page.get_by_label("Wi-Fi network").input_value() == ""
        assert fixture.board.boots == 1 and (fixture.flash / "config.json").read_text() == before


def asking(config):
    config["portal"] = {"password": PORTAL_PASSWORD}
    config["buttons"][0] |= {"opens_portal": True, "factory_reset": True}


@pytest.mark.gate
async def test_a_long_press_opens_the_portal_and_two_very_long_ones_forget_the_owner(smallest):
    async with SystemFixture(smallest, edit=asking) as fixture:

        async def hold(seconds):
            fixture.plant.press(27, seconds * 1000)
            await asyncio.sleep(seconds + 1)

        await fixture.online(30)
        await hold(11)
        await hold(11)
        await fixture.until("the portal is open", lambda: {53, 80} <= set(fixture.board.listening), 30)
        kept = json.loads((fixture.flash / "config.json").read_text())
        assert kept["wifi"]["networks"] == [] and "client_secret" not in kept["cloud"]
        assert [output["gpio"] for output in kept["outputs"]] == [16, 17] and kept["portal"] == {
            "password": PORTAL_PASSWORD
        }
        assert not [
            path.name for path in fixture.flash.iterdir() if path.name.startswith(("events", "state"))
        ]

    async with SystemFixture(smallest, edit=asking) as fixture:
        await fixture.online(30)
        fixture.plant.press(27, 6000)
        await fixture.until("the portal is open", lambda: {53, 80} <= set(fixture.board.listening), 40)
        kept = json.loads((fixture.flash / "config.json").read_text())
        assert kept["wifi"]["networks"] and fixture.board.boots == 2
        assert "asked" not in json.loads((fixture.flash / "boot.json").read_text())
