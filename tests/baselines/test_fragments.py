"""Payload formats: cut and joined again, what a gap leaves, and any bytes at all."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.baselines import av1_payload as av1
from t4vcodec.baselines import h265_payload as h265
from t4vcodec.baselines import sharing
from t4vcodec.baselines.coded import FORMATS
from t4vcodec.baselines.fragments import Joined, PayloadError, equal_parts, in_places, join
from t4vcodec.baselines.nal_units import escape, unescape

HEADS = {"x264": b"\x65", "x265": b"\x26\x01", "av1": b"\x30", "vp9": b"\x82"}
"""First bytes of a frame's data, by codec."""

codecs = pytest.mark.parametrize("codec", FORMATS)


@codecs
@given(body=st.binary(min_size=2, max_size=900), limit=st.integers(64, 300), key=st.booleans())
def test_round_trip_in_equal_parts(codec, body, limit, key):
    form, unit = FORMATS[codec], HEADS[codec] + body
    payloads = form.cut(unit, limit, key)
    sizes = [len(payload) for payload in payloads]
    assert max(sizes) <= limit
    assert max(sizes) - min(sizes) <= 1
    assert len(payloads) == 1 or sum(sizes) > (len(payloads) - 1) * (limit - 3)  # as few as possible
    assert join(form, payloads) == Joined(unit, True)


@codecs
@given(body=st.binary(min_size=200, max_size=900), data=st.data())
def test_a_gap_leaves_what_was_before_it(codec, body, data):
    form, unit = FORMATS[codec], HEADS[codec] + body
    payloads = form.cut(unit, 100, False)
    gap = data.draw(st.integers(0, len(payloads) - 1))
    joined = join(form, [None if i == gap else payload for i, payload in enumerate(payloads)])
    assert not joined.whole
    assert unit.startswith(joined.data)
    assert (joined.data == b"") == (gap == 0)


@codecs
@given(st.lists(st.one_of(st.none(), st.binary(max_size=40)), max_size=5))
def test_any_bytes_join_or_raise_the_documented_error(codec, payloads):
    with contextlib.suppress(PayloadError):
        join(FORMATS[codec], payloads)


@given(st.binary(max_size=500), st.integers(1, 60))
def test_equal_parts(data, limit):
    parts = equal_parts(data, limit)
    assert b"".join(parts) == data
    assert max(map(len, parts)) <= limit
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_limits_below_the_headers_are_refused():
    with pytest.raises(PayloadError):
        equal_parts(b"abc", 0)


@given(st.lists(st.binary(min_size=1, max_size=3), max_size=8), st.data())
def test_places_of_what_arrived(sent, data):
    kept = data.draw(st.lists(st.booleans(), min_size=len(sent), max_size=len(sent)))
    arrived = [payload for payload, keep in zip(sent, kept) if keep]
    placed = in_places(sent, [*arrived, b"damaged"])
    assert sorted(p for p in placed if p is not None) == sorted(arrived)
    assert all(there in (None, payload) for there, payload in zip(placed, sent))


units = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=8)


@given(units, st.integers(64, 200))
def test_shared_packets_round_trip(frames, limit):
    payloads = sharing.share(frames, limit)
    assert all(3 <= len(payload) <= limit for payload in payloads)
    assert sharing.unshare(payloads) == dict(enumerate(frames))


@given(units, st.data())
def test_shared_packets_with_gaps_give_whole_frames_only(frames, data):
    payloads = sharing.share(frames, 64)
    kept = data.draw(st.lists(st.booleans(), min_size=len(payloads), max_size=len(payloads)))
    found = sharing.unshare([payload if keep else None for payload, keep in zip(payloads, kept)])
    assert all(frames[position] == unit for position, unit in found.items())


def test_frames_behind_a_lost_packet_are_found_again():
    frames = [b"a" * 60, b"b" * 40, b"c" * 40, b"d" * 30]
    first, second, third = sharing.share(frames, 64)
    assert sharing.unshare([None, second, third]).keys() == {1, 2, 3}
    assert sharing.unshare([first, second, None]).keys() == {0, 1}
    assert sharing.unshare([first, None, third]).keys() == {3}


@given(st.lists(st.one_of(st.none(), st.binary(max_size=40)), max_size=5))
def test_any_bytes_unshare_or_raise_the_documented_error(payloads):
    with contextlib.suppress(PayloadError):
        sharing.unshare(payloads)


@given(st.integers(0, 2**35 - 1), st.binary(max_size=3))
def test_leb128(number, before):
    data = before + av1.leb128(number)
    assert av1.read_leb128(data, len(before)) == (number, len(data))
    with pytest.raises(PayloadError):
        av1.read_leb128(data[:-1], len(before))


@given(st.lists(st.tuples(st.integers(1, 8), st.binary(max_size=200)), max_size=4))
def test_temporal_units_split_into_their_obus(kinds):
    obus = [bytes([kind << 3]) + body for kind, body in kinds]
    assert list(av1.split_obus(av1.temporal_unit(obus)))[1:] == obus


@given(st.binary(max_size=40), st.binary(max_size=20))
def test_any_bytes_as_av1_headers(header, frame):
    av1.is_key(frame)
    with contextlib.suppress(PayloadError):
        list(av1.split_obus(header))
    with contextlib.suppress(PayloadError):
        av1.FrameHeaders(header).refreshes(frame)


LAYOUT = h265.SliceLayout(number_bits=8, reserved_bits=0, output_flag=False)
# first slice (1), parameter set 0 (1), slice_type 1 (010), number 7 (00000111), then what follows
HEADER = int("1" + "1" + "010" + "00000111" + "011", 2).to_bytes(2, "big")


@given(st.integers(0, 600), st.binary(min_size=30, max_size=60))
def test_picture_number_is_replaced_and_nothing_else(number, rest):
    original = b"\x02\x01" + escape(HEADER + rest)
    changed = h265.continue_picture_order(original, LAYOUT, number)
    raw = unescape(changed[2:])
    assert raw[2:] == rest
    assert f"{int.from_bytes(raw[:2], 'big'):016b}" == "11010" + f"{number % 256:08b}" + "011"
    assert h265.continue_picture_order(changed, LAYOUT, 7) == original


@given(st.binary(min_size=2, max_size=40), st.binary(min_size=2, max_size=40))
def test_any_h265_headers_are_read_or_refused(first, second):
    with contextlib.suppress(PayloadError):
        h265.continue_picture_order(first, LAYOUT, 3)
    with contextlib.suppress(PayloadError):
        assert 4 <= h265.slice_layout(first, second).number_bits <= 16
