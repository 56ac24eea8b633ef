"""DNS messages byte for byte, honest and hostile."""

from dnsstub.resolver import parse, query
from netio.errors import NetError
from tests_host.support.raising import raised

NAME = b"\x03api\x06realer\x04test\x00"
QUESTION = NAME + b"\x00\x01\x00\x01"
AT_NAME = b"\xc0\x0c"  # the question's name, by pointer


def message(answers=(), head=b"\x12\x34\x81\x80", question=QUESTION, count=None):
    counts = b"\x00\x01" + bytes((0, len(answers) if count is None else count)) + b"\x00\x00\x00\x00"
    return head + counts + question + b"".join(answers)


def record(owner, kind, data, ttl=b"\x00\x00\x00\x3c", klass=b"\x00\x01"):
    return owner + bytes((0, kind)) + klass + ttl + bytes((0, len(data))) + data


A = record(AT_NAME, 1, b"\xc0\x00\x02\x01")


def parsed(data, name="api.realer.test"):
    try:
        return parse(data, 0x1234, name)
    except NetError as e:
        return e.detail if e.kind == "dns" else e


def test_query():
    assert query(0x1234, "api.realer.test") == (
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03api\x06realer\x04test\x00\x00\x01\x00\x01"
    )


def test_invalid_names_are_refused():
    for name in ("", ".", "a..b", "a.", "x" * 64, "a." * 126 + "aa", ".".join(("x" * 63,) * 4)):
        assert str(raised(NetError, query, 1, name)) == "dns: bad name"
    assert len(query(1, ".".join(("x" * 63,) * 3 + ("x" * 61,)))) == 12 + 255 + 4


def test_addresses():
    assert parsed(message([A])) == (["192.0.2.1"], 60)
    second = record(AT_NAME, 1, b"\x7f\x00\x00\x01", b"\x00\x00\x01\x02")
    assert parsed(message([A, second])) == (["192.0.2.1", "127.0.0.1"], 60)
    assert parsed(message([second, A])) == (["127.0.0.1", "192.0.2.1"], 60)
    assert parsed(message([second])) == (["127.0.0.1"], 258)


def test_lifetime_is_an_hour_at_most():
    for ttl, expected in (
        (b"\x00\x00\x0e\x0f", 3599),
        (b"\x00\x00\x0e\x11", 3600),
        (b"\xff\xff\xff\xff", 3600),
    ):
        assert parsed(message([record(AT_NAME, 1, bytes(4), ttl)])) == (["0.0.0.0"], expected)


def test_case_of_names_does_not_matter():
    upper = b"\x03API\x06realer\x04TEST\x00"
    assert parsed(message([record(upper, 1, b"\x01\x02\x03\x04")], question=upper + b"\x00\x01\x00\x01")) == (
        ["1.2.3.4"],
        60,
    )
    assert parsed(message([A]), "Api.Realer.Test") == (["192.0.2.1"], 60)


def test_alias_chain():
    one = record(AT_NAME, 5, b"\x03cdn\xc0\x10")  # cdn.realer.test
    two = record(b"\x03cdn\xc0\x10", 5, b"\x01x\x00")
    address = record(b"\x01X\x00", 1, b"\x01\x02\x03\x04")
    assert parsed(message([one, two, address])) == (["1.2.3.4"], 60)
    assert parsed(message([one, two])) == "no address"


def _permutations(items):
    if len(items) < 2:
        return [items]
    orders = []
    for i in range(len(items)):
        for rest in _permutations(items[:i] + items[i + 1 :]):
            rest.insert(0, items[i])
            orders.append(rest)
    return orders


def test_records_may_come_in_any_order():
    records = [
        record(AT_NAME, 5, b"\x03cdn\xc0\x10"),
        record(b"\x03CDN\xc0\x10", 5, b"\x01x\x00"),
        record(b"\x01X\x00", 1, b"\x01\x02\x03\x04"),
        record(b"\x04evil\x00", 1, b"\x06\x06\x06\x06"),
    ]
    orders = _permutations(records)
    assert len(orders) == 24
    for order in orders:
        assert parsed(message(order)) == (["1.2.3.4"], 60)


def test_addresses_behind_an_alias_keep_their_order():
    alias = record(AT_NAME, 5, b"\x01x\x00")
    first = record(b"\x01x\x00", 1, b"\x01\x02\x03\x04")
    second = record(b"\x01x\x00", 1, b"\x01\x02\x03\x05", b"\x00\x00\x00\x28")
    assert parsed(message([first, alias, second])) == (["1.2.3.4", "1.2.3.5"], 40)


def test_an_address_of_an_alias_that_nothing_leads_to_is_ignored():
    lost = record(b"\x01y\x00", 1, b"\x06\x06\x06\x06")
    beside = record(b"\x01z\x00", 5, b"\x01y\x00")
    assert parsed(message([lost, beside, record(AT_NAME, 5, b"\x01x\x00")])) == "no address"
    assert parsed(message([lost, beside, A])) == (["192.0.2.1"], 60)


def test_a_loop_of_aliases_ends_without_an_address():
    there = record(AT_NAME, 5, b"\x01x\x00")
    back = record(b"\x01x\x00", 5, AT_NAME)
    own = record(AT_NAME, 5, AT_NAME)
    evil = record(b"\x04evil\x00", 1, b"\x06\x06\x06\x06")
    for loop in ([there, back], [back, there], [own], [own, own], [there, evil, back, own]):
        assert parsed(message(loop)) == "no address"


def test_an_address_inside_a_loop_of_aliases_is_taken():
    there = record(AT_NAME, 5, b"\x01x\x00")
    back = record(b"\x01x\x00", 5, AT_NAME)
    address = record(b"\x01x\x00", 1, b"\x01\x02\x03\x04")
    for order in _permutations([there, back, address]):
        assert parsed(message(order)) == (["1.2.3.4"], 60)


def test_the_shortest_ttl_of_a_chain_of_aliases_counts():
    alias = record(AT_NAME, 5, b"\x01x\x00", b"\x00\x00\x00\x1e")
    address = record(b"\x01x\x00", 1, b"\x01\x02\x03\x04")
    for order in ([alias, address], [address, alias]):
        assert parsed(message(order)) == (["1.2.3.4"], 30)


def test_a_chain_of_aliases_is_bounded():
    chain = [
        record(b"\x01" + bytes((97 + i,)) + b"\x00", 5, b"\x01" + bytes((98 + i,)) + b"\x00")
        for i in range(20)
    ]
    first = record(AT_NAME, 5, b"\x01a\x00")
    last = record(b"\x01u\x00", 1, b"\x01\x02\x03\x04")
    chain.append(last)
    chain.reverse()
    chain.append(first)
    assert parsed(message(chain)) in ((["1.2.3.4"], 60), "no address")


def test_records_of_other_names_are_ignored():
    stranger = record(b"\x04evil\x00", 1, b"\x06\x06\x06\x06")
    aaaa = record(AT_NAME, 28, bytes(16))
    odd = record(AT_NAME, 1, b"\x01\x02\x03")
    others = [record(AT_NAME, 1, b"\x01\x02\x03\x04", klass=klass) for klass in (b"\x00\x03", b"\x00\x00")]
    assert parsed(message([stranger, aaaa, odd] + others + [A])) == (["192.0.2.1"], 60)
    assert parsed(message([stranger, aaaa, odd] + others)) == "no address"


def test_an_answer_to_another_query_is_refused():
    for head in (b"\x12\x35\x81\x80", b"\x12\x34\x01\x00", b"\x12\x34\xa8\x80"):
        assert parsed(message([A], head)) == "not our answer"
    assert parsed(message([A], question=b"\x04evil\x00\x00\x01\x00\x01")) == "not our question"
    assert parsed(message([A], question=NAME + b"\x00\x1c\x00\x01")) == "not our question"
    assert parsed(message([A]), "other.test") == "not our question"


def test_errors_of_the_server():
    table = ((1, "rcode 1"), (2, "rcode 2"), (3, "NXDOMAIN"), (5, "rcode 5"), (15, "rcode 15"))
    for rcode, text in table:
        assert parsed(message([A], b"\x12\x34\x81" + bytes((0x80 | rcode,)))) == text


def test_of_a_truncated_answer_the_whole_records_are_used():
    """Without EDNS and TCP there is no more to be had of a name with many addresses."""
    truncated = b"\x12\x34\x83\x80"
    assert parsed(message([A], truncated)) == (["192.0.2.1"], 60)
    many = message([A] * 40, truncated)[:512]
    assert parsed(many) == (["192.0.2.1"] * 29, 60)
    alias = record(AT_NAME, 5, b"\x01x\x00")
    assert parsed(message([alias, record(b"\x01x\x00", 1, b"\x01\x02\x03\x04"), A], truncated)[:-3]) == (
        ["1.2.3.4"],
        60,
    )
    assert parsed(message([], truncated)) == parsed(message([alias], truncated)) == "truncated"


def test_cut_anywhere_is_an_error():
    whole = message([A])
    for size in range(len(whole)):
        assert parsed(whole[:size]) in ("short answer", "no address", "not our question"), size


def test_pointers():
    own = bytes((0xC0, 12 + len(QUESTION)))
    forward = bytes((0xC0, 13 + len(QUESTION)))
    loop = b"\x01a" + own
    for owner in (own, forward, loop, b"\xff\xff"):
        assert parsed(message([record(owner, 1, bytes(4))])) == "bad pointer"


def test_labels():
    for owner in (b"\x40" + b"x" * 64 + b"\x00", b"\x80x\x00", (b"\x3f" + b"x" * 63) * 5 + b"\x00"):
        assert parsed(message([record(owner, 1, bytes(4))])) == "bad label"


def test_more_answers_announced_than_there_are():
    assert parsed(message([A], count=2)) == (["192.0.2.1"], 60)
    assert parsed(message([], count=2)) == "no address"
