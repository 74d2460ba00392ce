"""Sessions: conditions, when a receiver is done with a frame, what each slot shows, how bytes are counted."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.session_protocol import PATIENCE, Closed, Condition, Playout, Traffic, slots
from t4vcodec.network.channels import parse_channel

CAPTURES = [n / 25 for n in range(8)]


def playout(patience=0.2, waits=False):
    return Playout(CAPTURES, patience, waits)


def test_round_trip_is_split_evenly():
    there, back = Condition(200, rtt_ms=100).routes(25, parse_channel("0.1"))
    assert there.delay == back.delay == 0.05
    assert there.channel.mean_loss == back.channel.mean_loss == 0.1


def test_reports_after_frames_are_there_in_time():
    condition = Condition(200, report_frames=4)
    there, back = condition.routes(25, parse_channel("0"))
    assert there.delay + PATIENCE + back.delay <= 4 / 25
    assert there.delay + back.delay > 3 / 25
    assert condition.name == "reports after 4 frames, deadline 200 ms"


@pytest.mark.parametrize(
    "settings",
    [
        {"rtt_ms": None},
        {"rtt_ms": 100, "report_frames": 4},
        {"rtt_ms": 0},
        {"rtt_ms": math.nan},
        {"report_frames": -1},
    ],
)
def test_conditions_that_make_no_sense_are_refused(settings):
    with pytest.raises(EvalError):
        Condition(200, **settings)


def test_deadline_below_the_way_there_is_refused():
    with pytest.raises(EvalError, match="nothing arrives in time"):
        Condition(50, rtt_ms=240).routes(25, parse_channel("0"))


def test_a_whole_frame_is_over_at_its_last_arrival():
    play = playout()
    play.arrive(0, 0, 2, 0.05)
    play.arrive(0, 1, 2, 0.052)
    assert play.closed == [Closed(0.052, (0, 1), True)]


def test_without_copies_a_gap_ends_with_patience():
    play = playout()
    play.arrive(0, 0, 2, 0.05)
    play.pass_time(0.05 + PATIENCE / 2)
    assert not play.closed
    play.pass_time(0.1)
    assert play.closed == [Closed(0.05 + PATIENCE, (0,), False)]


def test_a_later_frame_ends_one_of_which_nothing_came():
    play = playout()
    play.arrive(1, 0, 1, 0.09)
    assert play.closed == [Closed(0.09, (), False), Closed(0.09, (0,), True)]


def test_with_copies_to_come_the_receiver_waits_until_it_gives_up():
    play = playout(waits=True)
    play.arrive(0, 0, 2, 0.05)
    play.arrive(1, 0, 1, 0.09)
    assert not play.closed
    play.arrive(0, 1, 2, 0.15)
    assert play.closed == [Closed(0.15, (0, 1), True), Closed(0.15, (0,), True)]


def test_an_arrival_at_the_deadline_counts_and_one_after_it_does_not():
    on_time, late = playout(waits=True), playout(waits=True)
    for play in (on_time, late):
        play.arrive(0, 0, 2, 0.05)
    on_time.arrive(0, 1, 2, 0.2)
    late.arrive(0, 1, 2, 0.201)
    assert on_time.closed[0].whole
    assert late.closed[0] == Closed(0.2, (0,), False)


arrivals = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2), st.floats(0, 0.6)), max_size=40).map(
    lambda found: sorted(found, key=lambda one: one[2])
)


@given(arrivals, st.booleans())
def test_every_frame_is_over_once_in_order_and_not_after_it_is_given_up(found, waits):
    play = playout(waits=waits)
    for frame, index, time in found:
        play.arrive(frame, index, 3, time)
    play.pass_time(1.0)
    assert len(play.closed) == len(CAPTURES)
    times = [closed.time for closed in play.closed]
    assert times == sorted(times)
    for number, closed in enumerate(play.closed):
        assert closed.time <= CAPTURES[number] + 0.2 + 1e-9
        came = {i for f, i, t in found if f == number and t <= closed.time - 1e-8}
        assert came <= set(closed.indices) or not closed.whole
        assert closed.whole == (len(closed.indices) == 3)
        assert set(closed.indices) <= {i for f, i, t in found if f == number and t <= closed.time + 1e-8}


def test_slots_show_the_newest_picture_that_is_there():
    closed = [Closed(t, (0,), True) for t in (0.05, 0.30, 0.31, 0.32)]
    seen = slots(closed, CAPTURES[:4], 0.2)
    # Frame 1 comes at 0.30, after its slot (0.24) and in that of frame 3 (0.32).
    assert seen.newest == (0, 0, 0, 3)
    assert seen.delays == pytest.approx((0.05, 0.2, 0.2, 0.2))


def test_slots_never_show_a_frame_before_its_own():
    closed = [Closed(n / 25, (0,), True) for n in range(4)]
    assert slots(closed, CAPTURES[:4], 0.2).newest == (0, 1, 2, 3)


def test_all_bytes_end_in_a_record():
    traffic = Traffic(media=1000, sent=5, lost=1, forward=1400, replies=3, backward=120)
    counted = traffic.bytes(0.5)
    assert counted.total == traffic.total == 1520
    assert counted.headers == 5 * 40 + 3 * 28
    assert counted.protection == 1520 - 1000 - 284
