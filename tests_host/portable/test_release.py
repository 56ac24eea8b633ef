"""The bundle that runs, as the target of a command: it is asked for and reported, and nothing is switched for it."""

from firmware.core.catalog import apply_catalog
from firmware.core.command import CommandState
from firmware.core.controller import Controller
from firmware.core.models import Catalog, Command, Desired
from firmware.core.outbox import Outbox
from firmware.core.release import Release
from firmware.core.safety import Lease, Safety


def refuse(index, on):
    raise AssertionError("there is no relay %d" % index)


def test_a_bundle_number_is_desired_and_reported_without_switching():
    release = Release("99", 5, 5)
    controller = Controller(
        [], [], Outbox(1, 2, 0), Safety(0, 0), refuse, lambda level, text: None, [release]
    )
    lease = Lease(0)
    lease.grant(0, 3600, 0)
    lease.confirm()
    apply_catalog(controller, Catalog([Command(9, "relay", "99", None, None, None, "")], []))
    controller.tick(lease, 0, 1777025700)
    controller.receive_desired(Desired(9, "7", "des_1", 1, 300), 100)
    controller.tick(lease, 100, 1777025700)
    assert release.target == 7 and release.value() == 5
    # Found end to end: an update that was given up counted as a pin that did not follow, and the control loop died of
    # it.
    release.why = "the bundle is another one"
    release.demand(None)
    controller.tick(lease, 200, 1777025700)
    controller.force_safe()
    assert controller.outbox.batch(1)[0].value == "5.0"


def test_a_bundle_has_a_whole_number_from_1_on():
    for value in ("0", "-1", "1.5", "1000000", "x"):
        release = Release("99", 5, 5)
        command = CommandState(Outbox(1, 2, 0), release)
        command.bind_row(Command(9, "relay", "99", None, None, None, None))
        assert command.receive_desired(Desired(9, value, "des_1", 1, 300), 100, False), value
        assert release.target is None and command.answered.status == "rejected", value


def test_a_bundle_on_trial_is_reported_and_acknowledged_when_it_is_confirmed():
    release = Release("99", 7, 5)
    command = CommandState(Outbox(1, 2, 0), release)
    command.bind_row(Command(9, "relay", "99", None, None, None, None))
    command.receive_desired(Desired(9, "7", "des_1", 1, 300), 100, False)
    command.tick(200)
    assert command.answered is None and command.present() == 5
    release.reported = release.number
    command.tick(300)
    assert command.answered.status == "applied" and command.answered.value == 7000
