"""Training through time with erased packets, on rendered pieces so small that it takes seconds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from t4vcodec.codec.models import Model, load_model, load_tables
from t4vcodec.codec.models.synthesis import Synthesis
from t4vcodec.errors import T4VError
from t4vcodec.eval.metrics import ssim as measured_ssim
from t4vcodec.training import samples as samples_module
from t4vcodec.training import synthesis_training
from t4vcodec.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from t4vcodec.training.objective import distortion
from t4vcodec.training.samples import draw_pieces, encode_piece
from t4vcodec.training.synthesis_training import CHECKPOINT, Settings, TrainingFailure, train_synthesis
from t4vcodec.training.unroll import LossError, TrainLoss, run_chain

TINY = Settings(size="t4v-tiny", steps=6, batch=1, pieces=2, phase=4, unroll=3)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(samples_module, "WIDTH", 64)
    monkeypatch.setattr(samples_module, "HEIGHT", 48)
    monkeypatch.setattr(samples_module, "FRAMES", 7)
    monkeypatch.setattr(synthesis_training, "list_clips", lambda _: ["builtin:train/walk/0"])
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def source() -> str:
    from t4vcodec.media import list_clips

    return list_clips("builtin:train")[0]


@pytest.fixture
def only_one(monkeypatch, source):
    monkeypatch.setattr(synthesis_training, "list_clips", lambda _: [source])


def train(out: Path, settings: Settings = TINY, **options) -> Path:
    lines: list[str] = []
    return train_synthesis(settings, None, out, wandb="disabled", echo=lines.append, **options)


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_model(str(path)).synthesis.state_dict()


def test_a_run_that_was_cut_goes_on_exactly(tmp_path, only_one, monkeypatch):
    whole = weights(train(tmp_path / "whole"))
    learn = synthesis_training.Run.learn

    def killed(run, *arguments):
        if run.step == 5 and (tmp_path / "cut" / "phase-1.safetensors").exists():
            raise KeyboardInterrupt
        figures = learn(run, *arguments)
        if run.step == 5:
            save_checkpoint(run.checkpoint(), tmp_path / "cut" / CHECKPOINT)
        return figures

    monkeypatch.setattr(synthesis_training.Run, "learn", killed)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut")
    monkeypatch.setattr(synthesis_training.Run, "learn", learn)
    resumed = weights(train(tmp_path / "cut", resume=True))
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())
    assert any(tensor.abs().sum() > 0 for name, tensor in whole.items() if name.startswith("tail"))


def test_a_folder_with_a_run_is_not_written_over(tmp_path, only_one):
    train(tmp_path / "run", replace(TINY, steps=1))
    with pytest.raises(TrainingFailure, match="--resume"):
        train(tmp_path / "run", replace(TINY, steps=1))
    with pytest.raises(CheckpointError, match="other settings"):
        train(tmp_path / "run", replace(TINY, steps=1, seed=5), resume=True)


def test_a_gradient_that_is_no_number_stops_the_run(tmp_path, only_one, monkeypatch):
    monkeypatch.setattr(
        synthesis_training, "objective", lambda a, b, metric: (a + b) * torch.tensor(float("nan"))
    )
    with pytest.raises(TrainingFailure, match="no number"):
        train(tmp_path / "run", replace(TINY, train_loss="0"))


@pytest.mark.parametrize("damage", ["cut", "foreign", "pickle"])
def test_checkpoints_that_are_none(tmp_path, damage):
    path = tmp_path / CHECKPOINT
    if damage == "cut":
        network = synthesis_training.Run(TINY)
        save_checkpoint(network.checkpoint(), path)
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "foreign":
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(1)}, path)
    else:
        torch.save({"x": 1}, path)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_bad_settings(tmp_path):
    for setting in ({"metric": "vmaf"}, {"size": "huge"}, {"train_loss": "1.5"}, {"train_loss": "much"}):
        with pytest.raises(T4VError):
            train(tmp_path / "run", replace(TINY, **setting))
    (tmp_path / "file").write_text("x")
    with pytest.raises(TrainingFailure, match="folder"):
        train(tmp_path / "file" / "run")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", (0, 0, 1.0)), ("0.3", (0.3, 0.3, 0.4)), ("0:0.6", (0, 0.6, 0.4)), ("mixed", (0.1, 0.6, 0.8))],
)
def test_spellings_of_the_loss(text, expected):
    loss = TrainLoss.parse(text)
    assert (loss.low, loss.high, loss.clean) == expected
    for wrong in ("", "x", "0.6:0.1", "-1", "0.95"):
        with pytest.raises(LossError):
            TrainLoss.parse(wrong)


def test_erasures_have_the_rate_asked_for():
    random = np.random.default_rng(0)
    loss = TrainLoss(0.3, 0.3, 0.0)
    drawn = [np.concatenate(loss.draw([8, 2, 2, 4, 2, 2], random)) for _ in range(1500)]
    assert abs(np.mean(drawn) - 0.3) < 0.02
    assert not any(p.any() for p in TrainLoss.parse("0").draw([8, 2], random))
    assert [p.size for p in loss.draw([8, 2, 3], random)] == [8, 2, 3]


def test_gradients_reach_back_through_time(source):
    """An early frame's correction shows in a late frame: only the chain can carry the gradient."""
    [piece], _ = draw_pieces([source], 1, np.random.default_rng(1))
    sample = encode_piece(piece, "t4v-classic", 25, 0.3)
    network = Synthesis(8, 1)
    torch.nn.init.normal_(network.tail.weight, std=1e-3)
    model = Model(load_tables("t4v-classic"), network)
    counts = [np.zeros(len(p), bool) for p in sample.packets]
    norms = []
    for start, frames in ((0, 4), (3, 1)):
        network.zero_grad()
        shown = run_chain(sample, model, counts, start, frames)
        shown[-1].y.square().mean().backward()
        norms.append(float(network.tail.weight.grad.norm()))
    assert norms[0] > 0
    assert norms[1] > 0
    assert abs(norms[0] - norms[1]) > 0.05 * norms[1]


def test_training_improves_what_it_trains_on(source):
    [piece], _ = draw_pieces([source], 1, np.random.default_rng(2))
    sample = encode_piece(piece, "t4v-classic", 36, 0.3)
    run = synthesis_training.Run(replace(TINY, steps=40, train_loss="0", unroll=2))
    model = Model(load_tables("t4v-classic"), run.network)
    losses = [run.learn([sample], model)["clean/loss"] for _ in range(40)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10])


def test_the_ssim_that_is_trained_on_is_the_one_that_is_measured():
    random = np.random.default_rng(4)
    a = random.integers(0, 256, (40, 56)).astype(np.uint8)
    b = np.clip(a + random.normal(0, 20, a.shape), 0, 255).astype(np.uint8)
    planes = [[torch.from_numpy(x).float()] * 3 for x in (a, b)]
    dissimilar, squared = distortion(planes[:1], planes[1:])
    assert float(squared) == pytest.approx(((a.astype(float) - b) ** 2).mean())
    assert 1 - float(dissimilar) == pytest.approx(measured_ssim(a, b), abs=1e-3)
