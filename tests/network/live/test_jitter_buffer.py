"""When frames are handed out, and when their pictures are shown."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.network.live.jitter_buffer import (
    CAPACITY,
    DELAY_MOST,
    LATE_KEPT,
    MOST_HELD,
    QUIET_LEAST,
    QUIET_MOST,
    FrameBuffer,
    Playout,
)


class TestFrameBuffer:
    def test_a_whole_frame_is_there_at_once_in_the_order_of_its_parts(self):
        buffer = FrameBuffer()
        buffer.put(0, 1, 2, 7.0, b"b", 1.0)
        assert buffer.take(1.0) is None
        buffer.put(0, 0, 2, 7.0, b"a", 1.001)
        ready = buffer.take(1.001)
        assert (ready.number, ready.parts, ready.stamp, ready.since) == (0, (b"a", b"b"), 7.0, 1.001)
        assert buffer.take(9.0) is None
        assert buffer.next_deadline() == math.inf

    def test_a_frame_with_losses_is_there_when_no_more_of_it_comes(self):
        buffer = FrameBuffer()
        buffer.put(0, 1, 3, 7.0, b"b", 1.0)
        assert buffer.next_deadline() == 1.0 + QUIET_LEAST
        assert buffer.take(1.0 + QUIET_LEAST - 1e-6) is None
        assert buffer.take(1.0 + QUIET_LEAST).parts == (b"b",)

    def test_frames_lost_whole_are_passed_over_once_the_next_is_due(self):
        buffer = FrameBuffer()
        buffer.put(3, 0, 1, 7.0, b"x", 1.0)
        assert buffer.take(1.0) is None  # whole, but the ones before may only be late
        assert buffer.take(1.0 + QUIET_LEAST).number == 3
        assert buffer.next == 4

    def test_late_packets_go_along_with_the_next_frame(self):
        buffer = FrameBuffer()
        buffer.put(0, 0, 2, 7.0, b"a", 1.0)
        buffer.take(2.0)
        buffer.put(0, 1, 2, 7.0, b"late", 2.0)
        buffer.put(1, 0, 1, 7.1, b"c", 2.1)
        assert buffer.take(2.1).late == (b"late",)
        assert buffer.late == 1

    def test_waits_longer_where_packets_come_slowly(self):
        buffer = FrameBuffer()
        for frame in range(20):
            for index in range(4):
                buffer.put(frame, index, 4, frame * 0.5, b"x", frame * 0.5 + index * 0.05)
            buffer.take(frame * 0.5 + 0.2)
        assert 0.1 <= buffer.quiet <= QUIET_MOST

    def test_a_packet_that_comes_again_and_again_delays_nothing(self):
        buffer = FrameBuffer()
        for i in range(100):
            buffer.put(0, 0, 2, 7.0, b"x", 1.0 + i / 100)
        assert buffer.next_deadline() == 1.0 + QUIET_LEAST

    @given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3)), max_size=600))
    def test_holds_a_bounded_number_and_hands_out_in_order(self, packets):
        buffer = FrameBuffer()
        handed = []
        for i, (number, index) in enumerate(packets):
            now = i / 1000
            buffer.put(number, index, 4, number / 25, b"x", now)
            assert len(buffer) <= MOST_HELD
            if i % 3 == 0 and (ready := buffer.take(now)) is not None:
                handed.append(ready.number)
                assert len(ready.late) <= LATE_KEPT
        while (ready := buffer.take(1e9)) is not None:
            handed.append(ready.number)
        assert handed == sorted(set(handed))

    def test_a_full_buffer_gives_its_oldest(self):
        buffer = FrameBuffer()
        for number in range(CAPACITY + 1):
            buffer.put(number, 0, 2, 0.0, b"x", 5.0)
        assert buffer.take(5.0).number == 0


class TestPlayout:
    def test_pictures_keep_their_distances_although_they_are_decoded_unevenly(self):
        playout = Playout()
        lateness = [0.0, 0.04, 0.01, 0.03, 0.02] * 20
        due = []
        for i, late in enumerate(lateness):
            stamp, decoded = i / 25, 100 + i / 25 + late
            playout.note(stamp, decoded)
            due.append(playout.due(stamp, decoded))
        steps = [b - a for a, b in pairwise(due[20:])]
        assert steps == pytest.approx([0.04] * len(steps), abs=1e-6)
        assert playout.spread[1] == pytest.approx(0.045)

    @pytest.mark.parametrize("jump", [1000.0, -1000.0, 3.0, -3.0, 1.0, -1.0])
    def test_a_clock_that_jumps_holds_nothing_up(self, jump):
        playout = Playout()
        for i in range(200):
            stamp, decoded = i / 25 + (jump if i > 100 else 0.0), 50 + i / 25
            playout.note(stamp, decoded)
            assert decoded <= playout.due(stamp, decoded) <= decoded + DELAY_MOST

    @given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=50))
    def test_never_before_it_is_there_nor_much_later(self, times):
        playout = Playout()
        for stamp, decoded in times:
            playout.note(stamp, decoded)
            assert decoded <= playout.due(stamp, decoded) <= decoded + DELAY_MOST + 1e-6
