"""What every host test gets: coroutines as tests, property tests that repeat exactly, a fair share of the machine."""

import asyncio
import contextlib
import gc
import inspect
import itertools
import os
import re
import subprocess
import sys

import hypothesis
import pytest

from tests_host.support.blocking import ROOT, Guard
from tools.build.bundle_cache import bundled
from tools.build.mpy import CompileError

# The same examples on every run and no time limit per example: a red test must be red again on the next run.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


THOROUGH = re.compile(
    # Rows that share most with a row that stays, and what only a board with memory for two connections does.
    r"/test_link_contract\.py::test_(only_link|a_cancelled)\w+\[realer-mqtt"
    r"|/test_link_contract\.py::\w+\[(bootstrap-mqtt|auto-|realer-auto)"
    r"|/sim/test_(mqtt|transport)\.py::\w+\[two_tls"
    r"|/test_fault_injection\.py::test_(nothing_is_violated(\[[1-24-9]\]|_\w+\[([2-9]|1\d)\])|the_same_seed|reports_a_desired)"
    r"|/test_long\.py::test_a_day"
    r"|/test_every_cloud\.py::\w+\[(bootstrap|auto)"
    r"|/test_flash_cuts\.py::test_a_flash_that_refuses"
    r"|/test_power_cuts\.py::\w+\[(realer-https|realer-auto|bootstrap-mqtt|realino)"
    r"|/sim/test_(start\.py::test_regulates|authorization\.py::test_a_token_is_renewed|answers\.py::test_a_strict)"
    r"|/test_generations\.py::test_(a_new_catalog|without_a_bootstrap|a_desired_state_over_mqtt)"
    # The same scenario on the other interpreter, or with another generation.
    r"|/test_smoke\.py::test_the_scenario_holds\[(64bit|32bit-bootstrap|32bit-realino)"
    r"|/e2e/test_thinger\.py::test_the_scenario_holds\[64bit"
    r"|/e2e/test_fleet\.py::test_real_devices"
    # With what `make test` fetches for TESTS=all only.
    r"|/test_mqtt5_broker\.py::\w+\[(ejabberd|aedes)"
    r"|/test_mqtt\.py::test_renewal_in_the_middle_of_traffic_loses_nothing\[64bit"
    r"|/e2e/test_(status|lifetime|portal)\.py::\w+\[64bit"
    # What takes most of a minute.
    r"|/test_update\.py::test_a_(board_with|partition|version)"
    r"|/e2e/test_memory\.py::test_(hundreds|an_outage|a_full_outbox|allocation\w+\[[24]\]|more_relays\w+\[stock-https-16)"
    r"|/e2e/test_(http_servers|mqtt_cluster)\.py"
    r"|/test_package\.py::test_mip"
    r"|/e2e/test_deploy\.py::test_(a_network|a_version|a_wrong_secret|a_silent_board|code_that)"
    r"|/test_demo\.py::test_(keys\w+\[https\]|mqtt_is_shown|a_signal\w+\[15\]|several_devices|the_page\w+\[more1)"
    r"|/e2e/test_status\.py::test_the_doctor"
    r"|/e2e/test_(dashboard\.py::test_(one_click|a_thousand)|own_board\.py)"
    r"|/test_deploy_rom\.py::test_(a_version|a_cable|all_units|code_in)"
    r"|/host/test_deploy\.py::test_a_cable"
    r"|/test_old_versions\.py::test_the_portable_tests\[\S+-[0-2]\]"
    r"|/test_doctor\.py::test_(a_time_server|what_a_name|it_explains)\w+\["
    r"|/test_realer_links\.py::\w+\[(auto|bootstrap|realer-auto)"
    r"|/test_mangled_names\.py::test_a_change"
    # Hours in virtual time, of which one row stays.
    r"|/sim/test_clock\.py::test_a_(wrong_time_beside|clock_that_is_wrong)"
    r"|/sim/test_fault_injection\.py::test_(a_violation|nothing_is_violated\[3\])"
    r"|/test_power_cuts\.py::\w+\[(realer-mqtt|bootstrap-https)"
    r"|/sim/test_escalation\.py::test_a_(slow_poller|wifi_outage|pending_reset|reset_waits_no)"
    r"|/sim/test_escalation\.py::test_(memory_that_recovers\w+\[lack[12]|after_a_useless|\w+climbs_no_rung\[_(fails|refuses))"
    r"|/sim/test_transport\.py::test_(a_refusal_of_mqtt|without_mqtt|no_report_is_lost|credentials)"
    r"|/sim/test_generations\.py::test_(hundreds|while_both|a_full_outbox|mqtt_that_is_not|a_withdrawn)"
    r"|/sim/test_mqtt\.py::test_(a_burst|renewal_in|a_lost_desired)"
    r"|/sim/test_recovery\.py::test_polling_comes_back"
    r"|/sim/test_(outputs\.py::test_a_misplaced_sensor|clock\.py::test_a_single)"
    r"|/sim/test_authorization\.py::test_(a_failed_renewal|refused_keys|a_cloud_that_refuses)"
    r"|/sim/test_(fault_injection\.py::test_nothing|escalation\.py::test_(memory_that|short_memory|an_outage_of_the_cloud)|every_cloud\.py)"
    r"|/host/test_old_device\.py::test_from_power_on\w+\[(1\.24\.0-(auto|https)|1\.29\.0-(auto|mqtt))"
    r"|/e2e/test_deploy\.py::test_a_board_runs_on\w+\[(restarted|arrived-1)"
    r"|/host/test_flash_cuts\.py::\w+\[64-bit"
    r"|/test_link_contract\.py::test_a_cancelled\w+\[(bootstrap|realino)"
    r"|/host/test_config_meaning\.py::test_boot_device"
    r"|/e2e/test_wifi_cut\.py::\w+\[64bit"
    r"|/e2e/test_ladder\.py::test_(a_remedy|a_reset_waits|an_outage\w+\[any (hang|status))"
    r"|/host/test_portable\.py::test_on_micropython\[64-bit"
    r"|/host/test_doctor\.py::test_(a_server_of_updates|an_access_point|an_address_that\w+\[keys[0-2]|a_board\w+\[[x\[])"
    r"|/e2e/test_provisioning\.py"
    r"|/e2e/test_roots\.py::test_(a_rescue|nobody|roots_that_are_none|a_bundle\w+\[own)"
    r"|/host/test_doctor\.py::test_a_root_that_ends_soon\w+\[179"
    r"|/e2e/test_update\.py::test_(a_bundle_with_a_wrong|a_server_without|a_new_version\w+\[(mqtt|auto))"
)
"""What `make test` and `make check` leave out: more of what there is, and what takes long. TESTS=check leaves out what
of it waits for real time (`e2e/`), TESTS=all nothing."""
SLOW = re.compile(
    r"/sim/test_lan\.py::test_a_cable_that_is_out_for_a_day"
    r"|/sim/test_outputs\.py::test_(a_schedule_counts|without_a_clock)"
    r"|/e2e/test_ladder\.py::test_(an_outage|a_dead)"
    r"|/e2e/test_deploy\.py::test_a_(board_runs_on\w+\[(repl-[^1]|repl-15|arrived-2|sending)|cable_unplugged)"
    r"|/e2e/test_(roots|update\.py::test_an_update_that)"
    r"|/e2e/test_wifi_cut\.py::\w+\[32bit-(https-olimex|mqtt)"
    r"|/e2e/test_mqtt\.py::test_(an_impostor\w+\[[wu]|a_retained\w+\[mqtt-3)"
    r"|/e2e/test_(status\.py::test_noise|portal\.py::test_a_long_press|demo\.py::test_a_signal\w+\[2)"
    r"|/e2e/test_thinger\.py::test_a_bad_certificate\w+\[(unknown|wrong)"
    r"|/e2e/test_memory\.py::test_(allocation|more_relays\w+\[stock-auto-8)"
    r"|/e2e/test_(certificates|recipe\.py::test_the_demo_shows)"
    r"|/host/test_(flash_cuts|mangler\.py::test_the_whole|config_fuzz|mqtt5_properties|fuzz\.py::test_damaged)"
    r"|/host/test_(write_a_driver\.py::test_the_gates|old_versions\.py::test_a_bad_file|boards\.py::test_what_a_board)"
    r"|/host/test_(bundler\.py::test_every_name|command_lines\.py::test_what_pip)"
    r"|/sim/test_(answers\.py::test_an_unreachable|lan\.py::test_silence_restarts|escalation\.py::test_queries)"
    r"|/sim/test_(transport\.py::test_what_changes|portal\.py::test_it_opens)"
    r"|/e2e/test_(closed_terminal|native_usb|recipe|kinds|thinger)\.py"
    r"|/e2e/test_mqtt\.py::test_(renewal|the_device_reconnects\w+\[64)"
    r"|/e2e/test_(wifi_cut\.py::test_the_demos|demo\.py::test_the_board_is|dashboard\.py::test_all_of_it)"
    r"|/host/test_(write_a_driver|typecheck|zone|portable\.py::test_on_micropython\[32-bit-test_large)"
    r"|/host/test_(doctor\.py::test_a_lan|config\.py::test_there_is_a_way)"
    r"|/test_smoke\.py::test_the_scenario_holds_on_other_chips\[esp32(c6|s2|s3)"
    r"|/sim/test_link_contract\.py::test_only_link_errors\w+\[realino-https"
    r"|/sim/test_start\.py::test_(late_wifi|a_connection\w+\[(closed|connect|tls))"
    r"|/sim/test_escalation\.py::test_(a_reset_waits|any_answer\w+\[(names|time))"
    r"|/sim/test_realino\.py::test_(a_server_that_refuses|the_plan\w+\[(5|30)|a_removed_sensor)"
    r"|/sim/test_answers\.py::test_429_lengthens"
    r"|/sim/test_mqtt\.py::test_(a_new_command|a_route_without)"
    r"|/sim/test_(lan\.py::test_a_cable_that_is_plugged|portal\.py::test_it_never|thinger\.py::test_an_hour)"
    r"|/host/test_old_device\.py::test_an_interpreter"
    r"|/host/test_config\.py::test_(a_complete_dialog|answers_survive|country|more_network)"
    r"|/host/test_cli\.py::test_the_long_commands_do\[argv[12]"
    r"|/host/test_doctor\.py::test_(what_is_on|each_kind|wires)"
    r"|/e2e/test_update\.py::test_a_new_version\w+\[https"
    r"|/e2e/test_deploy\.py::test_a_board_(with_a_rom|keeps_running)"
    r"|/e2e/test_demo\.py::test_(the_page_is_opened|a_signal\w+\[1\])"
    r"|/e2e/test_dashboard\.py::test_(the_end|who_reads|it_can_be_read)"
    r"|/e2e/test_(screens\.py::\w+\[deploy|portal\.py::test_(a_board_that_no_longer|a_name_that|the_page_is_as|a_page_else))"
    r"|/sim/test_link_contract\.py::\w+\[bootstrap-https"
    r"|/sim/test_realino\.py::test_(a_|an_inactive)"
    r"|/sim/test_generations\.py::test_(refused_keys|mqtt_is_not|the_least|realino_is|transport_mqtt|contradictory|without_any)"
    r"|/sim/test_answers\.py::test_(no_report_is_lost|catalog_errors)\w+\[[a-r]"
    r"|/sim/test_mqtt\.py::test_(no_report_is_lost\w+\[one_tls-[a-r]|credentials_that|without_a_credential|a_refused_report)"
    r"|/sim/test_thinger\.py::test_(a_bucket|a_refused|a_setpoint|an_outage)"
    r"|/sim/test_(start\.py::test_a_connection\w+\[timeout|long\.py::test_a_link_that|recovery\.py::\w+\[two)"
    r"|/host/test_config\.py::test_(an_answer_that|placeholders|another_fixed|without_a_cloud|wrong_keys|a_configuration_that_is)"
    r"|/host/test_doctor\.py::test_(the_second|name_and_time|a_fixed|an_address|at_thinger|a_cloud_that_is|a_board_without)"
    r"|/host/test_(ca\.py::test_a_(certificate\w+\[[n-w]|private)|update_bundle\.py::test_(the_command_serves|bundles_bring))"
    r"|/host/test_(deploy_rom|flash|package)\.py::test_(an_interr|mpremote_f|a_flash_that|an_image_for|missing|a_build_that)"
    r"|/(e2e/test_(lib_alone|mqtt5_broker|mqtt)|host/test_update_cut)\.py::\w+\[(mosquitto-)?64-?bit"
    r"|/e2e/test_status\.py::test_(a_busy_port\w+\[(deploy|monitor|doctor)|below|status_stays)"
    r"|/e2e/test_dashboard\.py::test_(of_several|without_the_library|ten_minutes)"
    r"|/e2e/test_(smoke\.py::test_(the_newest\w+\[b|\w+on_other_chips)|wifi_cut\.py::test_no_desired|memory\.py::test_more)"
    r"|/e2e/test_(mqtt\.py::test_polling_takes|deploy\.py::test_(an_invalid|a_board_runs)|demo\.py::test_keys)"
    r"|/e2e/test_(smoke\.py::test_the_scenario_holds\[32bit-realer-https|portal\.py::test_from|mqtt5_broker\.py::test_many)"
    r"|/(host/test_lib_properties|sim/test_(thinger|realer_links))\.py"
)
"""What `make test` leaves out beside, for its five minutes, and `make check` (TESTS=gate) has."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "waits: mostly waits, as all in e2e/ does; begins early, beside what computes"
    )
    config.addinivalue_line("markers", "long: waits for tens of seconds; begins first")
    for name, first in (("gate", "gate"), ("thorough", "check, in e2e/ from TESTS=all")):
        config.addinivalue_line(
            "markers", f"{name}(*rows): runs from TESTS={first} on; with rows, those whose ids begin so"
        )


def pytest_xdist_auto_num_workers() -> int:
    """More processes than cores: the tests with real boards mostly wait for them."""
    return 5 + (os.cpu_count() or 1)


def pytest_xdist_setupnodes() -> None:
    """Make once what in a fresh clone all processes would make at the same time: bundled firmware, compiled tests."""
    with contextlib.suppress(CompileError):
        bundled(ROOT)
    if not sys.dont_write_bytecode and not any(ROOT.glob("tests_host/sim/__pycache__/*-pytest-*")):
        subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only"], cwd=ROOT, stdout=subprocess.DEVNULL
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what TESTS says: see THOROUGH and SLOW. Deal the tests for `--dist worksteal`, which gives each process
    as many of them, in this order, and moves later what is left: one process for each core has only such that compute,
    the others begin with such that wait."""
    config.hook.pytest_deselected(items=list(filter(_left_out, items)))
    items[:] = itertools.filterfalse(_left_out, items)
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    waiting_processes = processes - min(os.cpu_count() or 1, processes - 1)
    waiting = sorted(filter(_wait_rank, items), key=_wait_rank, reverse=True)
    computing = iter([item for item in items if not _wait_rank(item)])
    dealt: list[pytest.Item] = []
    for left in range(processes, 0, -1):
        first = waiting[left - 1 :: waiting_processes] if left <= waiting_processes else []
        share = (len(items) - len(dealt)) // left
        dealt += [*first, *itertools.islice(computing, max(share - len(first), 0))]
    items[:] = [*dealt, *computing]


def pytest_collection_finish() -> None:
    """Modules and tests live as long as the process: the collector need not look through them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20000, 20, 50)


def _left_out(item: pytest.Item) -> bool:
    match os.environ.get("TESTS", "all"):
        case "quick":
            return _marked(item, "gate") or _marked(item, "thorough")
        case "gate":
            return _marked(item, "thorough")
        case "check":
            return "/e2e/" in item.nodeid and _marked(item, "thorough")
    return False


def _marked(item: pytest.Item, name: str) -> bool:
    row = item.callspec.id if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ""
    listed = {"gate": SLOW, "thorough": THOROUGH}[name].search(item.nodeid)
    return bool(listed) or any(not mark.args or row.startswith(mark.args) for mark in item.iter_markers(name))


def _wait_rank(item: pytest.Item) -> int:
    """How early a test has to begin because it waits; 0 for one that computes."""
    if item.get_closest_marker("long"):
        return 2
    return int("/e2e/" in item.nodeid or item.get_closest_marker("waits") is not None)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run `async def test_*` in an event loop of its own, as the runner on MicroPython does."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session")
def _blocking_calls():
    guard = Guard(ROOT / "firmware", ROOT / "lib")
    with pytest.MonkeyPatch.context() as patch:
        guard.install(patch)
        yield guard.found


@pytest.fixture(autouse=True)
def _never_blocked(_blocking_calls):
    """Device code that sleeps, looks names up or waits at a socket would stall every loop of a device."""
    _blocking_calls.clear()
    yield
    assert not _blocking_calls
