"""`t4vcodec train --train-loss 0.3`: train the synthesis network through time, packets erased.

    phase: draw pieces of clips, encode them with the network as it stands
      step: a batch of chains of the decoder's own steps, some without loss and some with,
            gradients through the last `unroll` frames of each

Everything drawn depends on the seed and the number of the step or phase alone, and each phase starts from a model
file in the output folder: so a run that was killed goes on exactly where its last checkpoint stands.
"""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from t4vcodec import __version__
from t4vcodec.codec.models import Model, load_model, save_model
from t4vcodec.codec.models.synthesis import Synthesis
from t4vcodec.codec.tables import Tables
from t4vcodec.errors import T4VError
from t4vcodec.media import list_clips
from t4vcodec.training.checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from t4vcodec.training.objective import METRICS, distortion, objective
from t4vcodec.training.samples import Piece, Sample, draw_pieces, draw_quality, encode_piece
from t4vcodec.training.table_training import BUILTIN, training_clips
from t4vcodec.training.tracking import Tracker, default_mode
from t4vcodec.training.unroll import TrainLoss, planes_of, run_chain, source_planes

SIZES = {"t4v-tiny": (24, 2), "t4v-base": (48, 4), "t4v-large": (128, 8)}  # width, blocks
CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "model.safetensors"
RESILIENCES = (0.3, 0.3, 0.3, 0.0)  # of the streams that are learned from
CLIP = 1.0  # largest norm of a gradient


class TrainingFailure(T4VError):
    """A run that can not start or go on."""


@dataclass(frozen=True)
class Settings:
    """steps: of the whole run. batch: chains a step. pieces: encoded in a phase. phase: steps in one.

    unroll: frames that gradients go through at the end of the run; it grows from 2. decay: of the mean of weights.
    """

    train_loss: str = "0.3"
    size: str = "t4v-base"
    tables: str = "t4v-classic"
    metric: str = "mix"
    steps: int = 2000
    batch: int = 2
    pieces: int = 48
    phase: int = 150
    unroll: int = 8
    rate: float = 1e-3
    decay: float = 0.99
    seed: int = 0

    def check(self) -> None:
        TrainLoss.parse(self.train_loss)
        if self.metric not in METRICS:
            raise TrainingFailure(f"unknown metric {self.metric!r}: take {', '.join(METRICS)}")
        if self.size not in SIZES:
            raise TrainingFailure(f"unknown size {self.size!r}: take {', '.join(SIZES)}")

    def random(self, *of: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, *of))

    def rate_at(self, step: int) -> float:
        """Warm-up, then a cosine down to a hundredth."""
        warm = min(1.0, (step + 1) / 50)
        return self.rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / self.steps)))

    def unroll_at(self, step: int) -> int:
        grown = 2 + (self.unroll - 2) * min(1.0, 2 * step / self.steps)
        return max(2, round(grown))


class Run:
    """The state of a run: network, its mean over time, optimiser, steps done."""

    def __init__(self, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.network = Synthesis(*SIZES[settings.size])
        self.mean = Synthesis(*SIZES[settings.size]).requires_grad_(False)
        self.mean.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.rate, betas=(0.9, 0.99))
        self.step = 0

    def checkpoint(self) -> Checkpoint:
        tensors = {f"network.{n}": p.detach() for n, p in self.network.named_parameters()}
        tensors |= {f"mean.{n}": p.detach() for n, p in self.mean.named_parameters()}
        for name, parameter in self.network.named_parameters():
            for moment, value in self.optimiser.state.get(parameter, {}).items():
                tensors[f"optimiser.{moment}.{name}"] = torch.as_tensor(value)
        return Checkpoint(self.step, tensors, asdict(self.settings))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Raises CheckpointError where it is of another run."""
        mine = asdict(self.settings)
        other = {k: v for k, v in checkpoint.settings.items() if mine.get(k) != v}
        if other:
            raise CheckpointError(
                f"the checkpoint is of a run with other settings: {other}; start it so, or anew"
            )
        try:
            for name, parameter in self.network.named_parameters():
                parameter.data.copy_(checkpoint.tensors[f"network.{name}"])
                state = {
                    key.split(".")[1]: tensor
                    for key, tensor in checkpoint.tensors.items()
                    if key.startswith("optimiser.") and key.split(".", 2)[2] == name
                }
                if state:
                    self.optimiser.state[parameter] = state
            for name, parameter in self.mean.named_parameters():
                parameter.copy_(checkpoint.tensors[f"mean.{name}"])
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(f"the checkpoint is of another network: {error}") from error
        self.step = checkpoint.step

    def learn(self, samples: list[Sample], model: Model) -> dict[str, float]:
        """One step; returns what is worth logging. model: tables, and the network that is trained."""
        s = self.settings
        random = s.random(1, self.step)
        loss_setting = TrainLoss.parse(s.train_loss)
        for group in self.optimiser.param_groups:
            group["lr"] = s.rate_at(self.step)
        self.optimiser.zero_grad(set_to_none=True)
        figures: dict[str, list[float]] = {}
        for _ in range(s.batch):
            sample = samples[int(random.integers(len(samples)))]
            unroll = min(s.unroll_at(self.step), sample.frames)
            start = int(random.integers(0, sample.frames - unroll + 1))
            lost = loss_setting.draw([len(p) for p in sample.packets], random)
            shown = run_chain(sample, model, lost, start, unroll)
            height, width = sample.source[0].shape[1:]
            source = [source_planes(sample, start + i) for i in range(unroll)]
            dissimilar, squared = distortion([planes_of(p, height, width) for p in shown], source)
            loss = objective(dissimilar, squared, s.metric)
            if loss.requires_grad:  # frames that were lost whole have nothing of the network's
                (loss / s.batch).backward()
            kind = "erased" if any(l.any() for l in lost) else "clean"
            for name, value in (("loss", loss), ("dissimilar", dissimilar), ("mse", squared)):
                figures.setdefault(f"{kind}/{name}", []).append(float(value.detach()))
        norm = float(torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP))
        if not math.isfinite(norm):
            raise TrainingFailure(f"step {self.step}: the gradient is no number; the last checkpoint is good")
        self.optimiser.step()
        self.step += 1
        decay = min(s.decay, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, now in zip(self.mean.parameters(), self.network.parameters()):
                mean.lerp_(now, 1 - decay)
        return {name: float(np.mean(v)) for name, v in figures.items()} | {"gradient": norm}


def train_synthesis(
    settings: Settings,
    data: str | None,
    out: str | Path,
    resume: bool = False,
    minutes: float | None = None,
    workers: int = 1,
    wandb: str | None = None,
    echo: Callable[[str], None] = print,
) -> Path:
    """Train a network on the rendered training clips and those of `data`; returns the weights' file.

    data: as of `train_tables`. out: folder of checkpoints and weights. minutes: stop after so many, whatever
    `steps` says. workers: processes that encode. wandb: online, offline or disabled; by default online with a login
    at hand, else offline. Raises T4VError.
    """
    settings.check()
    torch.set_num_threads(1)
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingFailure(f"{out}: cannot be made a folder: {error}") from error
    if not resume and (out / CHECKPOINT).exists():
        raise TrainingFailure(f"{out} holds a run already: --resume it, or give another folder")
    sources = list_clips(BUILTIN) if data is None else training_clips(data)
    run = Run(settings)
    if resume and (out / CHECKPOINT).exists():
        run.restore(load_checkpoint(out / CHECKPOINT))
        echo(f"going on after step {run.step}")
    tables = load_model(settings.tables).tables
    tracker = Tracker(wandb or default_mode(), out, asdict(settings) | {"data": data})
    end = time.monotonic() + 60 * (minutes if minutes is not None else math.inf)
    echo(f"{settings.size}: {run.network.macs_per_pixel:.0f} multiplications a pixel, {len(sources)} clips")
    try:
        with _encoders(workers) as encode:
            while run.step < settings.steps and time.monotonic() < end:
                phase = run.step // settings.phase
                samples = _prepare(run, tables, sources, out, phase, encode, echo)
                while run.step < min((phase + 1) * settings.phase, settings.steps) and time.monotonic() < end:
                    began = time.monotonic()
                    figures = run.learn(samples, Model(tables, run.network))
                    figures["seconds"] = time.monotonic() - began
                    figures["rate"] = settings.rate_at(run.step)
                    tracker.log(run.step, figures)
                    if run.step % 25 == 0:
                        echo(_line(run, figures))
                        save_checkpoint(run.checkpoint(), out / CHECKPOINT)
        save_checkpoint(run.checkpoint(), out / CHECKPOINT)
        metadata = {k: str(v) for k, v in asdict(settings).items()}
        metadata |= {"version": __version__, "done": str(run.step)}
        save_model(Model(tables, run.mean), out / WEIGHTS, metadata)
        tracker.model(out / WEIGHTS)
    finally:
        tracker.close()
    echo(f"Wrote {out / WEIGHTS} after {run.step} steps")
    return out / WEIGHTS


def _prepare(
    run: Run,
    tables: Tables,
    sources: list[str],
    out: Path,
    phase: int,
    encode: Callable[[list[tuple]], list[Sample]],
    echo: Callable[[str], None],
) -> list[Sample]:
    """The samples of a phase, encoded with the mean network at its start."""
    settings = run.settings
    model = out / f"phase-{phase}.safetensors"
    if not (model.exists() and run.step % settings.phase):
        save_model(Model(tables, run.mean if run.step else None), model)
        # Before the old phase's model goes: a checkpoint inside that phase would need it.
        save_checkpoint(run.checkpoint(), out / CHECKPOINT)
        for old in out.glob("phase-*.safetensors"):
            if old != model:
                old.unlink()
    random = settings.random(2, phase)
    began = time.monotonic()
    pieces, problems = draw_pieces(sources, settings.pieces, random)
    for problem in problems:
        echo(f"left out: {problem}")
    jobs = [
        (piece, str(model), draw_quality(random), RESILIENCES[i % len(RESILIENCES)])
        for i, piece in enumerate(pieces)
    ]
    samples = encode(jobs)
    echo(f"phase {phase}: {len(samples)} pieces encoded in {time.monotonic() - began:.0f} s")
    return samples


def _encode_job(job: tuple[Piece, str, int, float]) -> Sample:
    torch.set_num_threads(1)
    return encode_piece(*job)


@contextmanager
def _encoders(workers: int) -> Iterator[Callable[[list[tuple]], list[Sample]]]:
    if workers == 1:
        yield lambda jobs: [_encode_job(job) for job in jobs]
        return
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield lambda jobs: list(pool.map(_encode_job, jobs))
    finally:
        pool.shutdown(cancel_futures=True)


def _line(run: Run, figures: dict[str, float]) -> str:
    parts = [
        f"{name} {figures[f'{name}/loss']:.3f}" for name in ("clean", "erased") if f"{name}/loss" in figures
    ]
    return f"step {run.step}/{run.settings.steps}  {'  '.join(parts)}  {figures['seconds']:.1f} s a step"
