"""An update of a fleet in steps: who is asked when, and when nobody is asked any more."""

import json
import sys

import pytest

from tools import common
from tools.cli import board_list, rollout

FLEET = [board_list.Listed(str(n), group="canary" if n < 3 else "rest") for n in range(40)]


def test_each_step_adds_boards_until_all_are_in():
    steps = rollout.steps(FLEET, ["canary", "10%", "50%", "100%"], 7)
    assert [len(step) for step in steps] == [3, 1, 16, 20]
    assert sorted(steps[0]) == ["0", "1", "2"]
    assert sorted(device for step in steps for device in step) == sorted(board.device for board in FLEET)
    assert steps == rollout.steps(FLEET, ["canary", "10%", "50%", "100%"], 7)
    assert steps != rollout.steps(FLEET, ["canary", "10%", "50%", "100%"], 8), (
        "not always the same ones first"
    )
    assert [len(step) for step in rollout.steps(FLEET, ["1", "5", "5", "1%", "90"], 7)] == [1, 4, 0, 0, 35]
    assert [len(step) for step in rollout.steps(FLEET, ["rest", "canary"], 7)] == [37, 3]


@pytest.mark.parametrize("stage", ["0%", "101%", "0", "nobody", "", "-5%"])
def test_a_step_that_is_none(stage):
    with pytest.raises(ValueError):
        rollout.steps(FLEET, [stage], 7)


class Cloud:
    """Boards that install what is asked for after ten seconds, but for the `broken` ones; time that passes at once."""

    def __init__(self, broken=(), record=None):
        self.time, self.broken = 0.0, broken
        self.asked, self.saved = {}, []
        self.record = record or rollout.Record(7)
        self.rollout = rollout.Rollout(
            self.record, self.ask, self.reported, lambda kept: self.saved.append(json.dumps(vars(kept))),
            lambda text: None, lambda: self.time, self.sleep,
        )  # fmt: skip

    def ask(self, device):
        self.asked.setdefault(device, self.time)

    def sleep(self, seconds):
        self.time += seconds

    def reported(self, device):
        return 7 if device not in self.broken and self.time - self.asked[device] >= 10 else 6

    def run(self, steps, most_failed=0):
        self.rollout.run(steps, 60, 5, most_failed)


STEPS = [["a"], ["b", "c"], ["d", "e", "f"]]


def test_a_step_begins_when_the_one_before_is_done():
    cloud = Cloud()
    cloud.run(STEPS)
    assert cloud.asked == {"a": 0, "b": 10, "c": 10, "d": 20, "e": 20, "f": 20}
    assert sorted(cloud.record.done) == list("abcdef") and not cloud.record.failed and not cloud.record.asked


def test_a_board_that_fails_stops_what_comes_after():
    cloud = Cloud(broken={"c"})
    with pytest.raises(rollout.Stopped):
        cloud.run(STEPS)
    assert set(cloud.asked) == {"a", "b", "c"} and cloud.time == 70
    assert (cloud.record.done, cloud.record.failed) == (["a", "b"], ["c"])
    assert json.loads(cloud.saved[-1])["failed"] == ["c"]


def test_a_rollout_that_stopped_asks_nobody_more_when_it_is_begun_again():
    cloud = Cloud(record=rollout.Record(7, done=["a", "b"], failed=["c"]))
    with pytest.raises(rollout.Stopped):
        cloud.run(STEPS)
    assert not cloud.asked
    cloud.run(STEPS, most_failed=1)
    assert sorted(cloud.asked) == ["d", "e", "f"]


def test_so_many_may_fail():
    cloud = Cloud(broken={"b", "d"})
    cloud.run(STEPS, most_failed=2)
    assert sorted(cloud.record.failed) == ["b", "d"] and sorted(cloud.record.done) == list("acef")


def test_an_interrupted_rollout_goes_on_and_asks_again_who_had_not_reported():
    cloud = Cloud(record=rollout.Record(7, asked=["c"], done=["a", "b"]))
    cloud.run(STEPS)
    assert set(cloud.asked) == {"c", "d", "e", "f"} and sorted(cloud.record.done) == list("abcdef")


ASK = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
REPORTED = (
    "import sys, pathlib; print(float(pathlib.Path(sys.argv[1]).read_text()) - (sys.argv[1][-1] == '3'))"
)


def test_the_command_asks_by_commands_and_remembers(tmp_path, capsys):
    """Boards that run at once what they are asked for, but for device 3, which stays at the number before."""
    board_list.write(tmp_path, FLEET[:4])
    ask = f"{sys.executable} -c '{ASK}' {tmp_path}/now{{device}} {{number}}"
    reported = f'{sys.executable} -c "{REPORTED}" {tmp_path}/now{{device}}'
    argv = [
        "7",
        "--boards",
        str(tmp_path),
        "--ask",
        ask,
        "--reported",
        reported,
        "--every",
        "0",
        "--within",
        "0",
    ]
    assert rollout.main([*argv, "--stages", "canary"]) == 0
    assert "3 of 4 boards report 7" in capsys.readouterr().out
    with pytest.raises(common.Failed, match="1 board failed: 3"):
        rollout.main([*argv, "--stages", "canary,100%"])
    record = json.loads((tmp_path / rollout.RECORD).read_text())
    assert record["failed"] == ["3"] and sorted(record["done"]) == ["0", "1", "2"]
    (tmp_path / "now0").unlink()
    assert rollout.main([*argv, "--stages", "100%", "--most-failures", "1"]) == 0
    assert not (tmp_path / "now0").exists(), "who has it is not asked again"
    with pytest.raises(common.Failed, match="status 1"):
        rollout.main([*argv, "--ask", "false {device} {number}", "--again"])
    with pytest.raises(common.Failed, match="no-such-command"):
        rollout.main([*argv, "--ask", "no-such-command {device} {number}", "--again"])


@pytest.mark.parametrize("command", ["./set.sh {number}", "./set.sh {device}", "'{device} {number}", ""])
def test_a_command_that_cannot_ask_a_board_is_wrong_usage(tmp_path, command, capsys):
    board_list.write(tmp_path, FLEET[:1])
    with pytest.raises(SystemExit, match="2"):
        rollout.main(["7", "--boards", str(tmp_path), "--ask", command, "--reported", "true {device}"])
    assert "--ask" in capsys.readouterr().err and not (tmp_path / rollout.RECORD).exists()


def test_a_rollout_whose_command_fails_says_that_it_can_go_on(tmp_path):
    """The cloud is away while the second step is asked."""
    board_list.write(tmp_path, FLEET[:4])
    argv = ["7", "--boards", str(tmp_path), "--stages", "canary,100%", "--every", "0"]
    argv += ["--reported", f'{sys.executable} -c "print(7)" {{device}}']
    ask = f'{sys.executable} -c "import sys; sys.exit({{device}} == 3)" {{number}}'
    with pytest.raises(common.Failed, match="status 1") as failed:
        rollout.main([*argv, "--ask", ask])
    assert "continues from here" in failed.value.do
    record = json.loads((tmp_path / rollout.RECORD).read_text())
    assert (sorted(record["done"]), record["asked"]) == (["0", "1", "2"], ["3"])
    assert rollout.main([*argv, "--ask", "true {device} {number}"]) == 0
