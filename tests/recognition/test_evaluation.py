"""A recognizer on a labelled set."""

from __future__ import annotations

import pytest
from small_clips import write_clip
from t4vcodec.recognition.datasets import load_set
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.evaluation import ClipAnswer, Evaluation, evaluate


def evaluation(*answers: tuple[str, str, str]) -> Evaluation:
    labels = ("a", "b", "c")
    told = tuple(
        ClipAnswer(f"{i}", label, said, group, tuple(0.0 if x == said else -1.0 for x in labels))
        for i, (label, said, group) in enumerate(answers)
    )
    return Evaluation("s", "r", labels, told, ())


def test_accuracy_confusion_and_classes():
    e = evaluation(("a", "a", "g"), ("a", "b", "g"), ("b", "b", "h"), ("c", "a", "i"))
    assert e.accuracy.mean == 0.5
    assert e.accuracy.groups == 3
    assert e.balanced == pytest.approx((0.5 + 1 + 0) / 3)
    assert e.by_class() == {"a": (1, 2), "b": (1, 1), "c": (0, 1)}
    assert e.confusion() == {"a": {"a": 1, "b": 1}, "b": {"b": 1}, "c": {"a": 1}}


def test_two_classes_are_told_apart_whatever_a_third_has():
    e = evaluation(("a", "a", "g"), ("b", "a", "h"), ("b", "b", "h"), ("c", "a", "i"))
    assert e.told_apart("a", "b").mean == pytest.approx(2 / 3)
    with pytest.raises(RecognitionError, match="no clips"):
        evaluation(("c", "c", "g")).told_apart("a", "b")


def test_a_corrupt_clip_is_counted_and_left_out(small, tmp_path):
    for label in "abc":
        write_clip(tmp_path / label / f"{label}.mp4")
    (tmp_path / "b" / "b.mp4").write_bytes(b"no video")
    told = []
    e = evaluate(load_set(tmp_path), small, told.append)
    assert len(e.answers) == 2
    assert len(e.problems) == len(told) == 1
    for file in tmp_path.rglob("*.mp4"):
        file.write_bytes(b"no video")
    with pytest.raises(RecognitionError, match="none of its 3 clips"):
        evaluate(load_set(tmp_path), small)
