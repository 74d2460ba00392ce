"""Clips of any length, rate and size become windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.windows import Windows, as_clip, scaled_size

WINDOWS = Windows(12.5, 24, 6)


@given(st.integers(1, 400), st.floats(1, 240))
def test_windows_are_of_one_length_and_stay_inside_the_clip(count, fps):
    picks = WINDOWS.picks(count, fps)
    assert picks.shape[1] == 24
    assert picks.min() == 0
    assert picks.max() < count
    assert (np.diff(picks, axis=1) >= 0).all()


@given(st.integers(30, 300), st.sampled_from([12.5, 25.0, 30.0, 50.0]))
def test_windows_reach_the_end_of_the_clip(count, fps):
    seen = WINDOWS.picks(count, fps).max()
    assert count - 1 - seen < fps / 12.5 + 1


def test_rates_are_brought_to_that_of_training():
    assert WINDOWS.picks(60, 25)[0, :4].tolist() == [0, 2, 4, 6]
    assert WINDOWS.picks(60, 12.5)[0, :4].tolist() == [0, 1, 2, 3]
    # A rate below repeats frames.
    assert WINDOWS.picks(60, 6.25)[0, :5].tolist() == [0, 1, 1, 2, 2]


def test_short_clips_hold_their_last_frame():
    assert WINDOWS.picks(3, 12.5).tolist() == [[0, 1] + [2] * 22]
    assert WINDOWS.picks(1, 25).tolist() == [[0] * 24]


@pytest.mark.parametrize(("count", "fps"), [(0, 25), (10, 0), (10, float("nan")), (10, -1)])
def test_nothing_to_recognize_is_refused(count, fps):
    with pytest.raises(RecognitionError, match="nothing to recognize"):
        WINDOWS.picks(count, fps)


def test_sizes_keep_the_aspect_but_for_very_long_pictures():
    assert scaled_size(288, 352, 80, 16) == (80, 96)
    assert scaled_size(240, 320, 80, 16) == (80, 112)
    assert scaled_size(320, 240, 80, 16) == (112, 80)
    assert scaled_size(10, 1000, 80, 16) == (80, 160)
    assert scaled_size(64, 64, 80, 16) == (80, 80)


def test_clips_come_as_bytes_or_as_floats_with_their_gradient():
    array = np.full((2, 4, 6, 3), 255, np.uint8)
    assert as_clip(array).shape == (2, 3, 4, 6)
    assert float(as_clip(array).max()) == 1.0
    tensor = torch.rand(2, 3, 4, 6, requires_grad=True)
    assert as_clip(tensor) is tensor


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((2, 4, 6, 3)),
        np.zeros((4, 6, 3), np.uint8),
        np.zeros((0, 4, 6, 3), np.uint8),
        torch.zeros(2, 4, 6, 3),
        torch.zeros(2, 3, 4, 6, dtype=torch.uint8),
        None,
    ],
)
def test_other_things_are_no_clips(bad):
    with pytest.raises(RecognitionError, match="a clip must be"):
        as_clip(bad)
