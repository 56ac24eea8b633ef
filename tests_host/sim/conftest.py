"""Stories of a whole device in virtual time: the `device` fixture, and what must hold at the end of every one.

`@pytest.mark.config(edit=function)` edits the raw configuration first; `@pytest.mark.button` is for whoever presses it.
"""

import asyncio
import inspect
import re
from dataclasses import replace

import pytest

from firmware.runtime import control_loop
from tools.cloud.demo_device import CLIENT_SECRET, DEVICE_ID
from tools.sim.loop import VirtualLoop
from tools.sim.sim_device import WIFI_PASSWORD, SimDevice, demo_config

_TOKEN = re.compile(r"[0-9a-f]{30}")


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "config(edit=function): change the raw configuration of the simulated device"
    )
    config.addinivalue_line("markers", "button: the story presses the button")


@pytest.fixture(autouse=True)
def _rare_looks(request, monkeypatch):
    """A button that nobody presses is looked at with each tick only: four of five turns of a device are such looks."""
    if not request.node.get_closest_marker("button"):
        monkeypatch.setattr(control_loop, "_SCAN_MS", control_loop._TICK_MS)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    loop = pyfuncitem.funcargs["virtual_loop"]
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    loop.run_until_complete(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture
def virtual_loop():
    loop = VirtualLoop()
    yield loop
    loop.run_until_complete(_end_tasks())
    loop.close()


async def _end_tasks():
    """What a story left running, or cancelled with its last breath."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def device(virtual_loop, tmp_path, request):
    """A device with the demo's hardware, switched on at the moment the story begins."""
    config = demo_config()
    for mark in request.node.iter_markers("config"):
        mark.kwargs["edit"](config)
    device = SimDevice(virtual_loop, tmp_path, config)
    device.power_on()
    yield device
    virtual_loop.run_until_complete(device.power_off())
    check_always(device)


def check_always(device):
    """No contract broken, no identity used twice, no secret in the log, the watchdog always fed."""
    assert device.model.violations == []
    ids = [item["message_id"] for item in device.feed()]
    assert len(ids) == len(set(ids))
    log = "\n".join(device.lines)
    assert CLIENT_SECRET not in log
    assert WIFI_PASSWORD not in log
    assert not _TOKEN.search(log)


def change(device, command_id, **fields):
    """A row of the cloud's catalog of commands."""
    device.model.put_command(DEVICE_ID, replace(device.model.find_command(DEVICE_ID, command_id), **fields))


async def pump(device, on, within_s):
    """The owner asks for the pump to be on or off, and the relay follows."""
    device.want("6", on)
    return await device.until(lambda: device.on("pump") == bool(on), within_s)


async def pump_on(device):
    await device.until(lambda: device.online, 60)
    await pump(device, 1, 15)


async def quiet(device):
    await device.until(lambda: device.online, 60)
    await device.until(lambda: not len(device.app.controller.outbox), 60)
