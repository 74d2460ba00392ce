"""How sure a difference is, and what a whole curve is worth.

*Intervals* are bootstrapped: clips are drawn with replacement, and within each clip its seeds (all rates of a
seed together), 2,000 times; 95 % of the medians lie within. With one clip they speak of its seeds only.

*Bjontegaard averages* (VCEG-M33, 2001) are the mean distance of two rate-distortion curves over the range that
both have, never beyond it. Curves are piecewise cubic and shape-preserving (pchip; Fritsch and Carlson, 1980)
in the logarithm of the rate, as JVET's common test conditions ask for. Where there is no common range there is
no number, but a reason.

>>> bd_quality([(100, 30), (200, 33), (400, 36)], [(100, 31), (200, 34), (400, 37)]).value
1.0
>>> bd_quality([(100, 30), (200, 33)], [(300, 31), (400, 34)]).reason
'no rate in common: 100 to 200 and 300 to 400 kbit/s'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
LEVEL = 95.0
"""Per cent of the resampled medians that an interval holds."""

Samples = Mapping[str, Mapping[int, Sequence[float]]]
"""Clip -> seed -> values (one for each rate)."""

Curve = Sequence[tuple[float, float]]
"""(kbit/s, quality in dB) of one scheme on one clip."""


@dataclass(frozen=True)
class Interval:
    """What a set of paired differences says."""

    median: float
    """Over clips, of the means within clips."""
    mean: float
    """Over clips."""
    low: float
    high: float
    """The 95 % interval of `median`."""
    clips: int
    seeds: int
    """Of the clip that has most."""


def interval_of(samples: Samples) -> Interval | None:
    """The median over clips with its interval; None without samples."""
    clips = [[list(seed) for seed in by_seed.values() if len(seed)] for by_seed in samples.values()]
    clips = [clip for clip in clips if clip]
    if not clips:
        return None
    means = [float(np.mean([value for seed in clip for value in seed])) for clip in clips]
    low, high = bootstrap(clips)
    return Interval(
        median=float(np.median(means)),
        mean=float(np.mean(means)),
        low=low,
        high=high,
        clips=len(means),
        seeds=max(len(clip) for clip in clips),
    )


def bootstrap(clips: Sequence[Sequence[Sequence[float]]]) -> tuple[float, float]:
    """95 % interval of the median over clips of means within; `clips[c][s]` holds a seed's differences."""
    random = np.random.default_rng(0)
    picked = random.integers(len(clips), size=(RESAMPLES, len(clips)))
    resampled = np.empty(picked.shape)
    for number, clip in enumerate(clips):
        sums = np.array([sum(seed) for seed in clip])
        counts = np.array([len(seed) for seed in clip])
        places = picked == number
        seeds = random.integers(len(clip), size=(int(places.sum()), len(clip)))
        resampled[places] = sums[seeds].sum(axis=1) / counts[seeds].sum(axis=1)
    outside = (100 - LEVEL) / 2
    low, high = np.percentile(np.median(resampled, axis=1), (outside, 100 - outside))
    return float(low), float(high)


@dataclass(frozen=True)
class Bjontegaard:
    """A mean distance of two curves, or why there is none."""

    value: float | None
    """`bd_quality`: dB; `bd_rate`: per cent, negative where the second curve needs less rate."""
    reason: str = ""
    low: float | None = None
    high: float | None = None
    """The common range: kbit/s or dB."""


def bd_quality(anchor: Curve, test: Curve) -> Bjontegaard:
    """Mean quality of `test` above `anchor` in dB over the rates that both have."""
    curves = [_by_rate(curve) for curve in (anchor, test)]
    problem = next((p for p in map(_rate_problem, curves) if p), "")
    if problem:
        return Bjontegaard(None, problem)
    low, high = _common([rates for rates, _ in curves])
    if high <= low:
        return Bjontegaard(None, _apart("rate", [rates for rates, _ in curves], "kbit/s"))
    logs = np.log10((low, high))
    means = [_mean(np.log10(rates), quality, *logs) for rates, quality in curves]
    return Bjontegaard(float(means[1] - means[0]), "", float(low), float(high))


def bd_rate(anchor: Curve, test: Curve) -> Bjontegaard:
    """Rate that `test` needs beyond that of `anchor`, in per cent, over the qualities that both have."""
    curves = [_by_rate(curve) for curve in (anchor, test)]
    problem = next((p for p in map(_rate_problem, curves) if p), "")
    if not problem and any(np.any(np.diff(quality) <= 0) for _, quality in curves):
        problem = "quality does not rise with the rate"
    if problem:
        return Bjontegaard(None, problem)
    low, high = _common([quality for _, quality in curves])
    if high <= low:
        return Bjontegaard(None, _apart("quality", [quality for _, quality in curves], "dB"))
    means = [_mean(quality, np.log10(rates), low, high) for rates, quality in curves]
    return Bjontegaard(float(100 * (10 ** (means[1] - means[0]) - 1)), "", float(low), float(high))


def _by_rate(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Rates in growing order, and quality; points of one rate become their mean."""
    points: dict[float, list[float]] = {}
    for rate, quality in curve:
        points.setdefault(float(rate), []).append(float(quality))
    rates = np.array(sorted(points))
    return rates, np.array([np.mean(points[rate]) for rate in rates])


def _rate_problem(curve: tuple[np.ndarray, np.ndarray]) -> str:
    rates, quality = curve
    if len(rates) < 2:
        return "fewer than two rates"
    if rates[0] <= 0 or not (np.all(np.isfinite(rates)) and np.all(np.isfinite(quality))):
        return "a rate or quality that is no positive finite number"
    return ""


def _common(ranges: Sequence[np.ndarray]) -> tuple[float, float]:
    return max(values.min() for values in ranges), min(values.max() for values in ranges)


def _apart(what: str, ranges: Sequence[np.ndarray], unit: str) -> str:
    first, second = (f"{values.min():.4g} to {values.max():.4g}" for values in ranges)
    return f"no {what} in common: {first} and {second} {unit}"


def _mean(x: np.ndarray, y: np.ndarray, low: float, high: float) -> float:
    """Mean of the curve through (x, y) between `low` and `high`."""
    from scipy.interpolate import PchipInterpolator  # half a second to import, and only reports need it

    return float(PchipInterpolator(x, y).integrate(low, high)) / (high - low)
