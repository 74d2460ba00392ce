"""What a recognizer's answer is worth: against the truth, and against its own answer on the clean clip."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from t4vcodec.media import Frame, to_rgb
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.recognizer import Recognizer
from t4vcodec.recognition.windows import Clip

RESAMPLES = 2000


@dataclass(frozen=True)
class Answer:
    """One clip's answer. All shares and probabilities are 0 to 1."""

    first: int
    """The class that is named."""
    right: bool
    rank: int
    """Of the right class, 1 is first."""
    probability: float
    """Of the right class."""
    confidence: float
    """Of the class that was first on the clean clip, so that the recognizer's own mistakes stay out."""
    agrees: bool
    """Whether that class is still first."""
    penalised: float
    """`probability` less what the first class is ahead of the right one: falls below 0 when that lost its place."""


def answer(scores: torch.Tensor, label: int, clean_first: int) -> Answer:
    """Judge (classes,) scores of any offset (logarithms or before softmax). label, clean_first: classes."""
    shares = torch.softmax(scores.detach().double(), dim=0).numpy()
    first = int(shares.argmax())
    return Answer(
        first=first,
        right=first == label,
        rank=1 + int((shares > shares[label]).sum()),
        probability=float(shares[label]),
        confidence=float(shares[clean_first]),
        agrees=first == clean_first,
        penalised=float(shares[label] - (shares[first] - shares[label])),
    )


def task_scores(
    frames: Sequence[Frame] | Clip,
    recognizer: Recognizer,
    label: str | None,
    clean_scores: torch.Tensor | None = None,
    fps: float | None = None,
) -> dict[str, Any]:
    """For the `tasks` field of a record: what `recognizer` makes of the pictures that were shown.

    frames: all pictures of a clip in order, as Frames (the rate is then that of their times) or as a clip with
    `fps`. label: the right class, None where it is not known. clean_scores: of the undamaged clip; None: these
    pictures are the clean ones.

    Returns JSON-able values: `recognizer`, `label` and `first` (names), `scores` (list of logarithms, 4 decimals),
    `agreement` (bool) and `confidence` (of the class first on the clean clip), and with a label `top1` (bool),
    `rank`, `probability`, `penalised`.

    Raises RecognitionError: a label that the recognizer does not know, scores of another length, no rate.
    """
    if isinstance(frames, np.ndarray | torch.Tensor):
        clip, rate = frames, fps
    else:
        clip, rate = clip_of(frames), fps or rate_of(frames)
    if rate is None:
        raise RecognitionError("a clip without times needs fps to be recognized")
    scores = recognizer.scores(clip, rate).detach()
    return scores_record(scores, recognizer, label, scores if clean_scores is None else clean_scores)


def scores_record(
    scores: torch.Tensor, recognizer: Recognizer, label: str | None, clean_scores: torch.Tensor
) -> dict[str, Any]:
    """What `task_scores` returns, of scores that are known already."""
    if label is not None and label not in recognizer.labels:
        raise RecognitionError(
            f"{recognizer.name} does not know the class {label!r}: give one of {', '.join(recognizer.labels[:8])}"
        )
    if scores.shape != clean_scores.shape or len(scores) != len(recognizer.labels):
        raise RecognitionError(
            f"{recognizer.name}: {len(scores)} scores against {len(clean_scores)} of the clean clip and "
            f"{len(recognizer.labels)} classes: they are of different recognizers"
        )
    clean_first = int(clean_scores.argmax())
    judged = answer(scores, recognizer.labels.index(label) if label is not None else clean_first, clean_first)
    record: dict[str, Any] = {
        "recognizer": recognizer.name,
        "first": recognizer.labels[judged.first],
        "agreement": judged.agrees,
        "confidence": round(judged.confidence, 6),
        "scores": [round(float(s), 4) for s in scores],
    }
    if label is not None:
        record |= {
            "label": label,
            "top1": judged.right,
            "rank": judged.rank,
            "probability": round(judged.probability, 6),
            "penalised": round(judged.penalised, 6),
        }
    return record


def clip_of(frames: Sequence[Frame]) -> np.ndarray:
    """(T, H, W, 3) uint8 of Frames of one size. Raises RecognitionError for none."""
    if not frames:
        raise RecognitionError("no frames to recognize anything in")
    return np.stack([to_rgb(frame) for frame in frames])


def rate_of(frames: Sequence[Frame]) -> float:
    """Frames a second by their times; 25 where one frame has none."""
    length = frames[-1].time - frames[0].time
    return (len(frames) - 1) / length if length > 0 else 25.0


def balanced_accuracy(labels: Sequence[Hashable], right: Sequence[bool]) -> float:
    """Mean over classes of the share of right answers. Raises RecognitionError for no clips."""
    if not labels or len(labels) != len(right):
        raise RecognitionError(f"{len(labels)} labels for {len(right)} answers")
    by_class: dict[Hashable, list[bool]] = {}
    for label, good in zip(labels, right):
        by_class.setdefault(label, []).append(good)
    return float(np.mean([np.mean(answers) for answers in by_class.values()]))


@dataclass(frozen=True)
class Estimate:
    """A mean and the 95 % interval of it."""

    mean: float
    low: float
    high: float
    groups: int
    """How many independent recordings it rests on."""


def estimate(values: Sequence[float], groups: Sequence[Hashable]) -> Estimate:
    """The mean of values, its interval by drawing whole groups (recordings, sequences) with replacement.

    For a paired comparison pass differences. The seed is fixed. Raises RecognitionError for no values.
    """
    if len(values) == 0 or len(values) != len(groups):
        raise RecognitionError(f"{len(values)} values of {len(groups)} groups")
    sums: dict[Hashable, list[float]] = {}
    for value, group in zip(values, groups):
        entry = sums.setdefault(group, [0.0, 0.0])
        entry[0] += float(value)
        entry[1] += 1
    table = np.array(list(sums.values()))
    random = np.random.default_rng(0)
    drawn = table[random.integers(len(table), size=(RESAMPLES, len(table)))].sum(1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], (2.5, 97.5))
    return Estimate(float(np.mean(values)), float(low), float(high), len(table))
