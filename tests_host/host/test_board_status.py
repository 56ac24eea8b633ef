"""What `realer status` makes of an answer."""

import time

import pytest

from tools.cli import board_status

TODAY = int(time.time()) // 86400
ANSWER = {
    "version": "0.1.0", "slot": "root", "boots": 1, "reset": "hard", "uptime_s": 5, "utc": 0, "state": "online",
    "lease_s": 9, "safe": [], "outputs": [], "readings": [], "outbox": [0, 0], "heap": [1, 2], "errors": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("days", "shown", "ails"),
    [
        (None, "", False),
        ((), "", False),
        ((400, 400), "roots      ends on", False),
        ((20, 400), "roots      first ends on", False),
        ((20, 20), "in 19 days", True),
        ((-30, -3), "last ended on", True),
    ],
)
def test_the_root_that_ends_last_decides(days, shown, ails):
    """The last one counts: the first may be one that the cloud has left."""
    answer = ANSWER | ({} if days is None else {"roots": [TODAY + day for day in days]})
    text = board_status.screen(answer).plain
    assert shown in text and ("roots " in text) == bool(days)
    assert bool(board_status.ailing(answer)) == ails
