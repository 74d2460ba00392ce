"""What loss does to recognition: accuracy, agreement and confidence by scheme, channel and rate, with intervals.

Intervals are those of `recognition.scoring`: whole groups of clips (recordings, sequences, scenes) are drawn with
replacement, 2,000 times. Comparisons are paired: record by record, same clip, rate, channel and seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from t4vcodec.eval.curves import Means, point_of
from t4vcodec.eval.records import ClipFacts, Record, TaskFigure
from t4vcodec.eval.scheme_labels import SOURCE, in_order
from t4vcodec.eval.summary import channels_of, is_ours, pair_key
from t4vcodec.recognition.scoring import RESAMPLES, Estimate, balanced_accuracy, estimate

MEASURES = ("top1", "balanced", "agreement", "confidence")


@dataclass(frozen=True)
class Panel:
    """Recognizers that look at different clips, taken together: one answer a clip."""

    recognizers: tuple[str, ...]
    clips: tuple[str, ...]
    """Names."""

    @property
    def name(self) -> str:
        return " + ".join(self.recognizers)

    def answer(self, of: Record | ClipFacts) -> dict | None:
        """What was said of a record, or of a clip as captured; None where nobody of the panel looked."""
        return next((of.tasks[r] for r in self.recognizers if r in of.tasks), None)


def panels_of(clips: Sequence[ClipFacts]) -> list[Panel]:
    """Each recognizer joins the first panel with whose clips it has none in common."""
    by_recognizer: dict[str, list[str]] = {}
    for clip in clips:
        for recognizer in clip.tasks:
            by_recognizer.setdefault(recognizer, []).append(clip.name)
    panels: list[Panel] = []
    for recognizer, names in by_recognizer.items():
        for number, panel in enumerate(panels):
            if not set(names) & set(panel.clips):
                panels[number] = Panel((*panel.recognizers, recognizer), (*panel.clips, *names))
                break
        else:
            panels.append(Panel((recognizer,), tuple(names)))
    return panels


def summarise_tasks(clips: Sequence[ClipFacts], records: Sequence[Record]) -> list[TaskFigure]:
    """Every scheme's figures, the source's (channel and rate do not matter to it), and ours less each other's."""
    found = []
    groups = {clip.name: clip.group or clip.name for clip in clips}
    for panel in panels_of(clips):
        answers = [(c.name, a) for c in clips if (a := panel.answer(c)) is not None]
        found += _figures(panel, 0.0, "0", SOURCE, answers, groups)
        seen = [(r, a) for r in records if (a := panel.answer(r)) is not None]
        ours = next((r.scheme for r, _ in seen if is_ours(r)), None)
        for point in sorted({point_of(r) for r, _ in seen}):
            for channel in channels_of([r for r, _ in seen]):
                here = [(r, a) for r, a in seen if r.channel == channel and point_of(r) == point]
                mine = {pair_key(r): a for r, a in here if r.scheme == ours}
                for scheme in in_order({r.scheme for r, _ in here}):
                    theirs = [(r, a) for r, a in here if r.scheme == scheme]
                    found += _figures(panel, point, channel, scheme, [(r.clip, a) for r, a in theirs], groups)
                    if scheme == ours:
                        continue
                    pairs = [(r.clip, mine[pair_key(r)], a) for r, a in theirs if pair_key(r) in mine]
                    found += _differences(panel, point, channel, ours, scheme, pairs, groups)
    return found


def _figures(
    panel: Panel,
    point: float,
    channel: str,
    scheme: str,
    answers: Sequence[tuple[str, dict]],
    groups: dict[str, str],
) -> list[TaskFigure]:
    found = []
    for measure in MEASURES:
        if measure == "balanced":
            kept = [(clip, a) for clip, a in answers if "top1" in a]
            if not kept:
                continue
            result = _balanced(
                [a["label"] for _, a in kept],
                [a["top1"] for _, a in kept],
                [groups[clip] for clip, _ in kept],
            )
        else:
            kept = [(clip, a) for clip, a in answers if measure in a]
            if not kept:
                continue
            result = estimate([float(a[measure]) for _, a in kept], [groups[clip] for clip, _ in kept])
        count = len({clip for clip, _ in kept}), len(kept)
        found.append(_figure(panel, point, channel, scheme, None, measure, result, *count))
    return found


def _differences(
    panel: Panel,
    point: float,
    channel: str,
    ours: str | None,
    against: str,
    pairs: Sequence[tuple[str, dict, dict]],
    groups: dict[str, str],
) -> list[TaskFigure]:
    found = []
    for measure in ("top1", "agreement", "confidence"):
        kept = [(clip, a, b) for clip, a, b in pairs if measure in a and measure in b]
        if kept:
            gaps = [float(a[measure]) - float(b[measure]) for _, a, b in kept]
            result = estimate(gaps, [groups[clip] for clip, *_ in kept])
            count = len({clip for clip, *_ in kept}), len(kept)
            found.append(_figure(panel, point, channel, ours, against, measure, result, *count))
    return found


def _figure(
    panel: Panel,
    point: float,
    channel: str,
    scheme: str | None,
    against: str | None,
    measure: str,
    result: Estimate,
    clips: int,
    runs: int,
) -> TaskFigure:
    return TaskFigure(
        recognizers=panel.name,
        point=point,
        channel=channel,
        scheme=scheme or "",
        against=against,
        measure=measure,
        value=round(result.mean, 6),
        low=round(result.low, 6),
        high=round(result.high, 6),
        clips=clips,
        groups=result.groups,
        runs=runs,
    )


def _balanced(labels: Sequence[str], right: Sequence[bool], groups: Sequence[str]) -> Estimate:
    """Balanced accuracy; in a sample that lacks a class, the mean is over the others."""
    classes, names = sorted(set(labels)), list(dict.fromkeys(groups))
    counts = np.zeros((len(names), len(classes), 2))
    for label, good, group in zip(labels, right, groups):
        counts[names.index(group), classes.index(label)] += (1, good)
    drawn = np.random.default_rng(0).integers(len(names), size=(RESAMPLES, len(names)))
    weights = np.stack([np.bincount(row, minlength=len(names)) for row in drawn])
    sums = np.einsum("rg,gck->rck", weights, counts)
    with np.errstate(invalid="ignore"):
        shares = sums[..., 1] / sums[..., 0]
    low, high = np.percentile(np.nanmean(shares, axis=1), (2.5, 97.5))
    return Estimate(balanced_accuracy(labels, right), float(low), float(high), len(names))


def task_means(panel: Panel, records: Sequence[Record], measure: str) -> Means:
    """For charts: means over seeds of one measure, by scheme, channel, rate and clip."""
    values: dict[tuple[str, str, float], dict[str, list[float]]] = {}
    for record in records:
        answer = panel.answer(record)
        if answer is not None and measure in answer:
            cell = values.setdefault((record.scheme, record.channel, point_of(record)), {})
            cell.setdefault(record.clip, []).append(float(answer[measure]))
    cells = {key: {clip: float(np.mean(v)) for clip, v in cell.items()} for key, cell in values.items()}
    return Means(
        measure,
        in_order(scheme for scheme, _, _ in cells),
        channels_of([r for r in records if panel.answer(r) is not None]),
        sorted({point for _, _, point in cells}),
        cells,
    )
