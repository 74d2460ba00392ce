"""Training the predictor of importance: labels are kept, test clips are left alone, what matters is found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from t4vcodec.cli import main
from t4vcodec.errors import T4VError
from t4vcodec.importance.features import MAPS, SCALARS
from t4vcodec.importance.labels import weigh
from t4vcodec.importance.predictor import Predictor, load_predictor
from t4vcodec.importance.predictor_study import PredictorSettings, areas, study_predictor
from t4vcodec.importance.ranking import area_under_curve
from t4vcodec.media import Colour, from_rgb, open_writer
from t4vcodec.recognition.builtin import BuiltinRecognizer, save_recognizer
from t4vcodec.recognition.datasets import load_set
from t4vcodec.recognition.network import ActionNetwork, Shape
from t4vcodec.recognition.recognizer import load_recognizer
from t4vcodec.training.importance_training import (
    WEIGHTS,
    Example,
    Settings,
    Source,
    calibrate,
    focal_loss,
    judged,
    train_importance,
    train_predictor,
)

SMALL = Settings(steps=3, batch=2, stretch=4, point=600)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight clips of a square that moves right or up, two of them for testing alone."""
    folder = tmp_path_factory.mktemp("set")
    lines = ["clip,label,group,split"]
    for label in ("right", "up"):
        for n, split in enumerate(("train", "train", "val", "test")):
            random = np.random.default_rng(n)
            ground = random.integers(0, 80, (48, 64, 3), dtype=np.uint8)
            name = f"{label}{n}.mp4"
            with open_writer(str(folder / name), 64, 48, 12, Colour()) as writer:
                for t in range(6):
                    picture = ground.copy()
                    x, y = (8 + 4 * t, 12) if label == "right" else (20, 28 - 4 * t)
                    picture[y : y + 16, x : x + 16] = 230
                    writer.write(from_rgb(picture, t / 12, Colour()))
            lines.append(f"{name},{label},g{n},{split}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory):
    torch.manual_seed(0)
    network = ActionNetwork(2, Shape((8, 8, 8), (1, 1, 1), 0.0, 32))
    path = tmp_path_factory.mktemp("recognizer") / "small.safetensors"
    save_recognizer(network, ("right", "up"), path)
    return str(path)


def example_of(random: np.random.Generator, frames: int = 6) -> Example:
    """Two packets a frame; important is the one whose positions change."""
    maps = np.zeros((frames, len(MAPS), 2, 4), np.float32)
    maps[:, 1:3] = random.normal(size=(frames, 2, 2, 4))
    packet = np.arange(8).reshape(2, 4) % 2 + 2 * np.arange(frames)[:, None, None]
    important = (random.random(2 * frames) < 0.3).astype(np.float32)
    maps[:, 0] = important[packet] * 2 + 0.3 * random.normal(size=packet.shape)
    scalars = np.zeros((2 * frames, len(SCALARS)), np.float32)
    scalars[:, 0] = random.normal(size=2 * frames)
    return Example(
        torch.from_numpy(maps),
        torch.from_numpy(scalars),
        torch.from_numpy(packet),
        2 * np.arange(frames + 1),
        torch.from_numpy(2 * important - 1),
        torch.from_numpy(important),
    )


def test_it_finds_what_matters_and_is_calibrated():
    random = np.random.default_rng(0)
    examples = [example_of(random) for _ in range(60)]
    network = train_predictor(Settings(steps=60, batch=4, stretch=6, rate=1e-2), examples[:40])
    predictor = Predictor("mine", network, calibrate(network, examples[40:50]))
    area, brier = judged(predictor, examples[50:])
    assert area > 0.8
    assert brier < 0.18  # of chance alone: 0.21


def test_a_stretch_in_the_mirror_keeps_its_packets():
    example = example_of(np.random.default_rng(1))
    plain, mirrored = example.stretch(2, 3, False), example.stretch(2, 3, True)
    for i in (1, 3, 4):
        assert torch.equal(plain[i], mirrored[i])
    assert torch.equal(plain[0].flip(3), mirrored[0])
    assert plain[2].min() == 0
    assert plain[2].max() == len(plain[1]) - 1
    changed = plain[0][:, 0].reshape(3, -1)
    for p in range(len(plain[1])):
        here = changed[plain[2] == p].sort().values
        there = mirrored[0][:, 0].reshape(3, -1)[mirrored[2] == p].sort().values
        assert torch.equal(here, there)


def test_the_focal_loss_forgives_what_is_right_already():
    yes = torch.tensor([1.0])
    sure, unsure, wrong = (float(focal_loss(torch.tensor([x]), yes, 2.0)) for x in (4.0, 0.0, -4.0))
    assert sure < 1e-4 * wrong
    assert sure < unsure < wrong


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1, max_size=30))
def test_the_area_counts_pairs_in_the_right_order(rows):
    scores, important = (np.array(column) for column in zip(*rows))
    pairs = [
        (float(a > b) + float(a < b)) * (a > b) + 0.5 * (a == b)
        for a in scores[important.astype(bool)]
        for b in scores[~important.astype(bool)]
    ]
    area = area_under_curve(scores, important.astype(bool))
    assert np.isnan(area) if not pairs else area == pytest.approx(np.mean(pairs))


def test_the_interval_holds_the_area_and_a_perfect_order_is_one():
    random = np.random.default_rng(0)
    truths = [random.random(30) for _ in range(6)]
    for area in areas(truths, truths):
        assert (area.value, area.low, area.high) == (1.0, 1.0, 1.0)
    over, within = areas([random.random(30) for _ in range(6)], truths)
    assert over.low <= over.value <= over.high
    assert within.low <= within.value <= within.high


def test_labels_are_kept_with_their_stream(folder, recognizer, tmp_path, monkeypatch):
    clip, judge = load_set(folder).clips[0], load_recognizer(recognizer)
    first = weigh(clip, judge, 600, tmp_path, share=0.5)
    measured = np.isfinite(first.true)
    assert 0 < measured.sum() < len(measured)
    monkeypatch.setattr("t4vcodec.importance.labels._measure", None)
    again = weigh(clip, judge, 600, tmp_path, share=0.5)
    assert np.array_equal(first.true, again.true, equal_nan=True)
    assert np.array_equal(first.first_order, again.first_order)
    assert [p.packet for f in first.video.packets for p in f] == [
        p.packet for f in again.video.packets for p in f
    ]
    with pytest.raises(TypeError):
        weigh(clip, judge, 500, tmp_path, share=0.5)  # of another rate: measured anew


def test_damaged_labels_are_made_again(folder, recognizer, tmp_path):
    clip, judge = load_set(folder).clips[0], load_recognizer(recognizer)
    first = weigh(clip, judge, 600, tmp_path)
    (path,) = tmp_path.glob("*.npz")
    path.write_bytes(path.read_bytes()[:100])
    assert np.allclose(weigh(clip, judge, 600, tmp_path).first_order, first.first_order, atol=1e-6)


def test_a_recognizer_without_gradient_is_refused(folder, recognizer, tmp_path):
    judge = load_recognizer(recognizer)
    blind = BuiltinRecognizer("blind", judge.labels, judge.network)
    blind.differentiable = False
    with pytest.raises(T4VError, match="blind lets no gradient through"):
        weigh(load_set(folder).clips[0], blind, 600, tmp_path)


def test_the_whole_way(folder, recognizer, tmp_path, monkeypatch):
    weighed = []

    def spy(labelled, *rest):
        weighed.append(labelled.split)
        return weigh(labelled, *rest)

    monkeypatch.setattr("t4vcodec.training.importance_training.weigh", spy)
    lines = []
    path = train_importance(
        SMALL, [Source(str(folder), recognizer, {})], tmp_path / "run", tmp_path / "labels", lines.append
    )
    assert path == tmp_path / "run" / WEIGHTS
    assert sorted(weighed) == ["train"] * 4 + ["val"] * 2
    assert "4 clips to learn from, 2 to calibrate with" in lines
    again = train_importance(
        SMALL, [Source(str(folder), recognizer, {})], tmp_path / "again", tmp_path / "labels", lines.append
    )
    mine, theirs = load_file(path), load_file(again)
    assert mine.keys() == theirs.keys()
    assert all(np.array_equal(mine[name], theirs[name]) for name in mine)
    clips = load_set(folder).where(split="test").clips
    results = study_predictor(
        clips,
        load_recognizer(recognizer),
        [load_predictor(str(path))],
        PredictorSettings(point=600, share=0.5),
        tmp_path / "study",
        tmp_path / "labels",
        lines.append,
    )
    assert set(results) == {"importance", "chance", "frame difference", "packet size", "first order (oracle)"}
    assert (tmp_path / "study" / "predictor.json").is_file()
    assert len(np.load(tmp_path / "study" / "packets.npz")["true"]) > 0
    assert any("of the encoder's" in line for line in lines)


def test_a_set_of_test_clips_alone_teaches_nothing(folder, recognizer, tmp_path):
    with pytest.raises(T4VError, match="nothing to learn from"):
        train_importance(SMALL, [Source(str(folder), recognizer, {"split": "test"})], tmp_path)
    with pytest.raises(T4VError, match="no set to learn"):
        train_importance(SMALL, [], tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train-importance", "--data", "a", "--data", "b", "--recognizer", "x"], "give one for each"),
        (["train-importance", "--where", "place=a", "--where", "place=b"], "give one for each"),
        (["train-importance", "--data", "nowhere"], "nowhere: there is no such folder"),
        (["study", "predictor", "--predictor", "builtin:nobody"], "no predictor 'builtin:nobody'"),
    ],
)
def test_commands_fail_in_one_line(arguments, message, capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--out", str(tmp_path / "out")])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
