"""What the terminal shows at the end: tables of at most 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from t4vcodec.eval.records import Difference, Record, Results
from t4vcodec.eval.scheme_labels import in_order
from t4vcodec.eval.summary import REFERENCE, UNPROTECTED, channels_of, is_ours
from t4vcodec.eval.task_tables import task_tables

WIDTH = 80
_NAME = 30


def format_results(results: Results) -> str:
    """The tables of a results file as text, without a line end at its end."""
    tables = [
        summary_table(results),
        opponent_table(results.summary),
        task_tables(results.clips, results.task_summary),
        clip_table(results.records),
    ]
    return "\n\n".join(table for table in tables if table)


def summary_table(results: Results) -> str:
    """Ours, plain x264 and the difference to x264 without loss, a line a channel."""
    records = results.records
    frames = sorted({clip.frames for clip in results.clips})
    seeds = len({r.seed for r in records})
    counts = [
        _count(len(results.clips), "clip"),
        _count(seeds, "seed"),
        f"{frames[0]} to {frames[-1]} frames" if len(frames) > 1 else _count(frames[0], "frame"),
    ]
    lines = [
        f"One-way, {', '.join(counts)}; all bytes counted; median over clips.",
        "Difference: SSIM dB minus x264 veryfast without loss at the same bytes [95 %].",
        "",
        f"{'':12}{'t4v':>16}{'plain x264':>16}",
        f"{'loss':12}{'SSIM dB':>8}{'PSNR':>8}{'SSIM dB':>8}{'PSNR':>8}{'difference':>12}",
    ]
    for channel in channels_of(records):
        line = f"{channel[:12]:12}"
        for chosen in (is_ours, _is_plain):
            for measure in ("ssim_db", "psnr_y"):
                value = median_over_clips(records, channel, chosen, lambda r, m=measure: getattr(r, m))
                line += f"{value:8.2f}" if value is not None else f"{'-':>8}"
        lines.append(line + _difference(_find(results.summary, channel)))
    left_out = sum(d.left_out for d in results.summary if d.measure == "ssim_db" and d.against == REFERENCE)
    if left_out:
        lines.append(f"{left_out} runs left out of the difference: no x264 rate factor gives their bytes.")
    return "\n".join(lines)


def opponent_table(summary: Sequence[Difference]) -> str:
    """SSIM dB of ours minus that of each opponent; empty without any. Channels in further tables where many."""
    found = {(d.against, d.channel): d for d in summary if d.measure == "ssim_db" and d.against != REFERENCE}
    opponents = in_order(against for against, _ in found)
    if not [o for o in opponents if o != UNPROTECTED]:
        return ""
    channels = list(dict.fromkeys(channel for _, channel in found))
    column = max(9, *(len(c) + 2 for c in channels))
    per_table = max(1, (WIDTH - _NAME) // column)
    lines = ["Ours minus each opponent at the same bytes, SSIM dB, median over clips;", "* sure at 95 %."]
    for start in range(0, len(channels), per_table):
        part = channels[start : start + per_table]
        lines += ["", f"{'loss':{_NAME}}" + "".join(f"{c:>{column - 1}} " for c in part)]
        for opponent in opponents:
            cells = [_marked(found.get((opponent, channel))) for channel in part]
            lines.append(f"{opponent[: _NAME - 1]:{_NAME}}" + "".join(f"{c:>{column}}" for c in cells))
    return "\n".join(lines)


def _marked(difference: Difference | None) -> str:
    """With a star where the whole interval is on one side of zero."""
    if difference is None:
        return "- "
    sure = difference.low > 0 or difference.high < 0
    return f"{difference.difference:+.2f}{'*' if sure else ' '}"


def clip_table(records: Sequence[Record]) -> str:
    """SSIM dB of ours for each clip and rate; channels side by side, in further tables where many."""
    ours = [r for r in records if is_ours(r)]
    channels = channels_of(ours)
    column = max(8, *(len(c) + 1 for c in channels))
    per_table = max(1, (WIDTH - 32) // column)
    tables = []
    for start in range(0, len(channels), per_table):
        part = channels[start : start + per_table]
        lines = [f"{'t4v, SSIM dB at loss':24}{'kbit/s':>8}" + "".join(f"{c:>{column}}" for c in part)]
        for clip, kbps in dict.fromkeys((r.clip, r.kbps_target) for r in ours):
            mine = [r for r in ours if (r.clip, r.kbps_target) == (clip, kbps)]
            line = f"{clip[:24]:24}{np.mean([r.kbps_sent for r in mine]):8.0f}"
            for channel in part:
                values = [r.ssim_db for r in mine if r.channel == channel]
                line += f"{np.mean(values):{column}.2f}" if values else f"{'-':>{column}}"
            lines.append(line)
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def median_over_clips(
    records: Iterable[Record],
    channel: str,
    chosen: Callable[[Record], bool],
    measure: Callable[[Record], float],
) -> float | None:
    """Median over clips of the mean over rates and seeds; None without records."""
    clips: dict[str, list[float]] = {}
    for record in records:
        if record.channel == channel and chosen(record):
            clips.setdefault(record.clip, []).append(measure(record))
    return float(np.median([np.mean(values) for values in clips.values()])) if clips else None


def _is_plain(record: Record) -> bool:
    return record.scheme == UNPROTECTED


def _find(summary: Sequence[Difference], channel: str) -> Difference | None:
    return next(
        (d for d in summary if (d.channel, d.against, d.measure) == (channel, REFERENCE, "ssim_db")), None
    )


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return f"{'-':>12}"
    return f"{difference.difference:+12.2f} [{difference.low:+.2f} {difference.high:+.2f}]"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
