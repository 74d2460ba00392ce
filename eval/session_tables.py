"""What the terminal shows of sessions: for each condition, quality by channel, then delays. At most 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from t4vcodec.eval.records import Difference, Record, Results
from t4vcodec.eval.statistics import interval_of
from t4vcodec.eval.summary import REFERENCE, channels_of, is_ours, pair_key, summarise
from t4vcodec.eval.tables import WIDTH

_NAME = 35
BEST = "best opponent of each run"
_PARTLY = "'"
"""Behind a median to which not all runs contribute."""


def format_sessions(results: Results) -> str:
    """The tables of a results file of sessions as text, without a line end at its end."""
    blocks = []
    for name, records in by_condition(results.records).items():
        blocks += [quality_table(name, records), delay_table(records)]
    return "\n\n".join(blocks)


def condition_of(record: Record) -> str:
    """As in "RTT 100 ms, deadline 200 ms"."""
    config = record.config
    frames = config.get("report_frames")
    apart = f"RTT {config['rtt']:g} ms" if frames is None else f"reports after {frames:g} frames"
    return f"{apart}, deadline {config['deadline']:g} ms"


def by_condition(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Records of sessions by condition, in order of appearance; others are left out."""
    found: dict[str, list[Record]] = {}
    for record in records:
        if "deadline" in record.config:
            found.setdefault(condition_of(record), []).append(record)
    return found


def summarise_sessions(records: Sequence[Record]) -> list[Difference]:
    """Comparisons within each condition, which the entries' `regime` names."""
    summary = []
    for name, some in by_condition(records).items():
        for difference in [*summarise(some), *against_best(some)]:
            values = vars(difference) | {"regime": f"{difference.regime}, {name}"}
            summary.append(Difference(**values))
    return summary


def against_best(records: Sequence[Record]) -> list[Difference]:
    """Ours minus, run by run, whichever opponent did best there: one that knew all fates in advance."""
    best: dict[tuple, Record] = {}
    for record in records:
        if not is_ours(record):
            known = best.get(pair_key(record))
            if known is None or record.ssim_db > known.ssim_db:
                best[pair_key(record)] = record
    ours = [r for r in records if is_ours(r) and pair_key(r) in best]
    found = []
    for channel in channels_of(ours):
        clips: dict[str, dict[int, list[float]]] = {}
        mine = [r for r in ours if r.channel == channel]
        for record in mine:
            gap = record.ssim_db - best[pair_key(record)].ssim_db
            clips.setdefault(record.clip, {}).setdefault(record.seed, []).append(gap)
        interval = interval_of(clips)
        found.append(
            Difference(
                regime=mine[0].regime,
                channel=channel,
                loss=mine[0].loss,
                ours=mine[0].scheme,
                against=BEST,
                measure="ssim_db",
                difference=interval.median,
                low=interval.low,
                high=interval.high,
                clips=interval.clips,
                seeds=interval.seeds,
                mean=interval.mean,
            )
        )
    return found


def quality_table(name: str, records: Sequence[Record]) -> str:
    """SSIM dB of everybody, and what ours is ahead by."""
    channels = channels_of(records)
    schemes = _schemes(records)
    clips, seeds = len({r.clip for r in records}), len({r.seed for r in records})
    frames = sorted({r.frames for r in records})
    span = f"{frames[0]}" if len(frames) == 1 else f"{frames[0]} to {frames[-1]}"
    lines = [
        f"Sessions: {name}; clips: {clips}, seeds: {seeds}, frames: {span}.",
        "SSIM dB, median over clips. All bytes both ways; opponents at the bytes of ours.",
    ]
    summary = {(d.against, d.channel): d for d in summarise_sessions(records) if d.measure == "ssim_db"}
    for part in _parts(channels, 9):
        lines += ["", _head("loss", part, 9)]
        for scheme in schemes:
            cells = []
            for channel in part:
                value = _median(records, scheme, channel, lambda r: r.ssim_db)
                cells.append("- " if value is None else f"{value:.2f}{_mark(records, scheme, channel)}")
            lines.append(_line(scheme, cells, 9))
        for title, against in (
            ("ours - " + BEST, BEST),
            ("ours - x264 without loss", REFERENCE),
        ):
            found = [summary.get((against, channel)) for channel in part]
            if any(found):
                lines.append(_line(title, [_signed(difference) for difference in found], 9))
    if any(_mark(records, scheme, channel) == _PARTLY for scheme in schemes for channel in channels):
        lines.append(f"{_PARTLY} not comparable: some runs lack a quality that gives the bytes.")
    return "\n".join(lines)


def delay_table(records: Sequence[Record]) -> str:
    """Median and 95th percentile of the delay from capture to picture, frames late and frames frozen."""
    channels, schemes = channels_of(records), _schemes(records)
    lines = [
        "Delay in ms: median/p95 over frames (medians over clips), share of frames that",
        "were not whole at their deadline (ours shows them all the same).",
    ]
    for part in _parts(channels, 13):
        lines += ["", _head("loss", part, 13)]
        for scheme in schemes:
            cells = []
            for channel in part:
                middle, high, late = (
                    _median(records, scheme, channel, measure)
                    for measure in (
                        lambda r: r.delay_ms.median,
                        lambda r: r.delay_ms.p95,
                        lambda r: 100 * (r.frames_late or 0) / r.frames,
                    )
                )
                mark = _mark(records, scheme, channel)
                cells.append("- " if middle is None else f"{middle:.0f}/{high:.0f} {late:2.0f}%{mark}")
            lines.append(_line(scheme, cells, 13))
    return "\n".join(lines)


def _schemes(records: Sequence[Record]) -> list[str]:
    """Ours first, then the others in order of appearance."""
    names = list(dict.fromkeys(r.scheme for r in records))
    ours = {r.scheme for r in records if is_ours(r)}
    return sorted(names, key=lambda name: name not in ours)


def _mark(records: Sequence[Record], scheme: str, channel: str) -> str:
    """Whether a scheme has fewer runs on a channel than ours."""
    ours = sum(is_ours(r) and r.channel == channel for r in records)
    return _PARTLY if sum(r.scheme == scheme and r.channel == channel for r in records) < ours else " "


def _median(
    records: Sequence[Record], scheme: str, channel: str, measure: Callable[[Record], float]
) -> float | None:
    clips: dict[str, list[float]] = {}
    for record in records:
        if record.scheme == scheme and record.channel == channel:
            clips.setdefault(record.clip, []).append(measure(record))
    return float(np.median([np.mean(values) for values in clips.values()])) if clips else None


def _parts(channels: Sequence[str], column: int) -> list[Sequence[str]]:
    per_table = (WIDTH - _NAME) // column
    return [channels[start : start + per_table] for start in range(0, len(channels), per_table)]


def _head(title: str, channels: Sequence[str], column: int) -> str:
    return _line(title, [f"{channel[: column - 2]} " for channel in channels], column)


def _line(title: str, cells: Sequence[str], column: int) -> str:
    return (f"{title[: _NAME - 1]:{_NAME}}" + "".join(f"{cell:>{column}}" for cell in cells)).rstrip()


def _signed(difference: Difference | None) -> str:
    return "- " if difference is None else f"{difference.difference:+.2f} "
