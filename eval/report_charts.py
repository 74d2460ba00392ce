"""The report's charts: which curves, of which records, under which title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from t4vcodec.eval.charts import Bar, Series, interval_chart, line_chart, sample, signed
from t4vcodec.eval.curves import CurveSet, Means, loss_curves, point_of, rate_curves
from t4vcodec.eval.metrics import ssim_to_db
from t4vcodec.eval.records import Record
from t4vcodec.eval.report_tables import MEASURE_NAMES, Comparison, kind_of
from t4vcodec.eval.scheme_labels import channel_label, is_named, label_of
from t4vcodec.eval.summary import REFERENCE, UNPROTECTED, is_independent

MOST_FRAMES = 150
"""Of a chart over time; more would be a smear."""


@dataclass(frozen=True)
class Chart:
    title: str
    note: str
    svg: str


@dataclass(frozen=True)
class LegendEntry:
    key: str
    name: str
    svg: str


def legend(schemes: Sequence[str]) -> list[LegendEntry]:
    """One entry for each scheme of a group of charts."""
    labels = [(scheme, label_of(scheme)) for scheme in schemes]
    return [LegendEntry(s, label.name, sample(label.style, label.dash)) for s, label in labels]


def drawn_schemes(means: Means) -> list[str]:
    """Ours and the protocol's opponents; single configurations would hide everything."""
    return [scheme for scheme in means.schemes if is_named(scheme)]


def interval_charts(comparison: Comparison, measure: str) -> list[Chart]:
    """For each channel, ours against each opponent as a point with its interval; one scale for all."""
    # What is lost without any protection would stretch the scale until nothing else could be seen.
    shown = [s for s in comparison.named if s not in (UNPROTECTED, REFERENCE)] or comparison.named
    found = [d for (against, _, m), d in comparison.differences.items() if m == measure and against in shown]
    if not found:
        return []
    low, high = min(d.low for d in found), max(d.high for d in found)
    charts = []
    for channel in comparison.channels:
        bars = []
        for against in shown:
            d = comparison.get(against, channel, measure)
            if d is not None:
                kind = kind_of(d.difference, d.low, d.high)
                bars.append(Bar(_short(against), d.difference, d.low, d.high, kind))
        title = channel_label(channel)
        description = f"Ours minus each opponent, {MEASURE_NAMES[measure]}, loss {title}: " + "; ".join(
            f"{bar.label} {signed(bar.value)}" for bar in bars
        )
        charts.append(Chart(f"loss {title}", "", interval_chart(bars, low, high, description)))
    return charts


def _short(scheme: str) -> str:
    """A label that fits beside an interval."""
    return {
        "fec-sound-0": "fec-sound, no delay",
        "fec-sound-3": "fec-sound, 3 frames",
        "fec-sound-x264-0": "same of x264, no delay",
        "fec-sound-x264-3": "same of x264, 3 frames",
        "fec-fixed-30": "fec-fixed for 30 %",
        "fec-fixed-10": "fec-fixed for 10 %",
        UNPROTECTED: "x264, unprotected",
        REFERENCE: "x264 without loss",
    }.get(scheme, scheme)


def loss_charts(means: Means) -> list[Chart]:
    """Quality against the loss of independent channels, one chart for each rate."""
    losses = [100 * float(c) for c in means.channels if is_independent(c)]
    if len(losses) < 2:
        return []
    charts = []
    for point in means.points:
        found = loss_curves(means, point, drawn_schemes(means))
        title = f"{point:g} kbit/s"
        svg = _lines(
            found, "packets lost, %", MEASURE_NAMES[means.measure], f"Quality against loss at {title}"
        )
        charts.append(Chart(title, _clips(found), svg))
    return [chart for chart in charts if chart.svg]


def rate_charts(means: Means, schemes: Sequence[str]) -> list[Chart]:
    """Quality against rate of some schemes, one chart for each channel."""
    if len(means.points) < 2:
        return []
    charts = []
    for channel in means.channels:
        found = rate_curves(means, channel, schemes)
        title = f"loss {channel_label(channel)}"
        svg = _lines(
            found,
            "kbit/s (point)",
            MEASURE_NAMES[means.measure],
            f"Quality against rate, {title}",
            means.points,
        )
        charts.append(Chart(title, _clips(found), svg))
    return [chart for chart in charts if chart.svg]


def _lines(
    found: CurveSet, x_label: str, y_label: str, what: str, rates: Sequence[float] | None = None
) -> str:
    series = [
        Series(label.name, points, label.style, label.dash, scheme, wide=scheme.startswith("t4v"))
        for scheme, points in found.curves.items()
        for label in [label_of(scheme)]
    ]
    return line_chart(series, x_label, y_label, what, log_x=rates is not None, x_ticks=rates)


def _clips(found: CurveSet) -> str:
    note = f"mean of {found.clips} clip{'s' * (found.clips != 1)}"
    if found.clips != found.out_of:
        note += f" (of {found.out_of}: those that every curve has)"
    if found.absent:
        note += f"; without {', '.join(label_of(s).name for s in found.absent)}: too few runs"
    return note


@dataclass(frozen=True)
class TimeCharts:
    """Quality of each frame on the clips where ours does best, middling and worst."""

    note: str
    charts: list[Chart]
    schemes: list[str]


def time_charts(records: Sequence[Record], comparison: Comparison) -> TimeCharts | None:
    """SSIM dB frame by frame through one run of the channel that is hardest to bridge; None without figures.

    Nothing is chosen by hand: the first seed, the middle rate, and the clips by rank of the difference
    to the headline's first opponent.
    """
    kept = [r for r in records if r.ssim_frames]
    channels = [c for c in comparison.channels if any(r.channel == c and r.loss > 0 for r in kept)]
    if not channels or not comparison.headline:
        return None
    bursty = [c for c in channels if not is_independent(c)]
    channel = bursty[0] if bursty else min(channels, key=lambda c: abs(float(c) - 0.3))
    kept = [r for r in kept if r.channel == channel]
    points = sorted({point_of(r) for r in kept})
    point = points[len(points) // 2]
    seed = min(r.seed for r in kept)
    kept = [r for r in kept if point_of(r) == point and r.seed == seed]
    wanted = [comparison.ours, *comparison.headline, UNPROTECTED]
    runs = {(r.clip, r.scheme): r for r in kept}
    rival = next((s for s in wanted[1:] if any(key[1] == s for key in runs)), None)
    if rival is None:
        return None
    gaps = {
        clip: record.ssim_db - runs[clip, rival].ssim_db
        for (clip, scheme), record in runs.items()
        if scheme == comparison.ours and (clip, rival) in runs
    }
    ranked = sorted(gaps, key=lambda clip: (-gaps[clip], clip))
    picks = {ranked[0]: "best", ranked[len(ranked) // 2]: "middle", ranked[-1]: "worst"} if ranked else {}
    schemes = [s for s in dict.fromkeys(wanted) if any(key[1] == s for key in runs)]
    charts = []
    for clip, rank in picks.items():
        series = []
        for scheme in schemes:
            label, record = label_of(scheme), runs.get((clip, scheme))
            if record is not None:
                frames = [(i, ssim_to_db(v)) for i, v in enumerate((record.ssim_frames or [])[:MOST_FRAMES])]
                series.append(
                    Series(label.name, frames, label.style, label.dash, scheme, False, scheme == schemes[0])
                )
        svg = line_chart(series, "frame", "SSIM, dB", f"Quality over time, {clip}")
        where = rank if len(picks) > 1 else "only clip"
        charts.append(Chart(clip, f"{where}: {signed(gaps[clip])} dB over this run", svg))
    if not charts:
        return None
    unit = "point" if any(r.config.get("point") is not None for r in kept) else "rate"
    note = (
        f"Loss {channel_label(channel)}, {unit} {point:g} kbit/s, seed {seed}; the clips where ours does best, "
        f"in the middle and worst against {label_of(rival).name} in this run."
    )
    return TimeCharts(note, charts, schemes)
