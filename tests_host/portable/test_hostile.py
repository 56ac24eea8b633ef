"""A cloud that means ill, or is out of its mind: whatever it sends, little is kept, and nothing comes of it."""

import json

from firmware.cloud import mqtt_messages, realer, realer_feed, responses
from firmware.core.command import CommandState
from firmware.core.errors import LinkError
from firmware.core.models import Command, Desired, number
from firmware.core.outbox import Outbox
from firmware.core.output import Output
from http1.message import MAX_BODY, MAX_HEAD, HttpError, Response

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TEN_MB = 10 * 1024 * 1024
DEEP = 50000

STREAMS = (
    ("one header line", OK + b"X: ", b"x" * 1024, "head too large"),
    ("header lines", OK, b"X: " + b"x" * 1019 + b"\r\n", "head too large"),
    ("answers before the answer", b"", b"HTTP/1.1 100 Continue\r\n\r\n", "head too large"),
    ("a line of a chunk", CHUNKED, b"0" * 1024, "head too large"),
    ("chunks", CHUNKED, b"400\r\n" + b"x" * 1024 + b"\r\n", "body too large"),
    ("a success until the end", OK + b"\r\n", b"x" * 1024, "body too large"),
    ("an error until the end", b"HTTP/1.1 500 Oops\r\n\r\n", b"x" * 1024, None),
)
ODD = ("1e400", "-1e400", "1" * 400, "NaN", "Infinity", "true", "null", "[]", "{}", '[["1"]]', '"nan"', '"1e1"',
       '"\\ud800"', '"\\u0661"', '""', '" 1"', '"0x1"')  # fmt: skip


class Answer:
    def __init__(self, text):
        self.status, self.body, self.retry_after_s, self.kind = 200, bytearray(text.encode()), 0, b""


def loaded(text):
    """What the parser of this interpreter makes of it; None: it refuses, as `parse_response` does then."""
    try:
        return responses.parse_response("commands", Answer(text))[1]
    except LinkError:
        return None


def test_ten_megabytes_of_anything_end_after_a_few_kilobytes():
    for name, head, piece, reason in STREAMS:
        response = Response()
        sent = len(head)
        why = None
        try:
            response.feed(head)
            while sent < TEN_MB:
                response.feed(piece)
                sent += len(piece)
                assert len(response.body) <= MAX_BODY and len(response._input) <= MAX_HEAD, name
        except HttpError as e:
            why = str(e)
        assert why == reason and (not reason or sent < MAX_BODY + 2 * MAX_HEAD), (name, why, sent)


def test_json_deeper_than_the_stack_is_an_error():
    for text in ("[" * DEEP, '{"a":' * DEEP, "[" * DEEP + "]" * DEEP, '{"version":1,"error":' + "[" * DEEP):
        assert loaded(text) is None
        for read in (lambda payload: mqtt_messages.desired(1, payload), mqtt_messages.acknowledgement):
            try:
                read(text.encode())
                raise AssertionError("taken")
            except ValueError:
                pass


SWITCH = {"pin_port": "6", "name": "pump", "safe": "off", "mode": "switch", "after_lapse": "resume"}


def test_invalid_values_are_rejected_with_the_present_value():
    for text in ODD:
        body = loaded('{"commands":[{"id":1,"kind":"relay","pin_port":"6","value":%s}]}' % text)
        desired = realer.commands(body)[1] if body else []
        for value in [desired.value for desired in desired]:
            outbox = Outbox(1, 2, 0)
            output = Output(dict(SWITCH), False, 0)
            command = CommandState(outbox, output)
            command.bind_row(Command(1, "relay", "6", None, None, None, ""))
            outbox.update(0, 1777025700)
            assert number(value) is None and "refused" in command.receive_desired(
                Desired(1, value, "des", 1, 60), 0, False
            )
            assert output.target is None
            assert [(r.status, r.value) for r in map(outbox.complete, outbox.reports)] == [
                ("rejected", "0.0")
            ], text


def test_invalid_windows_are_closed_and_invalid_numbers_ignored():
    for text in ODD:
        payload = (
            '{"version":1,"desired_id":"des","value":"1","valid_for_seconds":%s,"sequence_number":%s}'
            % (text, text)
        )
        try:
            desired_state = mqtt_messages.desired(1, payload.encode())
        except ValueError:
            continue  # no JSON to this interpreter
        assert desired_state.valid_s == 0 and (
            desired_state.sequence is None or desired_state.sequence == int("1" * 400)
        ), text


def test_ids_of_any_type_are_returned_unchanged():
    for name in ('"\\ud800"', '"\\udfff\\ud800"', '"' + "x" * 300 + '"', '"\\u0000"'):
        payload = '{"version":1,"desired_id":%s,"value":"1","valid_for_seconds":9}' % name
        desired_state = mqtt_messages.desired(1, payload.encode())
        outbox = Outbox(1, 2, 0)
        outbox.update(0, 1777025700)
        report = outbox.post("command", 1, 1.0, desired_state, "applied")
        reported = mqtt_messages.publish(report)
        assert isinstance(reported, bytes) and isinstance(realer_feed.feed_item(report), str)
        assert json.loads(reported)["desired_id"] == desired_state.desired_id
