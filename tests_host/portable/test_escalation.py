"""The steps of the escalation ladder, and what a failure is evidence for."""

from firmware.core.escalation import Silence, broken_step, may_reset, memory_step
from firmware.core.failures import kind_of

WRAP = 0x40000000
START = WRAP - 1000


def climbed(silence, seconds, up=lambda second: True):
    """[(second, step)], looked at every second."""
    found = []
    for second in range(seconds):
        step = silence.step((START + second * 1000) % WRAP, up(second))
        if step:
            found.append((second, step))
    return found


def test_each_step_has_its_waiting_time():
    assert climbed(Silence(START, True), 1000) == [(120, "join"), (300, "interface"), (900, "reset")]


def test_a_look_that_comes_late_climbs_too():
    silence = Silence(START, True)
    for late, step in ((120000, "join"), (180001, "interface"), (1000000, "reset")):
        start = silence.since.start
        assert silence.step((start + late) % WRAP, True) == step


def test_a_lan_is_restarted_and_never_joined():
    found = climbed(Silence(START, True, rejoins=False), 2600)
    assert found == [(180, "interface"), (780, "reset"), (1140, "interface"), (2340, "reset")]


def test_an_interface_that_is_broken_waits_ten_minutes_for_its_reset():
    assert [broken_step(seconds) for seconds in (0, 599, 600, 86400)] == [None, None, "reset", "reset"]


def test_each_round_waits_twice_as_long_up_to_sixteen_times():
    found = climbed(Silence(START, True), 90000)
    assert found[3:6] == [(1140, "join"), (1500, "interface"), (2700, "reset")]
    resets = [second for second, step in found if step == "reset"]
    assert max([later - resets[i] for i, later in enumerate(resets[1:])]) == 16 * 900


def test_without_any_answer_since_the_start_a_reset_takes_hours():
    found = climbed(Silence(START, False), 30 * 3600)
    first = min([second for second, step in found if step == "reset"])
    assert first >= 6 * 3600
    assert len([1 for second, step in found if second < first]) >= 6, "the radio is tried meanwhile"


def test_time_without_wifi_does_not_count_as_silence():
    assert climbed(Silence(START, True), 7 * 86400 // 10, lambda second: False) == []
    found = climbed(Silence(START, True), 700, lambda second: second % 100 != 0 or second > 400)
    assert found[0] == (520, "join"), "the waiting time begins anew with each connection"


def test_probes_every_half_minute_while_wifi_is_connected():
    silence = Silence(START, True)
    asked = [second for second in range(100) if silence.probes((START + second * 1000) % WRAP, second > 9)]
    assert asked == [10, 40, 70]


def test_the_steps_for_lack_of_memory():
    assert [memory_step(n, True, 3600) for n in range(1, 8)] == [
        None,
        None,
        "interface",
        None,
        None,
        "reset",
        "reset",
    ]
    assert [memory_step(n, False, 3600) for n in range(1, 8)] == [None] * 5 + ["reset"] * 2
    assert memory_step(50, True, 599) is None and memory_step(50, True, 600) == "reset"


class Output:
    def __init__(self, on, fault=None):
        self.on, self.fault = on, fault


def test_a_reset_waits_for_outputs_that_are_on_but_not_for_those_that_are_stuck():
    assert may_reset([], False) and may_reset([Output(False), Output(False)], False)
    assert not may_reset([Output(False), Output(True)], False)
    assert may_reset([Output(True, "GPIO 4 does not go off")], False)
    assert may_reset([Output(True)], True)


def test_errors_that_count_as_lack_of_memory():
    for kind, detail in (
        ("connect", "ENOMEM"),
        ("closed", "ENOMEM"),
        ("dns", "ENOMEM"),
        ("connect", "ENOBUFS"),
        ("connect", 23),
        ("closed", -12),
        ("tls", "MBEDTLS_ERR_SSL_ALLOC_FAILED"),
        ("tls", "SSL - Memory allocation failed"),
        ("tls", "X509 - Allocation of memory failed"),
        ("tls", "MBEDTLS_ERR_X509_FATAL_ERROR+MBEDTLS_ERR_MPI_ALLOC_FAILED"),
        ("tls", -0x7F00),
        ("tls", -0x2880),
        ("tls", -0x3F80),
        ("tls", -(0x3000 + 0x10)),
        ("tls", -(0x2180 + 0x6A)),
        ("closed", -0x10),
    ):
        assert kind_of(kind, detail, False) == "memory", (kind, detail)


def test_where_memory_is_scarce_a_handshake_that_fails_is_taken_for_the_lack_of_it():
    wrong = "The certificate is not correctly signed by the trusted CA"
    assert kind_of("tls", wrong, True) == "memory" and kind_of("tls", wrong, False) == "answered"
    assert kind_of("timeout", "send", True) == "memory" and kind_of("timeout", "send", False) == "silence"
    assert kind_of("timeout", "connect", True) == "silence"


def test_certificates_that_are_too_old_or_too_young_are_a_matter_of_dates():
    for text in ("The certificate validity has expired", "The certificate validity starts in the future"):
        assert kind_of("tls", text, False) == "dates"
        assert kind_of("tls", "The certificate Common Name (CN) does not match; " + text, False) == "dates"


def test_a_refusal_counts_as_an_answer():
    for kind, detail in (
        ("connect", "ECONNREFUSED"),
        ("closed", "ECONNRESET"),
        ("tls", "MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE"),
        ("tls", -0x7280 + 0x80),
        ("sntp", "kiss b'RATE'"),
    ):
        assert kind_of(kind, detail, False) == "answered", (kind, detail)


def test_errors_that_count_as_silence():
    for kind, detail in (
        ("timeout", "connect"),
        ("timeout", "head"),
        ("dns", "no answer"),
        ("connect", "EHOSTUNREACH"),
        ("connect", 118),
        ("closed", "no response"),
        ("closed", "ECONNABORTED"),
    ):
        assert kind_of(kind, detail, False) == "silence", (kind, detail)
