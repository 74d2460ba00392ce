"""Training the built-in recognizer: it learns, goes on where it stood, keeps off test clips."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from t4vcodec.errors import T4VError
from t4vcodec.media import Colour, from_rgb, open_writer
from t4vcodec.recognition.recognizer import load_recognizer
from t4vcodec.training.action_examples import Example, Task
from t4vcodec.training.checkpoint import CheckpointError
from t4vcodec.training.picture_damage import damaged
from t4vcodec.training.recognizer_training import (
    CHECKPOINT,
    RecognizerTrainingError,
    Run,
    Settings,
    train_recognizer,
)
from t4vcodec.training.rendered_examples import FPS, render_example, rendered_examples

SMALL = Settings(steps=4, batch=4, clips=1)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def write_moving(path, to_the_right: bool, seed: int, frames: int = 20) -> None:
    """A square that moves to one side or, for the other class, up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    ground = random.integers(0, 80, (32, 40, 3), dtype=np.uint8)
    with open_writer(str(path), 40, 32, 12, Colour()) as writer:
        for t in range(frames):
            picture = ground.copy()
            x, y = (2 + t, 12) if to_the_right else (14, 22 - t)
            picture[max(0, y) : y + 10, x : x + 10] = 230
            writer.write(from_rgb(picture, t / 12, Colour()))


@pytest.fixture
def folder(tmp_path):
    lines = ["clip,label,group,split"]
    for label in ("right", "up"):
        for n, split in enumerate(("train", "train", "val", "test")):
            name = f"{label}{n}.mp4"
            write_moving(tmp_path / "set" / name, label == "right", n)
            lines.append(f"{name},{label},g{n},{split}")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(lines))
    return tmp_path / "set"


def train(settings, data, out, **more):
    told: list[str] = []
    path = train_recognizer(settings, [str(d) for d in data], out, echo=told.append, **more)
    return path, told


def test_a_run_writes_a_recognizer_that_says_how_it_came_about(folder, tmp_path):
    path, told = train(SMALL, [folder], tmp_path / "run")
    assert load_recognizer(str(path)).labels == ("right", "up")
    with safe_open(path, "pt") as file:
        facts = file.metadata()
    assert facts["done"] == "4"
    assert facts["held_out"].endswith("of 2 clips")
    assert any("4 clips of 2 classes" in line for line in told)


def test_test_clips_are_never_read(folder, tmp_path):
    for file in folder.glob("*3.mp4"):
        file.write_bytes(b"would be told of if it were read")
    _, told = train(SMALL, [folder], tmp_path / "run")
    assert not any("left out" in line for line in told)


def test_a_run_that_stopped_goes_on_as_if_it_had_not(folder, tmp_path):
    whole, _ = train(SMALL, [folder], tmp_path / "whole")
    train(SMALL, [folder], tmp_path / "parts", minutes=1e-9)
    # Nothing was done in no time; now two steps by hand, saved as a run does.
    from t4vcodec.recognition.datasets import load_set
    from t4vcodec.training.action_examples import load_task
    from t4vcodec.training.checkpoint import load_checkpoint, save_checkpoint

    run = Run(SMALL, [load_task(load_set(folder).where(split="train"), print)])
    run.restore(load_checkpoint(tmp_path / "parts" / CHECKPOINT))
    run.learn()
    run.learn()
    save_checkpoint(run.checkpoint(), tmp_path / "parts" / CHECKPOINT)
    parts, told = train(SMALL, [folder], tmp_path / "parts", resume=True)
    assert "going on after step 2" in told
    with safe_open(whole, "pt") as one, safe_open(parts, "pt") as other:
        for name in one.keys():  # noqa: SIM118
            assert torch.equal(one.get_tensor(name), other.get_tensor(name)), name


def test_another_runs_checkpoint_is_refused(folder, tmp_path):
    train(SMALL, [folder], tmp_path / "run")
    with pytest.raises(RecognizerTrainingError, match="holds a run already"):
        train(SMALL, [folder], tmp_path / "run")
    with pytest.raises(CheckpointError, match="seed"):
        train(replace(SMALL, seed=1), [folder], tmp_path / "run", resume=True)


def test_further_sets_are_learned_beside_the_first(folder, tmp_path):
    other = tmp_path / "other"
    for label in ("x", "y", "z"):
        for n in range(2):
            write_moving(other / label / f"{label}{n}.mp4", label == "x", n)
    path, told = train(replace(SMALL, steps=6, share=0.5), [folder, other], tmp_path / "run", hold_out=False)
    assert load_recognizer(str(path)).labels == ("right", "up")
    assert any(re.search(r"set loss .* other loss", line) for line in told)
    more, _ = train(replace(SMALL, start=str(path)), [other], tmp_path / "more", hold_out=False)
    assert load_recognizer(str(more)).labels == ("x", "y", "z")


def test_a_few_steps_lower_the_loss():
    random = np.random.default_rng(0)
    examples = []
    for label in (0, 1):
        for _ in range(4):
            frames = np.zeros((24, 48, 48, 3), np.uint8)
            for t in range(24):
                at = (4 + t, 18) if label else (28 - t, 18)
                frames[t, at[1] : at[1] + 12, at[0] : at[0] + 12] = 150 + random.integers(100)
            examples.append(Example(frames, 12.5, label))
    # Mirrored copies would swap left and right: ups and downs instead.
    task = Task("t", ("up", "down"), [replace(e, frames=e.frames.swapaxes(1, 2)) for e in examples])
    run = Run(Settings(steps=40, batch=6, rate=4e-3), [task])
    losses = [run.learn()[1] for _ in range(14)]
    assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:3])


def test_a_corrupt_clip_is_told_of_and_the_rest_goes_on(folder, tmp_path):
    (folder / "right0.mp4").write_bytes(b"no video")
    _, told = train(SMALL, [folder], tmp_path / "run")
    assert any("1 of 4 clips left out" in line for line in told)
    (folder / "right1.mp4").write_bytes(b"no video")
    with pytest.raises(T4VError, match="no clip of class right"):
        train(SMALL, [folder], tmp_path / "other")


def test_rendered_examples_are_kept_and_read_back(tmp_path):
    example = render_example("wave", 0, "train", (48, 40))
    assert example.frames.shape[1:] == (40, 48, 3)
    assert 20 <= len(example.frames) <= 30
    assert example.joints.shape == (len(example.at), 18, 2)
    assert render_example("wave", 0, "val", (48, 40)).frames.shape[0] == 30
    assert FPS == 12.5
    arrays = {}
    from t4vcodec.media.rendered import ACTIONS

    for action in ACTIONS:
        for name in ("frames", "at", "joints", "visible"):
            arrays[f"{action}.{name}"] = getattr(example, name)
    np.savez(tmp_path / "train-0000.npz", **arrays)
    back = list(rendered_examples(tmp_path, "train", range(1)))
    assert [e.action for e in back] == list(ACTIONS)
    assert np.array_equal(back[0].frames, example.frames)


@given(st.integers(0, 400))
def test_damage_repeats_and_coarsens_but_invents_nothing(seed):
    frames = np.random.default_rng(5).integers(0, 256, (8, 24, 30, 3), dtype=np.uint8)
    before = frames.copy()
    out = damaged(frames, np.random.default_rng(seed))
    assert out.shape == frames.shape
    assert out.dtype == np.uint8
    assert np.array_equal(frames, before)
    assert out.min() >= frames.min()
    assert out.max() <= frames.max()
