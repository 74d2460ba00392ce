"""`t4vcodec train-importance`: train the sender's predictor of which packets matter.

Labels are influences to first order (one gradient a clip), kept on disk; the truth is for judging alone. What
counts as important is decided for each set by itself, since recognizers differ in how firmly they answer.
Everything drawn depends on the seed alone. A run takes minutes, so there are no checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from t4vcodec import __version__
from t4vcodec.errors import T4VError
from t4vcodec.importance.features import features_of
from t4vcodec.importance.labels import POINT, Weighed, weigh
from t4vcodec.importance.predictor import TOP, ImportanceNetwork, Predictor, save_predictor
from t4vcodec.importance.ranking import area_under_curve
from t4vcodec.recognition.datasets import ActionSet, load_set
from t4vcodec.recognition.recognizer import Recognizer, load_recognizer
from torch import nn

WEIGHTS = "importance.safetensors"
_HELD_OUT = 0.2
_RENDERED = 4  # clips of each action
_LEAST = 1e-4  # of influences: below it they count as the same
_WARM = 30
_CLIP = 5.0
_REGRESSION = 0.3  # weight of the second output's loss


class ImportanceTrainingError(T4VError):
    """A run that can not start."""


@dataclass(frozen=True)
class Source:
    """What to learn from. data: see `load_set`. recognizer: see `load_recognizer`; best one that has not learned
    from these clips. where: which of them, such as {"place": "set1"}."""

    data: str
    recognizer: str
    where: dict[str, str]


@dataclass(frozen=True)
class Settings:
    """steps: of the run. batch: stretches of frames a step, from as many clips. stretch: frames of each. rate:
    highest learning rate. decay: of weights. focus: exponent of the focal loss. point: rate of the streams, see
    `weigh`. clips: of each set, at most: every second or third one is taken where there are more."""

    steps: int = 400
    batch: int = 8
    stretch: int = 12
    rate: float = 3e-3
    decay: float = 0.02
    focus: float = 2.0
    point: float = POINT
    clips: int = 120
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """Warm-up, then a cosine down to nothing."""
        return self.rate * min(1.0, (step + 1) / _WARM) * 0.5 * (1 + math.cos(math.pi * step / self.steps))


@dataclass(frozen=True, eq=False)
class Example:
    """A clip of T frames and N packets.

    maps: (T, maps, R, C). scalars: (N, scalars). packet: (T, R, C) int64, numbers through all frames. first:
    (T + 1,) first packet of each frame. size: (N,) log2 of the influence, mean 0 and deviation 1 over its set.
    important: (N,) 0 or 1.
    """

    maps: torch.Tensor
    scalars: torch.Tensor
    packet: torch.Tensor
    first: np.ndarray
    size: torch.Tensor
    important: torch.Tensor

    def stretch(self, begin: int, frames: int, mirrored: bool) -> tuple[torch.Tensor, ...]:
        """maps, scalars, packet, size, important of some frames, seen in a mirror if wanted."""
        end = min(begin + frames, len(self.maps))
        low, high = int(self.first[begin]), int(self.first[end])
        maps, packet = self.maps[begin:end], self.packet[begin:end] - low
        if mirrored:
            maps, packet = maps.flip(3), packet.flip(2)
        return maps, self.scalars[low:high], packet.flatten(1), self.size[low:high], self.important[low:high]

    def outputs(self, network: ImportanceNetwork) -> torch.Tensor:
        """(N, 2)."""
        return network(self.maps, self.scalars, self.packet.flatten(1))


def examples_of(clips: Sequence[Weighed]) -> list[Example]:
    """Clips of one set as the network takes them."""
    size = [np.log2(_LEAST + np.abs(w.first_order)) for w in clips]
    everything = np.concatenate(size)
    limit = np.quantile(everything, 1 - TOP)
    mean, deviation = everything.mean(), max(float(everything.std()), 1e-6)
    out = []
    for weighed, mine in zip(clips, size):
        frames = list(features_of(weighed.video))
        first = weighed.video.first_of
        out.append(
            Example(
                torch.from_numpy(np.stack([f.maps for f in frames])),
                torch.from_numpy(np.concatenate([f.scalars for f in frames])),
                torch.from_numpy(
                    np.stack(
                        [
                            f.packet.reshape(f.maps.shape[1:]).astype(np.int64) + n
                            for f, n in zip(frames, first)
                        ]
                    )
                ),
                first,
                torch.from_numpy(((mine - mean) / deviation).astype(np.float32)),
                torch.from_numpy((mine > limit).astype(np.float32)),
            )
        )
    return out


def focal_loss(logits: torch.Tensor, important: torch.Tensor, focus: float) -> torch.Tensor:
    """Mean over packets; both classes weigh alike, what is right already counts for little.

    Lin et al. 2017, equation 5, with alpha the other class's share.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, important, reduction="none")
    alpha = torch.where(important > 0, 1 - TOP, TOP)
    return (alpha * (1 - torch.exp(-entropy)) ** focus * entropy).mean()


def train_predictor(settings: Settings, examples: Sequence[Example]) -> ImportanceNetwork:
    """Learns from examples of any sets. Raises ImportanceTrainingError if there are none."""
    if not examples:
        raise ImportanceTrainingError("no clip to learn from: give a set with clips that are not for testing")
    torch.manual_seed(settings.seed)
    random = np.random.default_rng(settings.seed)
    network = ImportanceNetwork()
    _standardise(network, examples)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.decay)
    network.train()
    for step in range(settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.rate_at(step)
        optimiser.zero_grad(set_to_none=True)
        parts = _joined([_drawn(examples, settings.stretch, random) for _ in range(settings.batch)])
        out = torch.cat([network(*part[:3]) for part in parts])
        size, important = (torch.cat([part[i] for part in parts]) for i in (3, 4))
        loss = focal_loss(out[:, 0], important, settings.focus)
        loss = loss + _REGRESSION * F.smooth_l1_loss(out[:, 1], size)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimiser.step()
    return network.eval()


def calibrate(network: ImportanceNetwork, examples: Sequence[Example]) -> tuple[float, float, float]:
    """Weights of both outputs and a constant by logistic regression on examples that were not learned from."""
    with torch.no_grad():
        out = torch.cat([e.outputs(network) for e in examples]).double()
    important = torch.cat([e.important for e in examples]).double()
    weights = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = F.binary_cross_entropy_with_logits(out @ weights[:2] + weights[2], important)
        # Keeps weights finite where few packets tell the classes apart without fault.
        value = value + 1e-3 * weights.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    a, b, c = weights.detach().tolist()
    return a, b, c


def train_importance(
    settings: Settings,
    sources: Sequence[Source],
    out: str | Path,
    labels: str | Path | None = None,
    echo: Callable[[str], None] = print,
) -> Path:
    """Label, learn, calibrate, write. Clips of split `test` are never read; those of `val`, or a fifth of the
    groups where there is none, calibrate. labels: folder that keeps them, by default in `out`.

    Returns the weights' file. Raises T4VError.
    """
    torch.set_num_threads(1)
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImportanceTrainingError(f"{out}: cannot be made a folder: {error}") from error
    kept = Path(labels) if labels is not None else out / "labels"
    if not sources:
        raise ImportanceTrainingError("no set to learn: give --data and the --recognizer of its clips")
    learned, held, models = [], [], set()
    for source in sources:
        recognizer = load_recognizer(source.recognizer)
        parts = [
            list(_weighed(clips, recognizer, settings.point, kept, echo))
            for clips in _parts(source, settings)
        ]
        for name, part in zip(("learn from", "calibrate with"), parts):
            if not part:
                raise ImportanceTrainingError(f"{source.data}: no clip is left to {name}: mend or add some")
        models |= {w.video.setup.model for part in parts for w in part}
        # One limit of importance for both.
        examples = examples_of([*parts[0], *parts[1]])
        learned += examples[: len(parts[0])]
        held += examples[len(parts[0]) :]
    if len(models) > 1:
        raise ImportanceTrainingError(
            f"labels of several models ({', '.join(models)}): give another --labels"
        )
    echo(f"{len(learned)} clips to learn from, {len(held)} to calibrate with")
    network = train_predictor(settings, learned)
    predictor = Predictor("trained", network, calibrate(network, held), models.pop())
    score, brier = judged(predictor, held)
    echo(f"held out: area under the curve {score:.3f}, Brier score {brier:.3f} (first order)")
    facts = {
        "version": __version__,
        "sets": ", ".join(Path(s.data).name for s in sources),
        "recognizers": ", ".join(Path(s.recognizer).name for s in sources),
        "held_out": f"{score:.3f} of {len(held)} clips",
    } | {k: str(v) for k, v in asdict(settings).items()}
    save_predictor(predictor, out / WEIGHTS, facts)
    echo(f"Wrote {out / WEIGHTS}")
    return out / WEIGHTS


def judged(predictor: Predictor, examples: Sequence[Example]) -> tuple[float, float]:
    """Area under the curve and Brier score of a predictor, by first-order labels."""
    with torch.no_grad():
        outputs = [e.outputs(predictor.network).numpy() for e in examples]
    chance = predictor.calibrated(np.concatenate(outputs))
    important = np.concatenate([e.important.numpy() for e in examples])
    return area_under_curve(chance, important > 0), float(((chance - important) ** 2).mean())


def _drawn(examples: Sequence[Example], frames: int, random: np.random.Generator) -> tuple[torch.Tensor, ...]:
    example = examples[int(random.integers(len(examples)))]
    # A frame at the ends is drawn as often as one in the middle; a key frame more often.
    begin = int(random.integers(1 - frames, len(example.maps)))
    begin = min(max(begin, 0), max(len(example.maps) - frames, 0))
    return example.stretch(begin, frames, bool(random.random() < 0.5))


def _joined(parts: Sequence[tuple[torch.Tensor, ...]]) -> list[tuple[torch.Tensor, ...]]:
    """Stretches of pictures of one size as one."""
    by_size: dict[torch.Size, list[tuple[torch.Tensor, ...]]] = {}
    for part in parts:
        by_size.setdefault(part[0].shape[2:], []).append(part)
    out = []
    for same in by_size.values():
        maps, scalars, packet, size, important = zip(*same)
        firsts = np.cumsum([0, *(len(s) for s in scalars)])
        packet = [p + int(first) for p, first in zip(packet, firsts)]
        out.append(tuple(torch.cat(x) for x in (maps, scalars, packet, size, important)))
    return out


def _standardise(network: ImportanceNetwork, examples: Sequence[Example]) -> None:
    maps = torch.cat([e.maps.transpose(0, 1).flatten(1) for e in examples], 1)
    scalars = torch.cat([e.scalars for e in examples])
    network.map_mean.copy_(maps.mean(1)[:, None, None])
    network.map_deviation.copy_(maps.std(1).clamp_min(0.05)[:, None, None])
    network.scalar_mean.copy_(scalars.mean(0))
    network.scalar_deviation.copy_(scalars.std(0).clamp_min(0.05))


def _parts(source: Source, settings: Settings) -> tuple[ActionSet, ActionSet]:
    """What to learn from and what to calibrate with."""
    clips = load_set(source.data, _RENDERED)
    if source.where:
        clips = clips.where(**source.where)
    rest = tuple(c for c in clips.clips if c.split != "test")
    if not rest:
        raise ImportanceTrainingError(f"{clips.name}: all its clips are of split test: nothing to learn from")
    clips = ActionSet(clips.name, clips.labels, rest[:: -(-len(rest) // settings.clips)])
    if {c.split for c in clips.clips} >= {"train", "val"}:
        return clips.where(split="train"), clips.where(split="val")
    return clips.hold_out(_HELD_OUT, settings.seed)


def _weighed(
    clips: ActionSet,
    recognizer: Recognizer,
    point: float,
    folder: Path,
    echo: Callable[[str], None],
) -> Iterator[Weighed]:
    for number, labelled in enumerate(clips.clips, 1):
        try:
            yield weigh(labelled, recognizer, point, folder)
        except T4VError as error:
            echo(f"left out: {error}")
        if number % 20 == 0:
            echo(f"{clips.name}: {number} of {len(clips.clips)} clips weighed")
