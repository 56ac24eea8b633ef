"""Every name is here, and nothing else is answered."""

from dnsstub.captive import answer
from dnsstub.resolver import parse, query

IP = bytes((192, 168, 4, 1))


def test_our_own_resolver_takes_the_answer():
    for name in ("captive.apple.com", "a.b", "x" * 63 + ".example"):
        reply = answer(query(0x1234, name), IP)
        assert parse(reply, 0x1234, name) == (["192.168.4.1"], 0)


def test_another_kind_of_question_gets_an_answer_without_address():
    question = query(7, "example.test")
    for kind in (28, 65, 255):
        reply = answer(question[:-4] + bytes((0, kind, 0, 1)), IP)
        assert reply[:12] == b"\0\7\x84\0\0\1\0\0\0\0\0\0" and len(reply) == len(question)


def test_a_datagram_that_is_no_question_is_not_answered():
    question = query(7, "example.test")
    for end in range(len(question)):
        assert answer(question[:end], IP) is None
    response = question[:2] + b"\x81" + question[3:]
    status = question[:2] + b"\x10" + question[3:]
    two = question[:5] + b"\2" + question[6:]
    for data in (b"", response, status, two, b"\xff" * 40, question + bytes(512)):
        assert answer(data, IP) is None
