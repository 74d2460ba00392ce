"""Recognizers in `run_eval`: everybody's answers, nothing stale, nothing played twice, corrupt clips."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from labelled_clips import CLASSES, write_recognizer, write_set
from t4vcodec.eval import task_scores
from t4vcodec.eval.cache import Cache
from t4vcodec.eval.clips import load_clip
from t4vcodec.eval.command import run_eval
from t4vcodec.eval.csv_table import to_csv
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.profiles import PROFILES, Effort, Opposition, Profile
from t4vcodec.eval.protocol import play
from t4vcodec.eval.protocol import record as record_stream
from t4vcodec.eval.records import read_results
from t4vcodec.eval.sweep import Rate, Sweep
from t4vcodec.eval.task_clips import Look, choose_sources
from t4vcodec.eval.task_scores import Onlookers, Pictures, Task, Viewer, all_of
from t4vcodec.media.frames import to_rgb
from t4vcodec.media.rendered import open_rendered
from t4vcodec.network.channels import parse_channel, parse_channels
from t4vcodec.recognition import load_recognizer
from t4vcodec.recognition import task_scores as scores_of
from toy_scheme import ToyScheme, moving_clip

PROFILES["look"] = Profile("0.3", (600.0,), 2, Effort(2, 2, 1, 1), (1.0,))


@pytest.fixture(autouse=True, scope="module")
def _without_pictures():
    """Plots and reports have tests of their own, and take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("t4vcodec.eval.command._plot", lambda *a: None)
        patch.setattr("t4vcodec.eval.command._report", lambda *a: "report.html")
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set"), clips=4)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_recognizer(tmp_path_factory.mktemp("weights") / "mine.safetensors")


def evaluate(folder, out, *recognizers, **settings):
    lines = []
    settings = {"kbps": (100,), "frames": 6, "profile": "look", "baselines": ("none",)} | settings
    settings |= {"echo": lines.append, "recognizer": recognizers or None}
    path = run_eval(data=str(folder), out=out, scheme=ToyScheme(), **settings)
    return read_results(path), "\n".join(lines)


@pytest.fixture(scope="module")
def measured(folder, weights, tmp_path_factory):
    """With opponents, one clip of the set."""
    out = tmp_path_factory.mktemp("out")
    return out, *evaluate(folder, out, str(weights), baselines=("x264",), clips=1)


def test_every_record_of_everybody_has_an_answer(measured, weights):
    _, results, _ = measured
    assert len({r.scheme for r in results.records}) == 8
    recognizer = load_recognizer(str(weights))
    clean = {clip.name: clip.tasks[str(weights)] for clip in results.clips}
    for record in results.records:
        answer = record.tasks[str(weights)]
        assert answer["label"] in CLASSES
        assert answer["first"] == recognizer.labels[int(np.argmax(answer["scores"]))]
        assert answer["top1"] == (answer["first"] == answer["label"])
        assert answer["agreement"] == (answer["first"] == clean[record.clip]["first"])
        assert 0 <= answer["confidence"] <= 1
    (clip,) = results.clips
    assert (clip.label, clip.group) == ("left", "g0")


def test_answers_are_those_of_the_pictures_that_were_shown(folder, weights, tmp_path):
    results, _ = evaluate(folder, tmp_path, str(weights), clips=1, losses="0.6", seeds=1)
    (facts,) = results.clips
    clip, scheme, shown = load_clip(facts.source, 6), ToyScheme(), []
    sent = record_stream(scheme.stream(clip, 100), clip.frames)
    play(sent, scheme.receiver(clip), clip, parse_channel("0.6"), 0, lambda _, frame: shown.append(frame))
    recognizer = load_recognizer(str(weights))
    clean = recognizer.scores(np.stack([to_rgb(f) for f in clip.frames]), 5.0)
    expected = scores_of(shown, recognizer, facts.label, clean, fps=5.0)
    (found,) = [r.tasks[str(weights)] for r in results.records if r.channel == "0.6"]
    assert found["scores"] == pytest.approx(expected["scores"], abs=1e-3)
    assert found["agreement"] == expected["agreement"]


def test_terminal_and_table_and_file(measured, weights):
    _, results, text = measured
    assert "as captured" in text
    assert "Accuracy / agreement;" in text
    tables = text[text.index("\nOne-way") : text.index("\nWrote")].splitlines()
    assert all(len(line) <= 80 for line in tables if "%  " not in line)
    kinds = {(f.scheme, f.against, f.measure) for f in results.task_summary}
    assert ("t4v-toy", "fec-sound-0", "top1") in kinds
    assert ("source", None, "balanced") in kinds
    assert f"--recognizer {weights}" in results.command
    lines = to_csv(results).splitlines()
    assert {line.split(",")[5] for line in lines[1:]} <= {"0", "1"}


def plain(results):
    """Records without answers and clock times."""
    times = {"encode_fps": 0, "decode_fps": 0, "tasks": {}}
    return [{**vars(r), **times} for r in results.records]


def test_runs_with_and_without_recognizers_share_records(measured, folder, tmp_path, monkeypatch):
    out, before, _ = measured
    monkeypatch.setattr(ToyScheme, "stream", lambda *a: pytest.fail("encoded again"))
    again, text = evaluate(folder / "clip0.mp4", out, "none", baselines=("x264",))
    assert " left)" not in text
    assert all(r.tasks == {} for r in again.records)
    assert plain(again) == plain(before)


def test_other_weights_under_the_same_name_are_asked_anew(folder, tmp_path):
    path = write_recognizer(tmp_path / "mine.safetensors", seed=0)
    out = tmp_path / "out"
    settings = {"clips": 2, "losses": "0.3", "seeds": 1}
    first, _ = evaluate(folder, out, str(path), **settings)
    again, text = evaluate(folder, out, str(path), **settings)
    assert " left)" not in text
    assert [r.tasks for r in again.records] == [r.tasks for r in first.records]
    write_recognizer(path, seed=1)
    task_scores._load.cache_clear()
    other, _ = evaluate(folder, out, str(path), **settings)
    assert [r.tasks for r in other.records] != [r.tasks for r in first.records]
    assert plain(other) == plain(first)


def test_other_labels_change_the_verdict_and_ask_nobody(folder, weights, tmp_path, monkeypatch):
    settings = {"losses": "0.3", "seeds": 1}
    first, _ = evaluate(folder, tmp_path / "out", str(weights), **settings)
    lines = (folder / "labels.csv").read_text()
    swapped = lines.replace("left", "x").replace("right", "left").replace("x", "right")
    copy = write_set(tmp_path, clips=4)
    (copy / "labels.csv").write_text(swapped)
    monkeypatch.setattr(Onlookers, "_scores", lambda *a: pytest.fail("asked again"))
    other, _ = evaluate(copy, tmp_path / "out", str(weights), **settings)
    for a, b in zip(first.records, other.records):
        assert a.tasks[str(weights)]["top1"] != b.tasks[str(weights)]["top1"]


def test_a_corrupt_clip_in_the_middle_is_left_out_and_told(folder, weights, tmp_path):
    broken = write_set(tmp_path, clips=4)
    (broken / "clip1.mp4").write_bytes(b"no video at all" * 50)
    results, text = evaluate(broken, tmp_path / "out", str(weights), losses="0.3", seeds=1)
    assert [clip.name for clip in results.clips] == ["clip0", "clip2", "clip3"]
    assert "1 clip left out" in text
    assert "clip1.mp4" in text
    for number in (0, 2, 3):
        (broken / f"clip{number}.mp4").write_bytes(b"neither")
    load_clip.cache_clear()
    with pytest.raises(EvalError, match="none of the clips"):
        evaluate(broken, tmp_path / "out", str(weights), losses="0.3", seeds=1)


def test_a_job_travels_with_its_onlookers_and_leaves_out_what_is_too_short(folder, weights, tmp_path):
    found = choose_sources(str(folder), 2, Look((str(weights),)))
    opposition = Opposition(("x264",), PROFILES["look"].effort, ())
    sweep = Sweep(
        found.sources, ToyScheme(), (Rate(100, False),), tuple(parse_channels("0.3")), 1, 6, tmp_path, None
    )
    sweep = replace(sweep, tasks=found.tasks, leave_out=True)
    job = pickle.loads(pickle.dumps(sweep.jobs[0]))
    result = job.run(lambda *step: None)
    assert result.facts.tasks[str(weights)]["agreement"]
    assert all(record.tasks for record in result.records)
    short = replace(sweep, frames=4, opposition=opposition).jobs[0].run(lambda *step: None)
    assert short.facts is None
    assert "fewer than a group of pictures" in short.problem
    with pytest.raises(EvalError, match="fewer"):
        replace(sweep, frames=4, opposition=opposition, leave_out=False).jobs[0].run(lambda *step: None)


def test_without_labels_there_is_agreement_only(folder, weights, tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "clip0.mp4").write_bytes((folder / "clip0.mp4").read_bytes())
    results, text = evaluate(tmp_path / "plain", tmp_path / "out", str(weights), losses="0.3", seeds=1)
    assert {f.measure for f in results.task_summary} == {"agreement", "confidence"}
    assert "agreement" in text
    assert json.loads((tmp_path / "out" / "results.json").read_text())["clips"][0]["label"] is None


def test_brief_looks_ask_for_the_first_seed_and_whoever_is_in_front(tmp_path):
    clip = moving_clip()
    task = Task((Viewer.named("builtin:rendered"),), "walk", brief=True)
    onlookers = Onlookers(clip, task, Cache(tmp_path))
    assert onlookers.wants("key", "t4v", 0)
    assert not onlookers.wants("key", "t4v", 1)
    assert onlookers.pictures("x264", 0) is not None
    assert onlookers.pictures("capacity", 0) is None
    assert Onlookers().pictures("t4v", 0) is None


def test_equal_pictures_are_recognized_once(tmp_path, monkeypatch):
    clip = moving_clip()
    viewer = Viewer.named("builtin:rendered")
    onlookers = Onlookers(clip, Task((viewer,), "walk"), Cache(tmp_path))
    asked, scores = [], viewer.recognizer.scores
    monkeypatch.setattr(viewer.recognizer, "scores", lambda *a: asked.append(1) or scores(*a))
    for key in ("one", "two"):
        pictures = onlookers.pictures("t4v", 0)
        for number, frame in enumerate(clip.frames):
            all_of(None, pictures)(number, frame)
        onlookers.keep(key, pictures)
    assert len(asked) == 1
    assert onlookers.clean()["builtin:rendered"]["agreement"]
    assert len(asked) == 1


def test_large_pictures_are_kept_small():
    with open_rendered("builtin:val/walk-00") as video:
        frame = next(iter(video))
    pictures = Pictures()
    pictures(0, frame)
    assert min(pictures.clip.shape[1:3]) <= task_scores.SIDE
