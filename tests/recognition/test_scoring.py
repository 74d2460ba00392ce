"""What an answer is worth, and how sure a mean of answers is."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_clips import moving_clip
from t4vcodec.media import Colour, from_rgb
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.scoring import answer, balanced_accuracy, estimate, task_scores

SCORES = st.lists(st.floats(-20, 20), min_size=2, max_size=8)


@given(SCORES, st.data())
def test_answers_are_consistent(values, data):
    scores = torch.tensor(values, dtype=torch.float64)
    label, clean = (data.draw(st.integers(0, len(values) - 1)) for _ in range(2))
    judged = answer(scores, label, clean)
    assert judged.agrees == (judged.first == clean)
    assert 1 <= judged.rank <= len(values)
    assert judged.right <= (judged.rank == 1)
    assert -1 <= judged.penalised <= judged.probability <= 1
    if judged.right:
        assert judged.penalised == pytest.approx(judged.probability)


def test_a_right_class_that_lost_its_place_pays_for_it():
    judged = answer(torch.log(torch.tensor([0.2, 0.7, 0.1])), 0, 0)
    assert (judged.first, judged.rank, judged.right, judged.agrees) == (1, 2, False, False)
    assert judged.probability == pytest.approx(0.2)
    assert judged.penalised == pytest.approx(0.2 - 0.5)


def test_confidence_is_that_of_the_class_first_on_the_clean_clip():
    judged = answer(torch.log(torch.tensor([0.2, 0.7, 0.1])), 0, 1)
    assert judged.confidence == pytest.approx(0.7)
    assert judged.agrees
    assert not judged.right


def test_a_record_of_frames_and_of_a_clip_is_the_same(small):
    clip = moving_clip(12)
    frames = [from_rgb(p, t / 12.5, Colour()) for t, p in enumerate(clip)]
    record = task_scores(frames, small, "b")
    assert record["agreement"] is True
    assert set(record) >= {"top1", "confidence", "scores", "rank", "label", "first", "recognizer"}
    assert json.loads(json.dumps(record)) == record
    # Up to the chroma that a Frame does not keep.
    other = task_scores(clip, small, "b", fps=12.5)
    assert np.allclose(record["scores"], other["scores"], atol=0.05)


def test_without_a_label_there_is_agreement_but_no_top1(small):
    clean = small.scores(moving_clip(12), 12.5)
    record = task_scores(moving_clip(12, seed=3), small, None, clean, fps=12.5)
    assert "top1" not in record
    assert record["agreement"] == (record["first"] == small.labels[int(clean.argmax())])


def test_what_can_not_be_scored_is_refused(small):
    clip = moving_clip(4)
    with pytest.raises(RecognitionError, match="does not know the class 'swim'"):
        task_scores(clip, small, "swim", fps=25)
    with pytest.raises(RecognitionError, match="different recognizers"):
        task_scores(clip, small, "a", torch.zeros(5), fps=25)
    with pytest.raises(RecognitionError, match="needs fps"):
        task_scores(clip, small, "a")
    with pytest.raises(RecognitionError, match="no frames"):
        task_scores([], small, "a")


def test_every_class_counts_alike_in_balanced_accuracy():
    assert balanced_accuracy(["a"] * 9 + ["b"], [True] * 9 + [False]) == 0.5


def test_intervals_rest_on_groups_and_not_on_clips():
    values = [1.0] * 50 + [0.0] * 50
    clips = estimate(values, range(100))
    groups = estimate(values, [i // 25 for i in range(100)])
    assert clips.mean == groups.mean == 0.5
    assert groups.groups == 4
    assert groups.high - groups.low > 2 * (clips.high - clips.low)
    assert estimate([1.0, 1.0], "ab").low == 1.0
