"""The link: when packets leave and arrive, what the queue drops, what is counted, what is refused."""

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.network import capacity, duplex, link
from t4vcodec.network.capacity import (
    CapacityError,
    Constant,
    Opportunities,
    Steps,
    TokenBucket,
    Unlimited,
    parse_capacity,
)
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.link import IP_UDP_BYTES, Link, Route

CAPACITIES = st.sampled_from(
    [
        Unlimited(),
        Constant(300),
        TokenBucket(300, 2000),
        Steps((0, 1, 3), (500, 0, 100)),
        Steps((0, 0.5), (0, 800), period=1.5),
        Opportunities((3, 3, 10, 40, 41, 100)),
    ]
)


@pytest.mark.parametrize("module", [capacity, link, duplex])
def test_doctests(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_packets_leave_one_after_the_other_and_arrive_a_delay_later():
    wire = Link(Constant(80), delay=0.1)  # 10 bytes a millisecond
    for _ in range(3):
        wire.send(bytes(100 - IP_UDP_BYTES), 1.0)
    assert wire.queued_bytes == 300
    assert [round(time, 6) for time, _ in wire.poll(5.0)] == [1.11, 1.12, 1.13]
    assert wire.queued_bytes == 0


def test_a_full_queue_drops_the_newcomer():
    wire = Link(Constant(80), queue_bytes=250)
    for i in range(4):
        wire.send(bytes([i]) * (100 - IP_UDP_BYTES), 0.0)
    assert [datagram[0] for _, datagram in wire.poll(1.0)] == [0, 1]
    assert wire.counts.dropped == 2
    wire.send(b"later", 2.0)
    assert [datagram for _, datagram in wire.poll(3.0)] == [b"later"]


def test_a_packet_larger_than_the_queue_passes_an_idle_link():
    wire = Link(Constant(80), queue_bytes=10)
    wire.send(bytes(500), 0.0)
    assert len(wire.poll(1.0)) == 1


def test_a_link_that_stands_still_for_seconds_goes_on_where_it_was():
    wire = Link(Steps((0, 1, 5), (80, 0, 80)), queue_bytes=10_000)
    for _ in range(20):  # 2000 bytes take 0.2 s: half of them before the stop
        wire.send(bytes(100 - IP_UDP_BYTES), 0.9)
    times = [time for time, _ in wire.poll(10.0)]
    assert sum(time <= 1.0 + 1e-9 for time in times) == 10
    assert times[10] == pytest.approx(5.01)
    assert times[-1] == pytest.approx(5.1)


def test_a_link_that_stops_for_ever_delivers_nothing_more():
    wire = Link(Steps((0, 1), (80, 0)), queue_bytes=500)
    for i in range(10):
        wire.send(bytes(72), 2.0 + i)
    assert wire.next_wakeup() == math.inf
    assert wire.poll(1e6) == []
    assert (wire.counts.dropped, wire.pending) == (5, 5)
    dead = Link(Steps((0,), (0,)))
    dead.send(b"x", 0.0)
    assert dead.next_wakeup() == math.inf


def test_a_token_bucket_lets_a_burst_through_after_a_pause():
    server = TokenBucket(80, 1000).server()
    assert server.finish(600, 1.0) == pytest.approx(1.0)
    assert server.finish(600, 1.0) == pytest.approx(1.02)  # 200 bytes too many
    assert server.finish(100, 1.02) == pytest.approx(1.03)
    assert server.finish(1000, 9.0) == pytest.approx(9.0)


def test_opportunities_carry_1500_bytes_each_and_are_lost_unused():
    server = Opportunities((10, 20, 20, 100)).server()
    assert server.finish(700, 0.0) == 0.010
    assert server.finish(700, 0.0) == 0.010
    assert server.finish(700, 0.010) == 0.020  # 100 left of the first do not do
    assert server.finish(1500, 0.020) == 0.020  # 800 left and the next
    assert server.finish(1500, 0.030) == 0.100
    assert server.finish(1500, 0.150) == 0.200  # the trace repeats
    assert server.finish(3000, 0.200) == pytest.approx(0.120 + 0.1)


@given(CAPACITIES, st.lists(st.tuples(st.floats(0, 0.4), st.integers(1, 1300)), max_size=60))
def test_servers_never_go_back_in_time(kind, packets):
    server, free, now = kind.server(), 0.0, 0.0
    for pause, size in packets:
        now += pause
        start = max(now, free)
        finish = server.finish(size, start)
        assert finish >= start
        free = finish
        if free == math.inf:
            break


@given(
    CAPACITIES,
    st.sampled_from(["0", "30%", "ge:0.3:5", "get:0.3:40"]),
    st.integers(0, 4000),
    st.lists(st.tuples(st.floats(0, 0.2), st.integers(1, 1200)), max_size=80),
)
def test_conservation(kind, channel, queue, packets):
    wire = Route(kind, 0.05, queue, parse_channel(channel)).link("conservation", 1)
    now, delivered = 0.0, []
    for pause, size in packets:
        now += pause
        delivered += wire.poll(now)
        wire.send(bytes(size), now)
        assert wire.queued_bytes <= max(queue, 1200 + IP_UDP_BYTES)
        counts = wire.counts
        assert counts.sent == counts.delivered + counts.lost + counts.dropped + wire.pending
    delivered += wire.poll(1e9)
    assert len(delivered) == wire.counts.delivered
    assert [a.time for a in delivered] == sorted(a.time for a in delivered)
    assert wire.counts.bytes_delivered == sum(len(a.datagram) + IP_UDP_BYTES for a in delivered)


def test_losses_are_those_of_the_channel_packet_by_packet():
    channel = parse_channel("30%")
    fates = channel.fates("clip", 7)
    expected = [i for i in range(200) if not next(fates)]
    wire = Route(Constant(1000), 0.1, channel=channel, queue_bytes=10**6).link("clip", 7)
    for i in range(200):
        wire.send(bytes([i]), 0.001 * i)
    assert [datagram[0] for _, datagram in wire.poll(100)] == expected


def test_time_cannot_go_back():
    wire = Link()
    wire.send(b"x", 2.0)
    for call in (lambda: wire.send(b"x", 1.0), lambda: wire.poll(1.0), lambda: wire.poll(math.nan)):
        with pytest.raises(ValueError, match="time"):
            call()


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("1\n2\nthree\n", "line 3"),
        ("5\n4\n", "line 2"),
        ("-1\n", "line 1"),
        ("1\n\n2\n", "line 2"),
        ("1.5\n", "line 1"),
        ("", "lasts no time"),
        ("0\n0\n", "lasts no time"),
        ("99999999999\n", "line 1"),
    ],
)
def test_bad_traces_are_refused_in_one_line(tmp_path, lines, complaint):
    path = tmp_path / "trace"
    path.write_text(lines)
    with pytest.raises(CapacityError, match=complaint) as error:
        parse_capacity(str(path))
    assert "\n" not in str(error.value)


def test_unreadable_traces_are_refused_in_one_line(tmp_path):
    path = tmp_path / "trace"
    path.write_bytes(b"\xff\xfe")
    for text in (str(path), str(tmp_path / "none"), "", "fast", "0", "-5", "nan", "inf"):
        with pytest.raises(CapacityError) as error:
            parse_capacity(text)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("times", "rates", "period"),
    [
        ((), (), 1),
        ((1,), (5,), 9),
        ((0, 0), (1, 2), 9),
        ((0, 2), (1, 2), 2),
        ((0,), (-1,), 9),
        ((0,), (1, 2), 9),
    ],
)
def test_impossible_steps_are_refused(times, rates, period):
    with pytest.raises(CapacityError):
        Steps(times, rates, period)


def test_a_trace_file_gives_its_rate(tmp_path):
    path = tmp_path / "trace"
    path.write_text("".join(f"{i}\n" for i in range(1, 1001)))
    assert parse_capacity(str(path)).mean_kbps == pytest.approx(12_000)
