"""`t4vcodec train-recognizer`: train the built-in recognizer on labelled clips.

The first set is what the recognizer is for; further sets are learned beside it, each with classes of its own that
are dropped at the end: small sets of real clips need company. Everything drawn depends on the seed and the number
of the step alone, so a run that was killed goes on exactly where its last checkpoint stands.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from t4vcodec import __version__
from t4vcodec.errors import T4VError
from t4vcodec.recognition.builtin import BuiltinRecognizer, load_builtin, save_recognizer
from t4vcodec.recognition.datasets import ActionSet, load_set
from t4vcodec.recognition.network import MULTIPLE, ActionNetwork, Shape
from t4vcodec.training.action_examples import Example, Task, load_task
from t4vcodec.training.checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from t4vcodec.training.rendered_examples import FPS, rendered_examples
from torch import nn

CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "recognizer.safetensors"
BUILTIN = "builtin:train"
_CLIP = 5.0
_WARM = 60
_SMOOTHING = 0.1
_HELD_OUT = 0.2


class RecognizerTrainingError(T4VError):
    """A run that can not start or go on."""


@dataclass(frozen=True)
class Settings:
    """steps: of the whole run. batch: windows a step. rate: highest learning rate. decay: of weights.

    share: of steps that go to the first set where there are more. mean: of weights over time. clips: rendered clips
    of each action. damage: imitate loss in the pictures. short_side: of the network's pictures. start: a recognizer
    to begin from, without its classes where they are others.
    """

    steps: int = 1500
    batch: int = 16
    rate: float = 2e-3
    decay: float = 0.05
    share: float = 0.7
    mean: float = 0.995
    clips: int = 100
    damage: bool = False
    short_side: int = 80
    start: str | None = None
    seed: int = 0

    def random(self, *of: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, *of))

    def rate_at(self, step: int) -> float:
        """Warm-up, then a cosine down to nothing."""
        return self.rate * min(1.0, (step + 1) / _WARM) * 0.5 * (1 + math.cos(math.pi * step / self.steps))


class Run:
    """The state of a run: a network for each task with a common trunk, the trunk's mean, optimiser, steps done."""

    def __init__(self, settings: Settings, tasks: Sequence[Task]) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.tasks = settings, tasks
        shape = Shape(short_side=settings.short_side)
        self.network = ActionNetwork(len(tasks[0].labels), shape).to(memory_format=torch.channels_last)
        if settings.start is not None:
            _take_over(self.network, load_builtin(settings.start.removeprefix("builtin:")), tasks[0].labels)
        width = self.network.classes.in_features
        self.others = nn.ModuleList(nn.Linear(width, len(task.labels)) for task in tasks[1:])
        self.mean = ActionNetwork(len(tasks[0].labels), shape).to(memory_format=torch.channels_last)
        self.mean.load_state_dict(self.network.state_dict())
        self.mean.requires_grad_(False).eval()
        everything = [*self.network.parameters(), *self.others.parameters()]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [p for p in everything if p.ndim > 1], "weight_decay": settings.decay},
                {"params": [p for p in everything if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=settings.rate,
        )
        self.step = 0

    def _named(self) -> dict[str, torch.Tensor]:
        named = {f"network.{n}": t for n, t in self.network.state_dict().items()}
        named |= {f"others.{n}": t for n, t in self.others.state_dict().items()}
        return named | {f"mean.{n}": t for n, t in self.mean.state_dict().items()}

    def checkpoint(self) -> Checkpoint:
        tensors = {name: tensor.detach().clone() for name, tensor in self._named().items()}
        for number, state in self.optimiser.state_dict()["state"].items():
            for moment, value in state.items():
                tensors[f"optimiser.{moment}.{number}"] = torch.as_tensor(value).clone()
        return Checkpoint(self.step, tensors, self._facts())

    def _facts(self) -> dict[str, object]:
        return asdict(self.settings) | {
            "sets": [[t.name, list(t.labels), len(t.examples)] for t in self.tasks]
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Raises CheckpointError where it is of another run."""
        mine = self._facts()
        other = {k: v for k, v in checkpoint.settings.items() if mine.get(k) != v}
        if other:
            names = ", ".join(sorted(other))
            raise CheckpointError(
                f"the checkpoint is of a run with other settings ({names}): use those, or start anew"
            )
        try:
            with torch.no_grad():
                for name, tensor in self._named().items():
                    # Files hold single numbers as vectors of one.
                    tensor.copy_(checkpoint.tensors[name].reshape(tensor.shape))
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, tensor in checkpoint.tensors.items():
                if key.startswith("optimiser."):
                    _, moment, number = key.split(".")
                    state.setdefault(int(number), {})[moment] = (
                        tensor.reshape(()) if moment == "step" else tensor
                    )
            groups = self.optimiser.state_dict()["param_groups"]
            self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"the checkpoint is of another network: {error}") from error
        self.step = checkpoint.step

    def learn(self) -> tuple[int, float, float]:
        """One step: number of the task, loss, share of right answers."""
        s = self.settings
        random = s.random(1, self.step)
        torch.manual_seed(int(random.integers(2**31)))  # of dropout
        number = 0
        if len(self.tasks) > 1 and random.random() >= s.share:
            number = 1 + int(random.integers(len(self.tasks) - 1))
        windows, classes = self.tasks[number].draw(s.batch, random, s.damage, s.short_side)
        for group in self.optimiser.param_groups:
            group["lr"] = s.rate_at(self.step)
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        head = self.network.classes if number == 0 else self.others[number - 1]
        scores = head(self.network.dropout(self.network.features(windows)))
        loss = F.cross_entropy(scores, classes, label_smoothing=_SMOOTHING)
        if not math.isfinite(float(loss.detach())):
            raise RecognizerTrainingError(f"step {self.step}: the loss is no number: use the last checkpoint")
        loss.backward()
        nn.utils.clip_grad_norm_([*self.network.parameters(), *self.others.parameters()], _CLIP)
        self.optimiser.step()
        self.step += 1
        keep = min(s.mean, self.step / (self.step + 10))
        with torch.no_grad():
            now = self.network.state_dict()
            for name, mean in self.mean.state_dict().items():
                if mean.is_floating_point():
                    mean.lerp_(now[name], 1 - keep)
        return number, float(loss.detach()), float((scores.argmax(1) == classes).float().mean())


def train_recognizer(
    settings: Settings,
    data: Sequence[str],
    out: str | Path,
    where: dict[str, str] | None = None,
    resume: bool = False,
    minutes: float | None = None,
    rendered: str | Path | None = None,
    hold_out: bool = True,
    echo: Callable[[str], None] = print,
) -> Path:
    """Train on the set `data[0]` (of `load_set`, or builtin:train), with the others beside it.

    Clips of split `test` are never used; those of split `val`, or a fifth of the groups where there is none, are
    for the scores told on the way (hold_out False: they are learned from too). where: which clips of the first set,
    such as {"place": "set1"}. out: folder of checkpoints and weights. minutes: stop after so many, whatever `steps`
    says. rendered: folder that keeps rendered clips, by default in `out`.

    Returns the weights' file. Raises T4VError.
    """
    torch.set_num_threads(1)
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecognizerTrainingError(f"{out}: cannot be made a folder: {error}") from error
    if not resume and (out / CHECKPOINT).exists():
        raise RecognizerTrainingError(f"{out} holds a run already: --resume it, or give another folder")
    if settings.short_side % MULTIPLE or settings.short_side < MULTIPLE:
        raise RecognizerTrainingError(f"a short side of {settings.short_side}: give a multiple of {MULTIPLE}")
    if not data:
        raise RecognizerTrainingError("no set to learn: give a folder, a CSV file or builtin:train")
    kept = Path(rendered) if rendered is not None else out / "rendered"
    pairs = [
        _parts(name, where or {} if i == 0 else {}, settings, kept, hold_out, echo)
        for i, name in enumerate(data)
    ]
    held = pairs[0][1]
    run = Run(settings, [task for task, _ in pairs])
    if resume and (out / CHECKPOINT).exists():
        run.restore(load_checkpoint(out / CHECKPOINT))
        echo(f"going on after step {run.step}")
    counts = ", ".join(f"{t.name} {len(t.examples)} clips of {len(t.labels)} classes" for t in run.tasks)
    echo(f"{run.network.parameter_count:,} parameters; {counts}")
    end = time.monotonic() + 60 * (minutes if minutes is not None else math.inf)
    began, told = time.monotonic(), []
    while run.step < settings.steps and time.monotonic() < end:
        told.append(run.learn())
        if run.step % 100 == 0 or run.step == settings.steps:
            save_checkpoint(run.checkpoint(), out / CHECKPOINT)
            echo(_line(run, told, time.monotonic() - began))
            began, told = time.monotonic(), []
        if held is not None and run.step % 500 == 0 and run.step < settings.steps:
            echo(f"  held out: {accuracy(run.mean, held):.3f}")
    save_checkpoint(run.checkpoint(), out / CHECKPOINT)
    facts = {"version": __version__, "done": str(run.step), "sets": ", ".join(t.name for t in run.tasks)}
    if held is not None:
        score = accuracy(run.mean, held)
        facts["held_out"] = f"{score:.3f} of {len(held.examples)} clips"
        echo(f"held out: {score:.3f} of {len(held.examples)} clips")
    facts |= {k: str(v) for k, v in asdict(settings).items()} | (where or {})
    if settings.start is not None:
        facts["start"] = Path(settings.start).name  # folders are nobody's business
    save_recognizer(run.mean, run.tasks[0].labels, out / WEIGHTS, facts)
    echo(f"Wrote {out / WEIGHTS} after {run.step} steps")
    return out / WEIGHTS


def accuracy(network: ActionNetwork, task: Task) -> float:
    """Share of a task's clips, whole and as they are, that the network names."""
    recognizer = BuiltinRecognizer("in training", task.labels, network)
    right = [int(recognizer.scores(e.frames, e.fps).argmax()) == e.label for e in task.examples]
    return float(np.mean(right))


def _parts(
    name: str,
    where: dict[str, str],
    settings: Settings,
    kept: Path,
    hold_out: bool,
    echo: Callable[[str], None],
) -> tuple[Task, Task | None]:
    """What to learn from and what to look at on the way."""
    if name == BUILTIN:
        held = _rendered("val", max(1, settings.clips // 10), kept, echo) if hold_out else None
        return _rendered("train", settings.clips, kept, echo), held
    clips = load_set(name).where(**where) if where else load_set(name)
    splits = {c.split for c in clips.clips}
    if "test" in splits:
        clips = _without(clips, "test")
    if not hold_out:
        return load_task(clips, echo), None
    if "val" in splits:
        return load_task(_without(clips, "val"), echo), load_task(clips.where(split="val"), echo)
    learned, held = clips.hold_out(_HELD_OUT, settings.seed)
    return load_task(learned, echo), load_task(held, echo)


def _without(clips: ActionSet, split: str) -> ActionSet:
    rest = tuple(c for c in clips.clips if c.split != split)
    if not rest:
        raise RecognizerTrainingError(
            f"{clips.name}: all its clips are of split {split}: nothing to learn from"
        )
    return ActionSet(clips.name, clips.labels, rest)


def _rendered(split: str, count: int, kept: Path, echo: Callable[[str], None]) -> Task:
    from t4vcodec.media.rendered import ACTIONS

    examples = [
        Example(e.frames, FPS, ACTIONS.index(e.action), jitter=False)
        for e in rendered_examples(kept, split, range(count), echo)
    ]
    return Task(f"builtin:{split}", ACTIONS, examples)


def _take_over(network: ActionNetwork, other: BuiltinRecognizer, labels: tuple[str, ...]) -> None:
    """Weights of another recognizer; those of its classes only where these are the same."""
    state = {
        name: tensor
        for name, tensor in other.network.state_dict().items()
        if other.labels == labels or not name.startswith("classes.")
    }
    try:
        network.load_state_dict(state, strict=False)
    except (RuntimeError, SafetensorError) as error:
        raise RecognizerTrainingError(f"{other.name}: is of another shape: {error}") from error


def _line(run: Run, told: Sequence[tuple[int, float, float]], seconds: float) -> str:
    parts = []
    for number, task in enumerate(run.tasks):
        mine = [(loss, right) for n, loss, right in told if n == number]
        if mine:
            loss, right = np.mean(mine, axis=0)
            parts.append(f"{task.name} loss {loss:.3f} right {right:.2f}")
    return f"step {run.step}/{run.settings.steps}  {'  '.join(parts)}  {seconds / max(1, len(told)):.2f} s a step"
