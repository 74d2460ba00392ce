"""Studies of lost frames: what is written, and that it can be seen again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_clips import write_clip
from t4vcodec.recognition.datasets import load_set
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.study import (
    StudySettings,
    bend_policies,
    next_share,
    repeat_pattern,
    study_frames,
)

SETTINGS = StudySettings(("interval:1", "interval:3", "each:0.5"), ("freeze", "blend"), seeds=2, critical=1)


@pytest.fixture
def clips(tmp_path):
    for label in "abc":
        for number in range(2):
            write_clip(tmp_path / "set" / label / f"{label}{number}.mp4", seed=number)
    return load_set(tmp_path / "set")


def test_every_pattern_is_logged_and_can_be_seen_again(clips, small, tmp_path):
    out = tmp_path / "out"
    study_frames([(clips, small)], SETTINGS, out, lambda line: None)
    lines = [json.loads(line) for line in (out / "patterns.jsonl").read_text().splitlines()]
    # Of each clip: 1 without loss, 2 fills of one interval, 2 fills of 2 drawn patterns.
    assert len(lines) == 6 * (1 + 2 + 4)
    by_name = {c.name: c for c in clips.clips}
    for line in lines[:7]:
        shown, scores = repeat_pattern(line, by_name[line["clip"]], small)
        assert len(shown) == line["frames"]
        assert np.allclose(scores, line["scores"], atol=1e-3)


def test_fills_are_compared_on_the_same_patterns(clips, small, tmp_path):
    study_frames([(clips, small)], SETTINGS, tmp_path / "out", lambda line: None)
    lines = [json.loads(line) for line in (tmp_path / "out" / "patterns.jsonl").read_text().splitlines()]
    drawn = {(p["clip"], p["seed"], p["fill"]): p["lost"] for p in lines if p["policy"] == "each:0.5"}
    assert all(drawn[c, s, "freeze"] == drawn[c, s, "blend"] for c, s, _ in drawn)
    assert len({json.dumps(lost) for lost in drawn.values()}) > 2


def test_the_summary_says_what_loss_costs(clips, small, tmp_path):
    result = study_frames([(clips, small)], SETTINGS, tmp_path / "out", lambda line: None)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "study.json",
        "patterns.jsonl",
        "accuracy.png",
        "critical.png",
    }
    rows = {(r["policy"], r["fill"]): r for r in result["summary"]}
    assert rows["interval:1", "blend"]["agreement"]["mean"] == 1.0
    assert rows["interval:3", "freeze"]["share"] == pytest.approx(8 / 12, abs=1e-3)
    assert result["clean"]["accuracy"]["mean"] == rows["interval:1", "freeze"]["accuracy"]["mean"]
    falls = [c["fall"] for c in result["clips_by_sensitivity"]]
    assert falls == sorted(falls, reverse=True)
    assert len(result["critical"][0]["falls"]["1"]) == 11
    assert json.loads((tmp_path / "out" / "study.json").read_text())["clips"] == 6


def test_a_corrupt_clip_is_counted_and_the_rest_goes_on(clips, small, tmp_path):
    (tmp_path / "set" / "b" / "b0.mp4").write_bytes(b"not a video at all")
    told = []
    result = study_frames([(clips, small)], SETTINGS, tmp_path / "out", told.append)
    assert result["clips"] == 5
    assert len(result["left_out"]["undecodable"]) == 1
    assert any("left out" in line for line in told)


def test_only_clips_that_are_right_without_loss(clips, small, tmp_path):
    settings = StudySettings(("interval:1",), ("freeze",), only_right=True, critical=0)
    result = study_frames([(clips, small)], settings, tmp_path / "out", lambda line: None)
    assert result["clean"]["accuracy"]["mean"] == 1.0
    assert result["clips"] + result["left_out"]["wrong_without_loss"] == 6


def test_frames_that_may_not_be_lost_stay(clips, small, tmp_path):
    settings = StudySettings(("each:1",), ("freeze",), keep=(0, 5), seeds=1, critical=0)
    study_frames([(clips, small)], settings, tmp_path / "out", lambda line: None)
    for line in (tmp_path / "out" / "patterns.jsonl").read_text().splitlines():
        assert json.loads(line)["lost"] == [[1, 4], [6, 6]]


def test_what_can_not_be_studied_is_refused(clips, small, tmp_path):
    for settings, message in (
        (StudySettings(("what:1",)), "no dropping policy"),
        (StudySettings(fills=("glue",)), "glue"),
        (StudySettings(seeds=0), "a seed or more"),
    ):
        with pytest.raises(RecognitionError, match=message):
            study_frames([(clips, small)], settings, tmp_path / "out", print)
    small.labels = ("a", "b", "x")
    with pytest.raises(RecognitionError, match="does not know the class c"):
        study_frames([(clips, small)], SETTINGS, tmp_path / "out", print)


def test_rates_are_placed_where_the_curve_bends():
    points = bend_policies(lambda share: 1.0 if share < 0.6 else 0.2, 12)
    near = [s for s, _ in points if abs(s - 0.6) < 0.1]
    far = [s for s, _ in points if s < 0.3]
    assert len(points) == 12
    assert len(near) > len(far)
    assert next_share({0.0: 1.0, 1.0: 0.0}) == 0.5
    with pytest.raises(RecognitionError):
        next_share({0.0: 1.0})
