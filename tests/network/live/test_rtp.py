"""RTP and control packets: what is written is read again, and nothing else is."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.network.live.rtp import (
    CLOCK,
    MAX_BODY,
    ControlPacket,
    LossCounter,
    RtpError,
    RtpPacket,
    is_control,
    ticks,
    unwrap,
)

WORD = st.integers(0, 2**32 - 1)


@given(st.integers(0, 65535), WORD, WORD, st.booleans(), st.binary(min_size=1, max_size=1300))
def test_media_is_read_as_it_was_written(sequence, stamp, ssrc, marker, payload):
    packet = RtpPacket(sequence, stamp, ssrc, marker, payload)
    assert RtpPacket.parse(bytes(packet)) == packet
    assert len(bytes(packet)) == 12 + len(payload)
    assert not is_control(bytes(packet))


@given(st.integers(0, 31), WORD, st.binary(max_size=MAX_BODY))
def test_control_is_read_as_it_was_written(kind, ssrc, body):
    packet = ControlPacket(kind, ssrc, body)
    assert ControlPacket.parse(bytes(packet)) == packet
    assert len(bytes(packet)) % 4 == 0
    assert is_control(bytes(packet))


@given(st.binary(max_size=1600))
def test_anything_else_is_refused(data):
    for kind in (RtpPacket, ControlPacket):
        with suppress(RtpError):
            assert bytes(kind.parse(data)) == data


@given(st.integers(0, 31), WORD, st.binary(max_size=60), st.data())
def test_a_damaged_control_packet_is_refused_or_another(kind, ssrc, body, data):
    good = bytearray(bytes(ControlPacket(kind, ssrc, body)))
    del good[data.draw(st.integers(0, len(good) - 1)) :]
    with pytest.raises(RtpError):
        ControlPacket.parse(bytes(good))


def test_what_is_out_of_range_is_not_made():
    for wrong in ((65536, 0, 0), (0, 2**32, 0), (0, 0, -1)):
        with pytest.raises(ValueError, match="out of range"):
            RtpPacket(*wrong, False, b"x")
    with pytest.raises(ValueError, match="payload"):
        RtpPacket(0, 0, 0, False, b"")
    with pytest.raises(ValueError, match="out of range"):
        ControlPacket(32, 0, b"")


@given(st.integers(-(2**40), 2**40), st.integers(-(2**15) + 1, 2**15 - 1))
def test_numbers_are_found_again_near_those_known(near, distance):
    assert unwrap((near + distance) & 0xFFFF, 16, near) == near + distance


def test_ticks_wrap():
    assert ticks(1.0) == CLOCK
    assert ticks(2**32 / CLOCK + 1.0) == CLOCK


class TestLossCounter:
    def test_counts_gaps_over_the_wrap(self):
        counter = LossCounter()
        for number in range(65500, 65700):
            if number % 10:
                counter.note(number & 0xFFFF)
        assert counter.received == 180
        assert counter.expected == 199  # the first was lost, and nobody can know of it

    def test_a_source_that_starts_again_is_no_loss(self):
        counter = LossCounter()
        for number in (*range(10), *range(30000, 30010)):
            counter.note(number)
        assert counter.expected == counter.received == 20
        counter.restart()
        counter.note(31000)
        assert counter.expected == 21
