"""Which clips are evaluated and who looks at them: labels, parts, subsets, and what is refused in a line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from labelled_clips import write_labels, write_recognizer, write_set
from t4vcodec.errors import T4VError
from t4vcodec.eval.clips import load_clip
from t4vcodec.eval.sweep import Rate, Sweep
from t4vcodec.eval.task_clips import BUILTIN_CLIPS, Look, choose_sources, spread
from t4vcodec.eval.task_scores import Viewer
from t4vcodec.recognition.datasets import Labelled
from toy_scheme import ToyScheme


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight clips of two classes in two places."""
    return write_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def recognizers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recognizers")
    return [str(write_recognizer(folder / f"{name}.safetensors", seed=n)) for n, name in enumerate("ab")]


def choose(folder, *recognizers, clips=None, **look):
    return choose_sources(str(folder), clips, Look(recognizers, **look))


def test_rendered_clips_are_looked_at_unless_asked_otherwise():
    found = choose_sources("builtin:val", None, Look())
    assert len(found.sources) == BUILTIN_CLIPS
    assert not found.is_set
    task = found.tasks["builtin:val/walk-00"]
    assert (task.label, task.group, task.brief) == ("walk", "walk-00", True)
    assert [v.spec for v in task.viewers] == ["builtin:rendered"]
    assert task.looks_at("t4v", 0)
    assert task.looks_at("fec-sound-0", 0)
    assert not task.looks_at("t4v", 1)
    assert not task.looks_at("x265 medium rs:1:4", 0)
    assert choose_sources("builtin:val", None, Look(("none",))).tasks == {}


def test_who_is_named_looks_at_everything():
    found = choose_sources("builtin:test", 15, Look(("builtin:rendered",)))
    assert len(found.sources) == 15
    assert found.sources[13] == "builtin:test/walk-01"
    task = found.tasks[found.sources[13]]
    assert task.label == "walk"
    assert task.looks_at("x265 medium rs:1:4", 2)
    one = choose_sources("builtin:test/kick-00", None, Look(("builtin:rendered",)))
    assert [task.label for task in one.tasks.values()] == ["kick"]


def test_each_recognizer_has_its_part_of_a_set(folder, recognizers):
    found = choose(folder, *recognizers, where=({"place": "p1"}, {"place": "p0"}))
    assert len(found.sources) == 8
    assert found.is_set
    by_place = {"p1": recognizers[0], "p0": recognizers[1]}
    for source, task in found.tasks.items():
        place = "p0" if source < str(folder / "clip4") else "p1"
        assert [v.spec for v in task.viewers] == [by_place[place]]
        assert task.label == ("left", "right")[int(source[-5]) % 2]
    both = choose(folder, *recognizers)
    assert all(len(task.viewers) == 2 for task in both.tasks.values())
    part = choose(folder, recognizers[0], where=({"place": "p1"},))
    assert len(part.sources) == 4


def test_labels_from_a_file_of_their_own(folder, recognizers, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    for name in ("clip0.mp4", "clip1.mp4", "clip2.mp4"):
        (plain / name).write_bytes((folder / name).read_bytes())
    found = choose(plain, recognizers[0])
    assert [task.label for task in found.tasks.values()] == [None] * 3
    labels = write_labels(tmp_path / "mine.csv", {"plain/clip0.mp4": "left", "plain/clip2.mp4": "right"})
    found = choose(plain, recognizers[0], labels=labels)
    assert [task.label for task in found.tasks.values()] == ["left", None, "right"]


def test_equal_names_in_class_folders_are_told_apart(folder, recognizers, tmp_path):
    for label in ("left", "right"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "one.mp4").write_bytes((folder / "clip0.mp4").read_bytes())
    found = choose(tmp_path, recognizers[0])
    assert [task.name for task in found.tasks.values()] == ["left/one", "right/one"]


def test_a_subset_has_as_many_of_each_class_and_grows_by_more():
    clips = [Labelled(f"{n}", "ab"[n % 3 == 0], group=f"{n // 3}") for n in range(30)]
    before: set = set()
    for count in range(1, 31):
        chosen = spread(clips, count)
        assert len(chosen) == count
        assert before <= set(chosen)
        before = set(chosen)
        counts = [sum(c.label == label for c in chosen) for label in "ab"]
        assert counts[0] - counts[1] in (0, 1) or counts[1] == 10
    few = spread(clips, 4)
    assert len({clip.group for clip in few}) == 4
    assert spread(clips, 99) == clips


def test_parts_of_a_longer_file(folder, recognizers, tmp_path):
    (tmp_path / "long.mp4").write_bytes((folder / "clip0.mp4").read_bytes())
    (tmp_path / "segments.csv").write_text(
        "video,label,start,end\nlong.mp4,left,0,0.4\nlong.mp4,right,0.4,1.2\n"
    )
    found = choose(tmp_path, recognizers[0])
    assert [task.name for task in found.tasks.values()] == ["long@0", "long@0.4"]
    assert {task.group for task in found.tasks.values()} == {"long.mp4"}
    sweep = Sweep(
        found.sources, ToyScheme(), (Rate(100, False),), (), 1, 60, tmp_path, None, found.tasks, True
    )
    clips = [job._clip() for job in sweep.jobs]
    whole = load_clip(str(tmp_path / "long.mp4"), 60)
    assert [len(clip.frames) for clip in clips] == [2, 4]
    assert np.array_equal(clips[1].frames[0].y, whole.frames[2].y)
    assert [clip.name for clip in clips] == ["long@0", "long@0.4"]
    assert len(replace(sweep, frames=3).jobs[1]._clip().frames) == 3
    (tmp_path / "segments.csv").write_text(
        "video,label,start,end\nlong.mp4,left,0,0.4\nlong.mp4,left,0,0.4\n"
    )
    with pytest.raises(T4VError, match="listed twice"):
        choose(tmp_path, recognizers[0])


@pytest.mark.parametrize(
    ("look", "words"),
    [
        ({"recognizers": ("none", "builtin:rendered")}, "stands alone"),
        ({"where": ({"place": "p0"},)}, "name one"),
        (
            {"recognizers": ("builtin:a", "builtin:b", "builtin:c"), "where": ({"place": "p0"},) * 2},
            "one for each",
        ),
    ],
)
def test_requests_that_contradict_themselves(look, words):
    with pytest.raises(T4VError, match=words):
        Look(**look)


def test_what_is_wrong_with_a_set_is_told_in_a_line(folder, recognizers, tmp_path):
    a = recognizers[0]
    missing = write_labels(tmp_path / "missing.csv", {"clip0.mp4": "left", "nowhere.mp4": "left"})
    elsewhere = write_labels(tmp_path / "elsewhere.csv", {str(folder / "clip7.mp4"): "left"})
    (tmp_path / "lone").mkdir()
    (tmp_path / "lone" / "clip0.mp4").write_bytes((folder / "clip0.mp4").read_bytes())
    cases = [
        (lambda: choose(folder, "builtin:nobody"), "no built-in recognizer"),
        (lambda: choose(folder, str(tmp_path / "gone.safetensors")), "gone.safetensors"),
        (lambda: choose(folder, "builtin:fight"), "does not know the classes left, right"),
        (lambda: choose("builtin:test", "builtin:fight"), "does not know"),
        (lambda: choose(folder, a, where=({"place": "nowhere"},)), "no clip has place 'nowhere'"),
        (lambda: choose(folder, a, where=({"town": "here"},)), "have no 'town'"),
        (lambda: choose(folder, a, labels=missing), "labelled files are missing"),
        (lambda: choose(tmp_path / "lone", a, labels=elsewhere), "labels no clip"),
        (lambda: choose(tmp_path / "lone", a, where=({"place": "p0"},)), "has no labels"),
        (lambda: choose("builtin:test", "builtin:rendered", labels=missing), "by their names"),
    ]
    for call, words in cases:
        with pytest.raises(T4VError, match=words) as error:
            call()
        assert "\n" not in str(error.value)


def test_identity_follows_the_weights_not_the_name(tmp_path):
    one, same, other = (
        write_recognizer(tmp_path / f"{n}.safetensors", seed=s) for n, s in zip("abc", (0, 0, 1))
    )
    identities = [Viewer.named(str(path)).identity for path in (one, same, other)]
    assert identities[0] == identities[1] != identities[2]
