"""What outcomes say: accuracy against bytes sent again, and against delay, with intervals over recordings.

*Share of bytes*: what a way sends beyond the stream, over what sending every lost packet again takes in that cell.
Curves run from `none` (0) to `all` (1). All intervals are 95 %, from 2,000 draws of whole groups (recordings,
sequences, scenes) with replacement, paired: one draw for all ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from t4vcodec.importance.tradeoff import ALL, NONE, Outcome
from t4vcodec.importance.worth import POLICIES

RESAMPLES = 2000
AT = 0.4
"""Share of the bytes at which policies are compared with sending everything again."""
CONTROLS = ("random", "saliency")


@dataclass(frozen=True, eq=False)
class Sums:
    """Of one way in one cell: (groups,) sums over clips."""

    clips: np.ndarray
    right: np.ndarray
    agrees: np.ndarray
    media: np.ndarray
    """Bytes of the streams."""
    more: np.ndarray
    """Bytes sent beyond them."""
    delay: np.ndarray
    """Medians of clips, ms."""
    p95: np.ndarray
    late: np.ndarray
    """Shares of frames."""


def summarise(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One dictionary a cell: `ways` with their figures, `policies` with area and comparisons.

    Of a way, `more` is what it sends beyond the stream as a part of the stream, `share` as a part of what `all`
    sends beyond it (None where that is nothing: the deadline leaves no time).
    """
    cells: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        cells.setdefault(outcome.cell, []).append(outcome)
    return [_cell(name, mine) for name, mine in cells.items()]


def _cell(name: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    groups = sorted({o.group for o in outcomes})
    keys = list(dict.fromkeys((o.way, o.share) for o in outcomes))
    sums = {key: _sums([o for o in outcomes if (o.way, o.share) == key], groups) for key in keys}
    draws = np.random.default_rng(0).integers(len(groups), size=(RESAMPLES, len(groups)))
    draws = np.concatenate([np.arange(len(groups))[None], draws])
    whole = sums.get((ALL, 1.0))
    comparable = (NONE, 1.0) in sums and whole is not None and whole.more.any()
    return {
        "cell": name,
        "clips": int(next(iter(sums.values())).clips.sum()),
        "groups": len(groups),
        "ways": [_way(key, sums[key], whole, draws) for key in keys],
        "policies": _policies(sums, draws) if comparable else [],
    }


def _sums(outcomes: Sequence[Outcome], groups: Sequence[str]) -> Sums:
    place = {group: i for i, group in enumerate(groups)}
    rows = np.zeros((8, len(groups)))
    for o in outcomes:
        more = max(0, o.bytes_sent - o.bytes_media)
        rows[:, place[o.group]] += (
            1,
            o.right,
            o.agrees,
            o.bytes_media,
            more,
            o.delay_median,
            o.delay_p95,
            o.late / o.frames,
        )
    return Sums(*rows)


def _mean(values: np.ndarray, sums: Sums, draws: np.ndarray) -> np.ndarray:
    """(draws,) means over clips."""
    return values[draws].sum(1) / np.maximum(sums.clips[draws].sum(1), 1)


def _share(sums: Sums, whole: Sums, draws: np.ndarray) -> np.ndarray:
    return sums.more[draws].sum(1) / np.maximum(whole.more[draws].sum(1), 1)


def _estimate(draws: np.ndarray, digits: int = 4) -> dict[str, float]:
    low, high = np.percentile(draws[1:], (2.5, 97.5))
    return {k: round(float(v), digits) for k, v in (("mean", draws[0]), ("low", low), ("high", high))}


def _way(key: tuple[str, float], sums: Sums, whole: Sums | None, draws: np.ndarray) -> dict[str, Any]:
    right, delay = _mean(sums.right, sums, draws), _mean(sums.delay, sums, draws)
    return {
        "way": key[0],
        "asked": key[1],
        "more": round(float(sums.more.sum() / sums.media.sum()), 4),
        "share": round(float(_share(sums, whole, draws)[0]), 4) if whole and whole.more.any() else None,
        "accuracy": _estimate(right),
        "agreement": _estimate(_mean(sums.agrees, sums, draws)),
        "delay": _estimate(delay, 1),
        "delay_p95": _estimate(_mean(sums.p95, sums, draws), 1),
        "late": _estimate(_mean(sums.late, sums, draws)),
        "covariance": np.cov(np.stack([delay[1:], right[1:]])).round(8).tolist(),
    }


def _policies(sums: dict[tuple[str, float], Sums], draws: np.ndarray) -> list[dict[str, Any]]:
    """Area under accuracy and agreement over the share of bytes, and how far from `all` at `AT` of its bytes."""
    whole, nothing = sums[ALL, 1.0], sums[NONE, 1.0]
    names = [name for name in POLICIES if any(way == name for way, _ in sums)]
    curves = {
        name: [
            nothing,
            *(s for (way, _), s in sorted(sums.items(), key=lambda e: e[0][1]) if way == name),
            whole,
        ]
        for name in names
    }
    out = []
    values: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
    for name, curve in curves.items():
        shares = np.stack([_share(s, whole, draws) for s in curve])
        for kind in ("right", "agrees"):
            heights = np.stack([_mean(getattr(s, kind), s, draws) for s in curve])
            values[name, kind] = area(shares, heights), height_at(shares, heights, AT)
    for name in names:
        row: dict[str, Any] = {"policy": name}
        for kind, word in (("right", "accuracy"), ("agrees", "agreement")):
            mine, at = values[name, kind]
            row[f"{word}_area"] = _estimate(mine)
            row[f"{word}_at_{AT}_less_all"] = _estimate(at - _mean(getattr(whole, kind), whole, draws))
            for control in CONTROLS:
                if control in names and control != name:
                    row[f"{word}_area_less_{control}"] = _estimate(mine - values[control, kind][0])
        out.append(row)
    return out


def area(shares: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """(points, draws) of curves over 0 to 1: the mean height of each, by trapezoids. Points ascend in share."""
    order = np.argsort(shares, axis=0, kind="stable")
    x, y = np.take_along_axis(shares, order, 0), np.take_along_axis(heights, order, 0)
    return ((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum(0) / np.maximum(x[-1] - x[0], 1e-12)


def height_at(shares: np.ndarray, heights: np.ndarray, at: float) -> np.ndarray:
    """(points, draws) of curves: their height at a share, linear between points, (draws,)."""
    order = np.argsort(shares, axis=0, kind="stable")
    x, y = np.take_along_axis(shares, order, 0), np.take_along_axis(heights, order, 0)
    return np.array([np.interp(at, x[:, i], y[:, i]) for i in range(x.shape[1])])


def table(summary: Sequence[dict[str, Any]]) -> str:
    """For a terminal of 80 columns."""
    lines = []
    for cell in summary:
        lines += [f"{cell['cell']}: {cell['clips']} clips of {cell['groups']} recordings", ""]
        lines.append(
            f"  {'way':<17}{'bytes':>7}{'accuracy':>22}{'agrees':>8}{'delay ms':>10}{'p95':>7}{'late':>7}"
        )
        for way in cell["ways"]:
            name = way["way"] + (f" {way['asked']:g}" if way["way"] in POLICIES else "")
            right = way["accuracy"]
            more = f"+{way['more']:.0%}"
            lines.append(
                f"  {name:<17}{more:>7}{right['mean']:>8.3f} [{right['low']:.3f},{right['high']:.3f}]"
                f"{way['agreement']['mean']:>7.3f}{way['delay']['mean']:>10.0f}"
                f"{way['delay_p95']['mean']:>7.0f}{way['late']['mean']:>7.0%}"
            )
        for row in cell["policies"]:
            less, over = row[f"accuracy_at_{AT}_less_all"], row.get("accuracy_area_less_random")
            lines.append(f"  {row['policy']}: at {AT:.0%} of the bytes {_signed(less)} of all")
            if over:
                lines.append(f"    area {_signed(over)} of random")
        lines.append("")
    return "\n".join(lines)


def _signed(estimate: dict[str, float]) -> str:
    return f"{estimate['mean']:+.3f} [{estimate['low']:+.3f}, {estimate['high']:+.3f}]"
