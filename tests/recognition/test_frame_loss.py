"""Lost frames: which ones, and what stands in their place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.frame_loss import (
    FILLS,
    Policy,
    filled,
    lost_from,
    parse_frames,
    runs_of,
)

POLICIES = st.sampled_from(
    ["interval:3", "every:2", "fraction:0.3", "count:8", "each:0.4", "random:0:1", "ge:0.3:5", "each:1"]
)


def frames_of(levels: list[int]) -> np.ndarray:
    return np.broadcast_to(np.array(levels, np.uint8)[:, None, None, None], (len(levels), 8, 10, 3)).copy()


def lost_of(text: str, count: int) -> list[int]:
    return np.flatnonzero(Policy.parse(text).lost(count, np.random.default_rng(0))).tolist()


def test_equal_intervals_keep_one_frame_in_k():
    assert lost_of("interval:3", 7) == [1, 2, 4, 5]
    assert lost_of("interval:1", 7) == []


def test_every_kth_frame_is_lost():
    assert lost_of("every:3", 7) == [2, 5]


def test_a_fraction_is_spread_evenly():
    lost = Policy.parse("fraction:0.25").lost(40, np.random.default_rng(0))
    assert lost.sum() == 10
    assert set(np.diff(np.flatnonzero(lost))) == {4}


def test_a_fixed_count_has_longer_intervals_in_longer_clips():
    for count in (24, 48):
        kept = np.flatnonzero(~Policy.parse("count:8").lost(count, np.random.default_rng(0)))
        assert len(kept) == 8
        assert set(np.diff(kept)) == {count // 8}


def test_bursts_have_the_rate_and_length_asked_for():
    lost = Policy.parse("ge:0.3:5").lost(60_000, np.random.default_rng(1))
    assert lost.mean() == pytest.approx(0.3, abs=0.03)
    assert np.mean([n for _, n in runs_of(lost)]) == pytest.approx(5, abs=0.4)


@given(POLICIES, st.integers(1, 60), st.integers(0, 9), st.lists(st.integers(0, 70), max_size=4))
def test_frames_that_may_not_be_lost_are_kept(text, count, seed, keep):
    lost = Policy.parse(text).lost(count, np.random.default_rng(seed), keep)
    assert lost.shape == (count,)
    assert not lost.all()
    assert not lost[[k for k in keep if k < count]].any()


@given(st.lists(st.booleans(), min_size=1, max_size=50))
def test_logged_runs_give_the_pattern_back(marks):
    lost = np.array(marks)
    assert np.array_equal(lost_from(runs_of(lost), len(lost)), lost)


def test_each_fill_takes_what_it_says():
    frames = frames_of([10, 99, 99, 99, 50])
    lost = np.array([False, True, True, True, False])
    levels = {fill: filled(frames, lost, fill)[:, 0, 0, 0].tolist() for fill in FILLS}
    assert levels["freeze"] == [10, 10, 10, 10, 50]
    assert levels["following"] == [10, 50, 50, 50, 50]
    assert levels["blend"] == [10, 20, 30, 40, 50]
    assert levels["motion"] == [10, 20, 30, 40, 50]


def test_moved_pictures_are_sharper_than_blended_ones():
    y, x = np.indices((48, 64))

    def picture(shift: float) -> np.ndarray:
        grey = 128 + 100 * np.sin((x - shift) / 4) * np.cos(y / 5)
        return np.repeat(grey.astype(np.uint8)[..., None], 3, 2)

    frames = np.stack([picture(0), picture(2), picture(4)])
    lost = np.array([False, True, False])
    error = {
        fill: np.abs(filled(frames, lost, fill)[1, 8:-8, 8:-8].astype(int) - frames[1, 8:-8, 8:-8]).mean()
        for fill in FILLS
    }
    assert error["motion"] < 0.6 * error["blend"]
    assert error["blend"] < error["freeze"]


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.sampled_from(FILLS), st.integers(0, 255))
def test_what_was_lost_is_never_looked_at(marks, fill, level):
    lost = np.array(marks)
    lost[len(lost) // 2] = False
    frames = frames_of([20 * i % 256 for i in range(len(lost))])
    other = frames.copy()
    other[lost] = level
    assert np.array_equal(filled(frames, lost, fill), filled(other, lost, fill))
    assert np.array_equal(filled(frames, lost, fill)[~lost], frames[~lost])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "interval",
        "interval:0",
        "interval:1.5",
        "every:1",
        "fraction:1",
        "each:2",
        "random:0.5:0.1",
        "ge:0.3",
    ]
    + ["ge:0.3:0", "each:x", "each:nan", "nothing:1", "interval:1e9"],
)
def test_bad_policies_are_refused_with_the_forms_there_are(text):
    with pytest.raises(RecognitionError, match=r"interval:k"):
        Policy.parse(text)


def test_frame_numbers_are_read():
    assert parse_frames("0,10-12") == (0, 10, 11, 12)
    assert parse_frames("") == ()
    for bad in ("a", "3-1", "-2", "0-99999999999"):
        with pytest.raises(RecognitionError):
            parse_frames(bad)


def test_bad_fills_are_refused():
    frames = frames_of([1, 2])
    with pytest.raises(RecognitionError, match="freeze"):
        filled(frames, np.array([False, True]), "magic")
    with pytest.raises(RecognitionError, match="keep one"):
        filled(frames, np.array([True, True]), "freeze")
