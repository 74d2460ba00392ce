"""Headers, reports and requests: what is written is read again, and nothing else is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.network.shards import unwrap
from t4vcodec.network.transports.base import MediaPacket
from t4vcodec.network.transports.feedback import WINDOW, ArrivalLog, SentLog
from t4vcodec.network.transports.tcp_wire import (
    RecordReader,
    SegmentHead,
    read_segment,
    write_record,
    write_segment,
)
from t4vcodec.network.transports.wire import (
    HEAD_BYTES,
    MAX_REPORTED,
    TICKS,
    Piece,
    Report,
    WireError,
    long_deadline,
    read_piece,
    read_place,
    read_report,
    read_request,
    short_deadline,
    write_piece,
    write_place,
    write_report,
    write_request,
)

NUMBERS = st.integers(0, 10**7)
PLACES = st.integers(1, 2047).flatmap(
    lambda count: st.builds(write_place, st.integers(0, count - 1), st.just(count), st.booleans())
)
CODES = st.integers(1, 254).flatmap(
    lambda k: st.builds(lambda d, row: bytes((d, k, row)), st.integers(1, 255), st.integers(k, 255))
)


@given(
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.none() | st.integers(0, 65534),
    st.binary(min_size=1),
    st.booleans(),
    st.data(),
)
def test_pieces(sequence, number, frame, deadline, body, parity, data):
    layout = data.draw(CODES if parity else PLACES)
    piece = Piece(parity, number, frame, deadline, layout, body, data.draw(st.booleans()))
    datagram = write_piece(piece, sequence)
    assert len(datagram) == HEAD_BYTES + len(body)
    low, read = read_piece(datagram)
    assert unwrap(low, sequence + 30_000) == sequence
    assert (unwrap(read.number, number - 30_000), unwrap(read.frame, frame)) == (number, frame)
    assert (read.parity, read.deadline, read.layout, read.body, read.again) == (
        parity,
        deadline,
        layout,
        body,
        piece.again,
    )


@given(st.integers(1, 2047), st.booleans(), st.data())
def test_places(count, key, data):
    index = data.draw(st.integers(0, count - 1))
    assert read_place(write_place(index, count, key)) == (index, count, key)


@given(st.floats(0, 1e6), st.floats(-30, 30))
def test_deadlines_are_found_again_within_half_a_minute(now, left):
    deadline = max(0.0, now + left)
    assert long_deadline(short_deadline(deadline), now) == pytest.approx(deadline, abs=0.00051)


def test_no_deadline_is_no_deadline():
    assert short_deadline(math.inf) is None
    assert long_deadline(None, 5.0) == math.inf


@given(st.integers(0, 10**6), st.integers(1, MAX_REPORTED), st.integers(0), st.floats(0, 1e5), st.data())
def test_reports(newest, count, bits, sent, data):
    bits = (bits | 1) & ((1 << count) - 1)
    ages = data.draw(st.lists(st.floats(0, 8), max_size=bits.bit_count()))
    report = Report(newest, count, bits, tuple(sent - age for age in ages), sent)
    read = read_report(write_report(report), newest + 20_000, sent + 3600)
    assert (read.newest, read.count, read.bits) == (newest, count, bits)
    assert read.sent == pytest.approx(sent, abs=1 / TICKS)
    assert read.times == pytest.approx(report.times, abs=1.5 / TICKS)
    assert list(read.arrived()) == [newest - i for i in range(count) if bits >> i & 1]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=200, unique=True))
def test_requests(numbers):
    near = numbers[0]
    numbers = [n for n in numbers if abs(n - near) < 30_000]
    assert read_request(write_request(numbers), near) == numbers


@given(
    st.integers(0, 2**40),
    st.integers(0, 2**40),
    st.binary(max_size=50),
    st.lists(st.integers(1, 10**6), max_size=3),
)
def test_segments(start, ack, data, gaps):
    sack = tuple((ack + 2 * gap, ack + 2 * gap + 1 + gap) for gap in gaps)
    segment = SegmentHead(start, ack, sack, data)
    assert read_segment(write_segment(segment), start + 2**30, max(0, ack - 2**30)) == segment


@given(st.lists(st.binary(min_size=1, max_size=90), min_size=1), st.lists(st.integers(1, 60)))
def test_records_survive_any_cut(payloads, cuts):
    packets = [MediaPacket(7, i, len(payloads), data, key=bool(i % 2)) for i, data in enumerate(payloads)]
    stream = b"".join(map(write_record, packets))
    reader, got = RecordReader(), []
    for cut in cuts:
        got += reader.feed(stream[:cut], 0.0)
        stream = stream[cut:]
    got += reader.feed(stream, 1.0)
    assert [(p.frame, p.index, p.count, p.data, p.key) for p in got] == [
        (p.frame, p.index, p.count, p.data, p.key) for p in packets
    ]
    assert not reader.buffer


@given(st.binary(max_size=100))
def test_anything_else_is_refused(data):
    for read in (
        read_piece,
        lambda d: read_report(d, 0, 0.0),
        lambda d: read_request(d, 0),
        lambda d: read_segment(d, 0, 0),
    ):
        for kind in (0, 1, 2, 3, 4, 5):
            try:
                read(bytes([kind]) + data)
            except WireError:
                continue


@given(st.lists(st.integers(0, 400), max_size=150), st.lists(st.booleans(), min_size=1), st.booleans())
def test_a_sender_learns_every_fate_once_whatever_reports_are_lost(order, reports, in_order):
    """Datagrams arrive in any order or never; in the end arrived ones are known, and nothing is told twice."""
    sent, arrivals = SentLog(), ArrivalLog(0.0)
    for number in range(401):
        assert sent.note(0.001 * number, 100, tag=number) == number
    told: list[int] = []
    lost: list[int] = []
    order = sorted(order) if in_order else order
    for i, number in enumerate(order):
        assert arrivals.note(number & 0xFFFF, 1.0 + i * 0.01) == number
        report = arrivals.report(1.0 + i * 0.01)
        if reports[i % len(reports)] or i == len(order) - 1:
            news = sent.take(read_report(report, 400, 1.0), 1.05 + i * 0.01)
            told += [s.tag for s, _ in news.arrived]
            lost += [s.tag for s in news.lost]
    assert len(told) == len(set(told))
    assert len(lost) == len(set(lost))
    newest = max(order, default=0)
    if in_order and order:
        window = {n for n in order if n > newest - WINDOW}
        assert window <= set(told)
        assert not set(told) - set(order)
        first = 0 if order[0] < WINDOW else order[0]  # who joins late knows nothing of the time before
        assert set(range(max(first, newest - WINDOW + 1), newest)) - set(order) <= set(lost)
    assert sent.loss <= 1


def test_round_trip_and_way_there_are_measured_apart():
    sent, arrivals = SentLog(), ArrivalLog(0.005)
    for i in range(50):
        number = sent.note(0.1 * i, 100)
        arrivals.note(number, 0.1 * i + 0.070)
        report = read_report(arrivals.report(0.1 * i + 0.075), number, 0.1 * i)
        sent.take(report, 0.1 * i + 0.105)
    assert sent.way_there == pytest.approx(0.070, abs=0.001)
    assert sent.round_trip == pytest.approx(0.100, abs=0.001)  # without the receiver's wait


def test_who_joins_late_reports_no_losses_before():
    arrivals = ArrivalLog(0.0)
    arrivals.note(40_000, 1.0)
    assert read_report(arrivals.report(1.0), 40_000, 1.0).count == 1
