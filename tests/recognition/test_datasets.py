"""Sets of labelled clips in their layouts, and what can be wrong with them."""

from __future__ import annotations

import pytest
from small_clips import ACTIONS, write_clip
from t4vcodec.media.rendered import ACTIONS as RENDERED
from t4vcodec.recognition.datasets import (
    ActionSet,
    Labelled,
    class_numbers,
    load_set,
    read_frames,
)
from t4vcodec.recognition.errors import RecognitionError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_a_folder_per_class(tmp_path):
    touch(tmp_path, "run/b.mp4", "run/a.mp4", "walk/c.avi", "walk/notes.txt")
    clips = load_set(tmp_path)
    assert clips.labels == ("run", "walk")
    assert [(c.name, c.label) for c in clips.clips] == [("a.mp4", "run"), ("b.mp4", "run"), ("c.avi", "walk")]


def test_a_folder_per_split_and_class(tmp_path):
    touch(tmp_path, "train/run/a.mp4", "validation/run/b.mp4", "train/walk/c.mp4")
    assert {(c.name, c.split) for c in load_set(tmp_path).clips} == {
        ("a.mp4", "train"),
        ("b.mp4", "val"),
        ("c.mp4", "train"),
    }


def test_a_csv_of_clips(tmp_path):
    touch(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "labels.csv").write_text(
        "clip,label,group,place,split,start_s,end_s\na.mp4,run,g1,park,train,1,2\nb.mp4,walk,g2,,test,,\n"
    )
    first, second = load_set(tmp_path).clips
    assert (first.label, first.group, first.place, first.split) == ("run", "g1", "park", "train")
    # start_s and end_s tell where the file was cut from, not what to cut from it.
    assert first.start is None
    assert second.split == "test"


def test_a_csv_of_segments_cuts_the_video(tmp_path):
    write_clip(tmp_path / "long.mp4", frames=24, fps=12)
    (tmp_path / "segments.csv").write_text("video,label,start,end\nlong.mp4,run,0,1\nlong.mp4,walk,1,1.5\n")
    run, walk = load_set(tmp_path).clips
    assert run.group == walk.group == "long.mp4"
    assert len(read_frames(run)[0]) == 12
    assert len(read_frames(walk)[0]) == 6
    assert read_frames(walk, short_side=24)[0].shape == (6, 24, 32, 3)


def test_kinetics_csv(tmp_path):
    touch(tmp_path, "train/playing cards/abc_000010_000020.mp4", "val/run/xyz_000001_000011.mp4")
    (tmp_path / "annotations.csv").write_text(
        "label,youtube_id,time_start,time_end,split\nplaying cards,abc,10,20,train\nrun,xyz,1,11,validate\n"
    )
    clips = load_set(tmp_path)
    assert [(c.label, c.group, c.split) for c in clips.clips] == [
        ("playing cards", "abc", "train"),
        ("run", "xyz", "val"),
    ]


def test_ucf101_split_files_and_groups(tmp_path):
    touch(tmp_path, "UCF-101/Run/v_Run_g01_c01.avi", "UCF-101/Run/v_Run_g02_c01.avi")
    touch(tmp_path, "UCF-101/Walk/v_Walk_g01_c01.avi")
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "trainlist01.txt").write_text("Run/v_Run_g02_c01.avi 1\nWalk/v_Walk_g01_c01.avi 2\n")
    (lists / "testlist01.txt").write_text("Run/v_Run_g01_c01.avi\n")
    clips = load_set(tmp_path)
    assert clips.labels == ("Run", "Walk")
    assert [c.group for c in clips.where(split="test").clips] == ["Run-01"]


def test_rendered_clips():
    clips = load_set("builtin:val", numbers=2)
    assert clips.labels == RENDERED
    assert len(clips.clips) == 2 * len(RENDERED)


def test_parts_held_out_share_no_group_and_have_every_class():
    clips = tuple(
        Labelled(f"{label}{g}{i}", label, group=f"{label}{g}")
        for label in "ab"
        for g in range(10)
        for i in range(3)
    )
    kept, held = ActionSet("s", ("a", "b"), clips).hold_out(0.2)
    assert not {c.group for c in kept.clips} & {c.group for c in held.clips}
    assert {c.label for c in held.clips} == {"a", "b"}
    assert 6 <= len(held.clips) <= 18
    assert kept.labels == held.labels == ("a", "b")


@pytest.mark.parametrize(
    ("files", "text", "message"),
    [
        ((), None, "no labelled clips"),
        (("run/a.mp4", "walk/x.txt"), None, "class without clips"),
        ((), "clip,label\nmissing.mp4,run\n", "1 of 1 labelled files are missing"),
        (("a.mp4",), "clip,label\na.mp4,\n", "no label"),
        (("a.mp4",), "clip,label,split\na.mp4,run,future\n", "split 'future'"),
        (("a.mp4",), "name,class\na.mp4,run\n", "columns"),
        (("a.mp4",), "clip,label\n", "lists no clips"),
        (("a.mp4",), "video,label,start,end\na.mp4,run,5,2\n", "line 2"),
        (("a.mp4",), "video,label,start,end\na.mp4,run,x,2\n", "no number of seconds"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, files, text, message):
    touch(tmp_path, *files)
    if text is not None:
        (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(RecognitionError, match=message):
        load_set(tmp_path)


def test_other_classes_than_the_recognizers_are_named():
    clips = [Labelled("x", "swim"), Labelled("y", "run")]
    with pytest.raises(RecognitionError, match="swim"):
        class_numbers(clips, ("run", "walk"), "mine")
    assert class_numbers(clips[1:], ("walk", "run"), "mine") == [1]


def test_clips_are_picked_by_what_is_known_of_them():
    clips = ActionSet("s", ("a",), (Labelled("x", "a", place="park"), Labelled("y", "a", place="road")))
    assert [c.source for c in clips.where(place="road").clips] == ["y"]
    with pytest.raises(RecognitionError, match="no clip has"):
        clips.where(place="sea")
    with pytest.raises(RecognitionError, match="no 'colour'"):
        clips.where(colour="red")


@pytest.mark.skipif(not ACTIONS.is_dir(), reason="needs ../shared/data/actions")
@pytest.mark.parametrize(
    ("name", "clips", "classes"), [("fight", 250, 2), ("ut-interaction", 119, 6), ("arid", 236, 6)]
)
def test_the_real_sets_are_read(name, clips, classes):
    loaded = load_set(ACTIONS / name)
    assert (len(loaded.clips), len(loaded.labels)) == (clips, classes)
