"""From records to curves: quality against loss and against rate, and Bjontegaard averages over clips.

A curve's point is the mean over clips of the means over seeds, taken over the same clips for every scheme of a
chart, so that the distance between two curves is a mean difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from t4vcodec.eval.records import Record
from t4vcodec.eval.scheme_labels import in_order
from t4vcodec.eval.statistics import Interval, bd_quality, bd_rate, interval_of
from t4vcodec.eval.summary import REFERENCE, channels_of, is_independent, is_ours, pair_key

Points = list[tuple[float, float]]


def point_of(record: Record) -> float:
    """The rate that a record belongs to: its point (kbit/s at 854x480, 25 fps) or else its plain target."""
    point = record.config.get("point")
    return float(point) if isinstance(point, int | float) else record.kbps_target


@dataclass
class Means:
    """Means over seeds of one measure, by scheme, channel, rate and clip; `x264-reference` is a scheme here."""

    measure: str
    schemes: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    points: list[float] = field(default_factory=list)
    cells: dict[tuple[str, str, float], dict[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Sequence[Record], measure: str) -> Means:
        """Gathers what the records hold; schemes that never measured this are absent."""
        values: dict[tuple[str, str, float], dict[str, list[float]]] = {}
        ours = next((r.scheme for r in records if is_ours(r)), None)
        for record in records:
            pairs = [(record.scheme, getattr(record, measure, None))]
            if record.scheme == ours:
                pairs.append((REFERENCE, getattr(record.reference, measure, None)))
            for scheme, value in pairs:
                if value is not None:
                    cell = values.setdefault((scheme, record.channel, point_of(record)), {})
                    cell.setdefault(record.clip, []).append(value)
        cells = {key: {clip: float(np.mean(v)) for clip, v in cell.items()} for key, cell in values.items()}
        return cls(
            measure,
            in_order(scheme for scheme, _, _ in cells),
            channels_of(records),
            sorted({point for _, _, point in cells}),
            cells,
        )

    def mean(self, scheme: str, channel: str, clips: Sequence[str] | None = None) -> float | None:
        """Over the rates of each clip, then over clips (all, or those given); None without any."""
        by_clip: dict[str, list[float]] = {}
        for point in self.points:
            for clip, value in self.cells.get((scheme, channel, point), {}).items():
                by_clip.setdefault(clip, []).append(value)
        chosen = [v for clip, v in by_clip.items() if clips is None or clip in clips]
        return float(np.mean([np.mean(v) for v in chosen])) if chosen else None


@dataclass(frozen=True)
class CurveSet:
    """One chart: curves of several schemes over the same clips."""

    curves: dict[str, Points]
    clips: int
    """Clips that every curve is a mean of."""
    out_of: int
    """Clips that ours was measured on."""
    absent: list[str]
    """Schemes left out, since they lack most of the clips."""


def loss_curves(means: Means, point: float, schemes: Sequence[str]) -> CurveSet:
    """Quality against the loss of independent channels in per cent, at one rate."""
    keys = [(100 * float(c), (c, point)) for c in means.channels if is_independent(c)]
    return _curve_set(means, keys, schemes)


def rate_curves(means: Means, channel: str, schemes: Sequence[str]) -> CurveSet:
    """Quality against rate points, over one channel."""
    return _curve_set(means, [(point, (channel, point)) for point in means.points], schemes)


def _curve_set(
    means: Means, keys: Sequence[tuple[float, tuple[str, float]]], schemes: Sequence[str]
) -> CurveSet:
    def whole(scheme: str) -> set[str]:
        """Clips that a scheme has at every place where it has any."""
        cells = [set(means.cells.get((scheme, *key), ())) for _, key in keys]
        cells = [cell for cell in cells if cell]
        return set.intersection(*cells) if cells else set()

    having = {scheme: whole(scheme) for scheme in schemes}
    most = max((len(clips) for clips in having.values()), default=0)
    kept = [scheme for scheme in schemes if 2 * len(having[scheme]) > most]
    shared = sorted(set.intersection(*(having[s] for s in kept))) if kept else []
    curves = {}
    for scheme in kept if shared else []:
        places = [(x, means.cells.get((scheme, *key))) for x, key in keys]
        curves[scheme] = [(x, float(np.mean([c[clip] for clip in shared]))) for x, c in places if c]
    return CurveSet(curves, len(shared), most, [s for s in schemes if s not in kept])


@dataclass(frozen=True)
class BjontegaardOverClips:
    """Averages of two schemes' curves over one channel, one for each clip and seed, over clips."""

    quality: Interval | None
    """dB that ours is above, over the rates in common."""
    rate: Interval | None
    """Per cent of rate that ours needs more, over the qualities in common."""
    curves: int
    """Pairs of curves (one for each clip and seed)."""
    no_quality: dict[str, int]
    no_rate: dict[str, int]
    """Why pairs gave no number, and how many."""


def bjontegaard(
    records: Sequence[Record], ours: str, against: str, channel: str, measure: str
) -> BjontegaardOverClips:
    """Ours against a scheme over one channel; rates are what was really sent."""
    rivals = {pair_key(r): r for r in records if r.scheme == against and r.channel == channel}
    pairs: dict[tuple[str, int], tuple[Points, Points]] = {}
    for record in records:
        if record.scheme != ours or record.channel != channel:
            continue
        rival = record.reference if against == REFERENCE else rivals.get(pair_key(record))
        values = getattr(record, measure, None), getattr(rival, measure, None)
        if values[0] is None or values[1] is None:
            continue
        kbps = record.kbps_sent if against == REFERENCE else rivals[pair_key(record)].kbps_sent
        anchor, test = pairs.setdefault((record.clip, record.seed), ([], []))
        anchor.append((kbps, values[1]))
        test.append((record.kbps_sent, values[0]))
    quality: dict[str, dict[int, list[float]]] = {}
    rate: dict[str, dict[int, list[float]]] = {}
    reasons: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for (clip, seed), curves in pairs.items():
        for into, found, why in (
            (quality, bd_quality(*curves), reasons[0]),
            (rate, bd_rate(*curves), reasons[1]),
        ):
            if found.value is None:
                why[found.reason.split(":")[0]] += 1
            else:
                into.setdefault(clip, {}).setdefault(seed, []).append(found.value)
    return BjontegaardOverClips(
        interval_of(quality), interval_of(rate), len(pairs), dict(reasons[0]), dict(reasons[1])
    )
