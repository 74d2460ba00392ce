"""The study of importance on two short clips."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from t4vcodec.cli import main
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.validation import Sent, Settings, study_clips
from t4vcodec.importance.validation_command import study_importance
from t4vcodec.importance.validation_summary import rank_correlation, summarise
from t4vcodec.media import from_rgb, open_writer
from t4vcodec.media.frames import usual_colour
from t4vcodec.recognition.datasets import ActionSet, Labelled

SETTINGS = Settings(point=40, sensitive=2, insensitive=2, whole=(1, 1), shares=(0.3,), heavy_seeds=(1,))


@pytest.fixture(scope="session")
def clips(clean, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    out = []
    for name, pictures in (("one", clean[:6, :48, :64]), ("two", clean[:6, 10:58, 20:84])):
        path = str(folder / f"{name}.mkv")
        colour = usual_colour(64, 48)
        with open_writer(path, 64, 48, 25, colour) as writer:
            for number, picture in enumerate(pictures):
                writer.write(from_rgb(picture, number / 25, colour))
        out.append(Labelled(path, "a", group=name))
    return ActionSet("few", ("a", "b", "c"), tuple(out))


@pytest.fixture(scope="session")
def studied(clips, recognizer, tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    told = []
    return study_importance([(clips, recognizer)], SETTINGS, out, 1, told.append), out, told


def test_everything_is_written(studied):
    result, out, told = studied
    names = {p.name for p in out.iterdir()}
    assert names >= {"importance.json", "records.jsonl", "spearman.png", "scatter.png", "sets.png"}
    assert names >= {"protected.png", "period.png", "parts"}
    assert any(n.startswith("heat-") and n.endswith(".mp4") for n in names)
    assert json.loads((out / "importance.json").read_text())["summary"] == result["summary"]
    assert "2 clips" in told[-1]


def test_records_hold_what_was_really_measured(studied, clips, recognizer):
    _, out, _ = studied
    for line in (out / "records.jsonl").read_text().splitlines():
        record = json.loads(line)
        clip = next(c for c in clips.clips if c.name == record["clip"])
        sent = Sent(clip, recognizer, SETTINGS.point)
        arrived = sent.arrived(SETTINGS.loss, SETTINGS.seed)
        lost = record["lost"]
        assert lost["numbers"] == np.flatnonzero(~arrived).tolist()
        first = lost["numbers"][0]
        assert lost["true"][0] == pytest.approx(sent.measure.of_each(arrived, [first])[first], abs=1e-5)
        assert record["sensitive"] == (sent.turned(SETTINGS.loss, SETTINGS.selection) is not None)
        if "whole" in record:
            assert len(record["whole"]["true"]) == record["packets"]
            assert {one["order"] for one in record["protected"]} == {
                "none",
                "random",
                "saliency",
                "first order",
                "influence",
            }


def test_a_study_goes_on_where_it_stopped(studied, clips, recognizer):
    _, out, _ = studied
    told = []
    records = list(study_clips([(clips, recognizer)], SETTINGS, out / "parts", told.append))
    assert len(records) == 2
    assert [line for line in told if "clips" not in line] == []


def test_clips_are_not_chosen_on_the_losses_that_are_scored():
    with pytest.raises(ImportanceError, match="same losses"):
        Settings(seed=101)
    with pytest.raises(ImportanceError, match="same losses"):
        Settings(heavy_seeds=(3, 104))
    with pytest.raises(ImportanceError, match="between 0 and 1"):
        Settings(loss=1.0)


def test_correlations_are_by_clip_and_by_kind():
    def record(sensitive, sign, group):
        true = np.arange(8.0) - 2
        return {
            "sensitive": sensitive,
            "group": group,
            "score": 1.0,
            "lost": {
                "agrees": True,
                "score": 0.5,
                "true": true.tolist(),
                "thoughts": {"good": (sign * true).tolist(), "pictures l2": [1.0] * 8},
            },
        }

    summary = summarise([record(True, 1, "a"), record(True, 1, "b"), record(False, -1, "c")])
    rows = {(r["thought"], r["kind"]): r for r in summary["lost"]}
    assert rows["good", "sensitive"]["signed"]["mean"] == pytest.approx(1)
    assert rows["good", "insensitive"]["signed"]["mean"] == pytest.approx(-1)
    assert rows["good", "insensitive"]["sizes"]["mean"] == pytest.approx(1)
    assert rows["pictures l2", "all"]["signed"]["mean"] == 0
    assert summary["level"]["sensitive"]["fall"] == 0.5
    assert summary["protected"] == []


def test_what_does_not_vary_correlates_with_nothing():
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0
    assert rank_correlation([1, 2, 4], [5, 6, 9]) == pytest.approx(1)


def test_a_clip_that_does_not_decode_is_left_out(clips, recognizer, tmp_path):
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(b"no video")
    told = []
    pairs = [(ActionSet("x", ("a", "b", "c"), (Labelled(str(broken), "a"),)), recognizer)]
    assert list(study_clips(pairs, SETTINGS, tmp_path / "parts", told.append)) == []
    assert any("left out" in line for line in told)
    with pytest.raises(ImportanceError, match="no clip is left"):
        study_importance(pairs, SETTINGS, tmp_path, 0, told.append)


def test_the_command_refuses_what_does_not_fit(tmp_path):
    runner = CliRunner()
    for arguments, message in (
        (["--where", "place=a", "--where", "place=b"], "give one for each"),
        (["--loss", "1"], "is not in the range"),
        (["--data", str(tmp_path / "none")], "no such folder"),
    ):
        done = runner.invoke(main, ["study", "importance", "--out", str(tmp_path), *arguments])
        assert done.exit_code == 2
        assert message in done.output
