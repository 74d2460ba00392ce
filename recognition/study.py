"""`t4vcodec study frames`: what a recognizer still sees when frames go missing, clip by clip.

    study.json        settings, a summary of every policy and fill, the clips from most to least sensitive
    patterns.jsonl    one line a pattern: clip, policy, seed, fill, which frames were lost, the answer, all scores
    accuracy.png      accuracy and confidence against the share of lost frames
    critical.png      where single frames and runs of them matter, for the most sensitive clips

Any line of patterns.jsonl can be seen again: `repeat_pattern`.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from t4vcodec import __version__
from t4vcodec.errors import T4VError
from t4vcodec.recognition.datasets import ActionSet, Labelled, class_numbers, read_frames
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.frame_loss import FILLS, Policy, filled, lost_from, runs_of
from t4vcodec.recognition.recognizer import Recognizer
from t4vcodec.recognition.scoring import Answer, answer, balanced_accuracy, estimate

POLICIES = (
    *(f"interval:{k}" for k in (1, 2, 3, 4, 5, 8, 12)),
    *(f"fraction:{p}" for p in (0.1, 0.3, 0.6)),
    "count:8",
    *(f"each:{p}" for p in (0.1, 0.3, 0.6)),
    "random:0:0.9",
    "ge:0.3:5",
)
RUNS = (1, 3, 6)
"""Lengths of runs that are left out to find critical frames."""
SIDE = 128
"""Short side at which clips are studied; larger ones are scaled down first."""


@dataclass(frozen=True)
class StudySettings:
    """seeds: patterns of each policy that is drawn. keep: frames that are never lost.

    only_right: leave out clips that are wrong without loss. critical: clips that are looked at frame by frame.
    """

    policies: tuple[str, ...] = POLICIES
    fills: tuple[str, ...] = FILLS
    seeds: int = 3
    keep: tuple[int, ...] = (0,)
    only_right: bool = False
    critical: int = 4
    seed: int = 0

    def parsed(self) -> list[Policy]:
        """Raises RecognitionError for policies, fills or counts that there are not."""
        unknown = [f for f in self.fills if f not in FILLS]
        if unknown or not self.fills or not self.policies or self.seeds < 1:
            raise RecognitionError(
                f"a study needs a policy, a fill of {', '.join(FILLS)} and a seed or more, got fills {self.fills}"
            )
        return [Policy.parse(text) for text in self.policies]


@dataclass(frozen=True)
class Pattern:
    """One clip with some frames lost."""

    clip: str
    label: str
    group: str
    recognizer: str
    policy: str
    seed: int
    fill: str
    frames: int
    lost: list[list[int]]
    """[first, count] of each run."""
    share: float
    """Of frames that are lost."""
    answer: Answer
    scores: list[float]


@dataclass(eq=False)
class _Studied:
    """A clip in memory with its clean answer."""

    clip: Labelled
    frames: np.ndarray
    fps: float
    label: int
    recognizer: Recognizer
    clean: torch.Tensor
    patterns: list[Pattern] = field(default_factory=list)

    @property
    def clean_first(self) -> int:
        return int(self.clean.argmax())

    def try_pattern(self, policy: str, seed: int, lost: np.ndarray, fill: str) -> Pattern:
        shown = filled(self.frames, lost, fill)
        scores = self.recognizer.scores(shown, self.fps).detach()
        return Pattern(
            clip=self.clip.name,
            label=self.clip.label,
            group=self.clip.group or self.clip.name,
            recognizer=self.recognizer.name,
            policy=policy,
            seed=seed,
            fill=fill,
            frames=len(lost),
            lost=runs_of(lost),
            share=round(float(lost.mean()), 4),
            answer=answer(scores, self.label, self.clean_first),
            scores=[round(float(s), 4) for s in scores],
        )


def study_frames(
    pairs: Sequence[tuple[ActionSet, Recognizer]],
    settings: StudySettings,
    out: Path,
    echo: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Study every clip of each set with the recognizer beside it (sets across places have one each).

    Writes the files named above into `out` and returns what study.json holds. Clips that do not decode are told of
    and counted. Raises RecognitionError: settings, classes a recognizer does not know, no clip left.
    """
    policies = settings.parsed()
    out.mkdir(parents=True, exist_ok=True)
    studied, problems, wrong = _opened(pairs, settings.only_right, echo)
    lines = []
    for number, one in enumerate(studied):
        for policy in policies:
            for seed in range(settings.seeds if policy.drawn else 1):
                # The same draw for every fill, so that fills are compared on the same patterns.
                random = np.random.default_rng((settings.seed, seed, number))
                lost = policy.lost(len(one.frames), random, settings.keep)
                for fill in settings.fills if lost.any() else settings.fills[:1]:
                    one.patterns.append(one.try_pattern(policy.name, seed, lost, fill))
        lines += [json.dumps(asdict(p)) for p in one.patterns]
        if (number + 1) % 20 == 0:
            echo(f"{number + 1} of {len(studied)} clips")
    _write(out / "patterns.jsonl", "\n".join(lines) + "\n")
    sensitive = sorted(studied, key=_mean_fall, reverse=True)
    critical = [_critical(one, settings.fills[0]) for one in sensitive[: settings.critical]]
    result = {
        "version": __version__,
        "settings": asdict(settings),
        "recognizers": sorted({one.recognizer.name for one in studied}),
        "clips": len(studied),
        "left_out": {"undecodable": problems, "wrong_without_loss": wrong},
        "clean": _clean(studied),
        "summary": _summary([p for one in studied for p in one.patterns], settings.fills),
        "clips_by_sensitivity": [_sensitivity(one) for one in sensitive],
        "critical": critical,
    }
    _write(out / "study.json", json.dumps(result, indent=1))
    from t4vcodec.recognition.study_figures import accuracy_figure, critical_figure

    accuracy_figure(result, out / "accuracy.png")
    if critical:
        critical_figure(critical, out / "critical.png")
    echo(
        f"Wrote {out / 'study.json'}, patterns.jsonl and figures: {len(lines)} patterns of {len(studied)} clips"
    )
    return result


def repeat_pattern(
    line: dict[str, Any], clip: Labelled, recognizer: Recognizer
) -> tuple[np.ndarray, torch.Tensor]:
    """The pictures (T, H, W, 3) and scores of a line of patterns.jsonl again. Raises T4VError."""
    frames, fps = read_frames(clip, SIDE)
    if len(frames) != line["frames"]:
        raise RecognitionError(f"{clip.name}: has {len(frames)} frames, the pattern is of {line['frames']}")
    shown = filled(frames, lost_from(line["lost"], len(frames)), line["fill"])
    return shown, recognizer.scores(shown, float(fps)).detach()


def next_share(measured: dict[float, float]) -> float:
    """Where to measure a curve of score against share of loss next: halfway where it changes most.

    The change between neighbours is weighed with their distance, so that steep and long stretches both get points.
    Raises RecognitionError for fewer than two points.
    """
    if len(measured) < 2:
        raise RecognitionError("two measured shares or more are needed to place the next")
    points = sorted(measured.items())

    def weight(pair: tuple[tuple[float, float], tuple[float, float]]) -> float:
        (x0, y0), (x1, y1) = pair
        return float(np.hypot(x1 - x0, y1 - y0) * (x1 - x0))

    (x0, _), (x1, _) = max(pairwise(points), key=weight)
    return (x0 + x1) / 2


def bend_policies(
    score_at: Callable[[float], float], points: int, low: float = 0.0, high: float = 0.9
) -> list[tuple[float, float]]:
    """`points` shares of loss and their scores, placed unevenly where the curve bends (see `next_share`)."""
    measured = {low: score_at(low), high: score_at(high)}
    while len(measured) < points:
        share = next_share(measured)
        measured[share] = score_at(share)
    return sorted(measured.items())


def _opened(
    pairs: Sequence[tuple[ActionSet, Recognizer]], only_right: bool, echo: Callable[[str], None]
) -> tuple[list[_Studied], list[str], int]:
    studied, problems, wrong = [], [], 0
    for clips, recognizer in pairs:
        numbers = class_numbers(clips.clips, recognizer.labels, recognizer.name)
        for clip, label in zip(clips.clips, numbers):
            try:
                frames, fps = read_frames(clip, SIDE)
            except T4VError as error:
                problems.append(str(error))
                echo(f"left out: {error}")
                continue
            clean = recognizer.scores(frames, float(fps)).detach()
            if only_right and int(clean.argmax()) != label:
                wrong += 1
                continue
            studied.append(_Studied(clip, frames, float(fps), label, recognizer, clean))
    if not studied:
        raise RecognitionError("no clip is left to study: see what was left out, or study wrong ones too")
    return studied, problems, wrong


def _clean(studied: Iterable[_Studied]) -> dict[str, Any]:
    studied = list(studied)
    right = [one.clean_first == one.label for one in studied]
    return {
        "accuracy": asdict(estimate(right, [one.clip.group or one.clip.name for one in studied])),
        "balanced_accuracy": balanced_accuracy([one.clip.label for one in studied], right),
    }


def _summary(patterns: Sequence[Pattern], fills: Sequence[str]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[Pattern]] = {}
    for pattern in patterns:
        # Where nothing is lost there is nothing to fill: one pattern stands for all.
        for fill in [pattern.fill] if pattern.lost else fills:
            groups.setdefault((pattern.policy, fill), []).append(pattern)
    rows = []
    for (policy, fill), mine in groups.items():
        by = [p.group for p in mine]
        rows.append(
            {
                "policy": policy,
                "fill": fill,
                "share": float(np.mean([p.share for p in mine])),
                "accuracy": asdict(estimate([p.answer.right for p in mine], by)),
                "balanced_accuracy": balanced_accuracy(
                    [p.label for p in mine], [p.answer.right for p in mine]
                ),
                "agreement": asdict(estimate([p.answer.agrees for p in mine], by)),
                "confidence": float(np.mean([p.answer.confidence for p in mine])),
                "penalised": float(np.mean([p.answer.penalised for p in mine])),
                "mean_rank": float(np.mean([p.answer.rank for p in mine])),
                "patterns": len(mine),
            }
        )
    return rows


def _mean_fall(one: _Studied) -> float:
    """How much of the clean confidence loss takes, on average."""
    clean = float(torch.softmax(one.clean.double(), 0)[one.clean_first])
    return clean - float(np.mean([p.answer.confidence for p in one.patterns]))


def _sensitivity(one: _Studied) -> dict[str, Any]:
    ordered = sorted(one.patterns, key=lambda p: p.answer.confidence)
    damaged = [p for p in ordered if p.lost] or ordered
    return {
        "clip": one.clip.name,
        "label": one.clip.label,
        "clean_first": one.recognizer.labels[one.clean_first],
        "fall": round(_mean_fall(one), 4),
        "agreement": float(np.mean([p.answer.agrees for p in one.patterns])),
        "worst": _named(damaged[0]),
        "best": _named(max(damaged, key=lambda p: (p.share >= 0.5, p.answer.confidence))),
    }


def _named(pattern: Pattern) -> dict[str, Any]:
    return {
        "policy": pattern.policy,
        "seed": pattern.seed,
        "fill": pattern.fill,
        "share": pattern.share,
        "confidence": round(pattern.answer.confidence, 4),
    }


def _critical(one: _Studied, fill: str) -> dict[str, Any]:
    """How much confidence falls when a run of frames that begins at each place is left out."""
    clean = float(torch.softmax(one.clean.double(), 0)[one.clean_first])
    falls = {}
    for run in RUNS:
        curve = []
        for first in range(1, len(one.frames) - run + 1):
            lost = np.zeros(len(one.frames), bool)
            lost[first : first + run] = True
            curve.append(round(clean - one.try_pattern(f"run:{run}", first, lost, fill).answer.confidence, 4))
        falls[str(run)] = curve
    return {
        "clip": one.clip.name,
        "label": one.clip.label,
        "fps": one.fps,
        "clean_confidence": round(clean, 4),
        "first_frame": 1,
        "falls": falls,
    }


def _write(path: Path, text: str) -> None:
    part = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise RecognitionError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()
