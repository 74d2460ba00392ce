"""RFC 6184 payloads there and back, and rewriting of frame_num."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.baselines import h264_payload as h264
from t4vcodec.baselines.nal_units import escape, join_annex_b, split_annex_b, unescape
from t4vcodec.network.stream import MAX_PAYLOAD

SPS = bytes.fromhex("67640015acd9416096840000030004000003 00c83c58b658")
"""High profile, from x264 at 352x288: frame_num has 4 bits."""


def nal(kind: int, size: int) -> bytes:
    return bytes([0x60 | kind]) + bytes(1 + i % 250 for i in range(size - 1))


@given(st.lists(st.tuples(st.integers(1, 23), st.integers(2, 2390)), max_size=12))
def test_round_trip(kinds):
    nals = [nal(*kind) for kind in kinds]
    payloads = h264.packetise(nals)
    assert all(2 <= len(payload) <= MAX_PAYLOAD for payload in payloads)
    assert list(h264.depacketise(payloads)) == nals


def test_small_units_share_a_packet():
    nals = [nal(7, 25), nal(8, 6), nal(5, 1100)]
    assert len(h264.packetise(nals)) == 1
    assert len(h264.packetise([nal(7, 25), nal(8, 6), nal(5, 1199)])) == 2
    assert h264.packetise([nal(1, 1200)]) == [nal(1, 1200)]


def test_a_unit_in_halves_needs_both():
    big, small = nal(5, 2000), nal(5, 300)
    first, second, last = h264.packetise([big, small])
    assert list(h264.depacketise([first, second, last])) == [big, small]
    assert list(h264.depacketise([first, last])) == [small]
    assert list(h264.depacketise([second, last])) == [small]
    with pytest.raises(h264.PayloadError):
        h264.packetise([nal(5, 2 * MAX_PAYLOAD)])


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_any_bytes_parse_or_raise_the_documented_error(payloads):
    try:
        for unit in h264.depacketise(payloads):
            h264.continue_frame_num(unit, 4, 3)
    except h264.PayloadError:
        pass


@given(st.binary(max_size=40))
def test_any_parameter_set_is_read_or_refused(data):
    with contextlib.suppress(h264.PayloadError):
        assert h264.frame_num_bits(b"\x67" + data) >= 4


def test_annex_b():
    nals = [nal(7, 25), nal(5, 100)]
    assert split_annex_b(join_annex_b(nals)) == nals
    assert split_annex_b(b"\0\0\1" + nals[0] + b"\0\0\1" + nals[1]) == nals
    assert split_annex_b(b"") == []


def test_width_of_frame_num_is_read():
    assert h264.frame_num_bits(SPS) == 4


# first_mb 0 (1), slice_type 5 (00110), pps 0 (1), frame_num 7 (0111), then what follows.
HEADER = int("1" + "00110" + "1" + "0111" + "01010", 2).to_bytes(2, "big")


@given(st.integers(0, 100), st.binary(min_size=30, max_size=60))
def test_frame_num_is_replaced_and_nothing_else(number, rest):
    original = b"\x41" + escape(HEADER + rest)
    changed = h264.continue_frame_num(original, 4, number)
    raw = unescape(changed[1:])
    assert raw[2:] == rest
    bits = f"{int.from_bytes(raw[:2], 'big'):016b}"
    assert bits == "1" + "00110" + "1" + f"{number % 16:04b}" + "01010"
    assert b"\0\0\0" not in changed
    assert h264.continue_frame_num(changed, 4, 7) == original


@given(st.lists(st.sampled_from([0, 0, 0, 1, 3, 7]), max_size=30))
def test_escaping(data):
    raw = bytes(data)
    escaped = escape(raw)
    assert unescape(escaped) == raw
    assert not any(escaped[i : i + 2] == b"\0\0" and escaped[i + 2] < 3 for i in range(len(escaped) - 2))
