"""The setup portal on the virtual board, as a person with a phone meets it: a real browser, the real MicroPython."""

import asyncio
import contextlib
import json
import socket

from playwright.async_api import async_playwright

from dnsstub import resolver as dns
from tools import browser
from tools.cloud.demo import CLIENT_SECRET
from tools.stage import SSID, WIFI_PASSWORD, Stage

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
async def phone(stage):
    """A page in a browser that has joined the board's access point: every name leads to the board."""
    await stage.until("the portal is open", lambda: any("portal: open" in line for line in stage.lines), 30)
    port = stage.board.listening[80]
    async with async_playwright() as driver:
        chromium = await driver.chromium.launch(
            executable_path=browser.find(),
            args=[*browser.FLAGS, f"--host-resolver-rules=MAP * 127.0.0.1:{port}"],
        )
        try:
            page = await chromium.new_page(viewport={"width": 360, "height": 640})
            page.set_default_timeout(20_000)
            yield page
        finally:
            await chromium.close()


async def test_from_the_box_to_the_cloud_without_a_cable(any_interpreter):
    keys = {}

    def edit(config):
        keys.update(config["cloud"])
        fresh(config)

    async with Stage(any_interpreter, edit=edit) as stage:
        async with phone(stage) as page:
            await page.goto("http://connectivitycheck.example/generate_204")
            assert page.url == HOME
            assert "bench device-0001" in await page.title()
            assert await asyncio.to_thread(found, stage.board.listening[53]) == ["192.168.4.1"]
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360

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
            assert stage.board.boots == 1

            await page.get_by_label("Wi-Fi password").fill(WIFI_PASSWORD)
            await page.get_by_label("Client secret").fill(CLIENT_SECRET)
            await page.get_by_role("button").click()
            await page.get_by_text("The device restarts now and joins bench").wait_for()
        await stage.online(30)
        assert stage.board.boots == 2 and stage.board.reset_cause == "hard"
        assert not stage.board.chip.access_point.active
        assert stage.board.chip.access_point.seen == [("bench device-0001", 3)]
        said = "\n".join(stage.lines)
        assert not any(secret in said for secret in (PORTAL_PASSWORD, WIFI_PASSWORD, CLIENT_SECRET))


async def test_a_board_that_no_longer_finds_its_network(smallest):
    async with Stage(smallest, edit=moved) as stage:
        async with phone(stage) as page:
            await page.goto(HOME)
            stage.board.press_button()  # nobody's business but the pump's
            await stage.until("the pump runs by hand", lambda: stage.on("pump"), 5)
            assert await page.get_by_label("Wi-Fi network").input_value() == SSID
            assert await page.get_by_label("Wi-Fi password").input_value() == ""
            await page.get_by_label("Wi-Fi password").fill("short")
            await page.get_by_role("button").click()
            await page.locator("#wrong-password").wait_for()
            await page.get_by_label("Wi-Fi password").fill(WIFI_PASSWORD)
            await page.get_by_role("button").click()
            await page.get_by_text("Saved").wait_for()
        await stage.online(30)
        written = json.loads((stage.flash / "config.json").read_text())
        assert written["wifi"]["networks"] == [{"ssid": SSID, "password": WIFI_PASSWORD}]
        assert written | {"wifi": 0} == stage.config | {"wifi": 0}


async def test_a_page_elsewhere_cannot_send_the_form(smallest):
    async with Stage(smallest, edit=fresh) as stage:
        before = (stage.flash / "config.json").read_text()
        async with phone(stage) as page:
            await page.goto(HOME)
            await page.goto("about:blank")
            form = f'<form method="post" action="{HOME}save"><input name="ssid" value="evil"><button>x</button></form>'
            await page.set_content(form)
            await page.get_by_role("button").click()
            await page.get_by_text("That form was an old one").wait_for()
            assert await page.get_by_label("Wi-Fi network").input_value() == ""
        assert stage.board.boots == 1 and (stage.flash / "config.json").read_text() == before
