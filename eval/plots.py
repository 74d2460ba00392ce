"""Pictures of an evaluation: quality against loss, quality over time, and a strip of decoded frames."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from t4vcodec.eval.cache import write_atomically
from t4vcodec.eval.metrics import ssim_to_db
from t4vcodec.eval.records import Record
from t4vcodec.eval.summary import UNPROTECTED, channels_of, is_independent, is_ours
from t4vcodec.eval.sweep import Strip
from t4vcodec.eval.tables import median_over_clips

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS, PLAIN, REFERENCE = "#0a6c74", "#d1622b", "#6b6b6b"
_STEPS = ("#0a6c74", "#5b4fa2", "#b3366f", "#d1622b")
"""Colours of channels of growing loss."""


def quality_over_loss(records: Sequence[Record], path: Path) -> None:
    """SSIM dB and luma PSNR against the loss rate: ours, plain x264, x264 without loss at our bytes."""
    figure, axes = _figure(2, (10, 4.2))
    for axis, measure, label in zip(axes, ("ssim_db", "psnr_y"), ("SSIM, dB", "luma PSNR, dB")):
        _over_loss(axis, records, measure)
        axis.set_xlabel("packets lost, %")
        axis.set_ylabel(label)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside lower center", ncols=len(labels))
    clips = len({r.clip for r in records})
    figure.suptitle(f"Quality against loss (median of {clips} clip{'s' * (clips != 1)}, thin: each clip)")
    _save(figure, path)


def _over_loss(axis: Any, records: Sequence[Record], measure: str) -> None:
    channels = channels_of(records)
    losses = {r.channel: 100 * r.loss for r in records}
    plain = [c for c in channels if is_independent(c)]

    def value(r: Record) -> float:
        return getattr(r, measure)

    def reference(r: Record) -> float:
        return getattr(r.reference, measure)

    def with_reference(r: Record) -> bool:
        return is_ours(r) and r.reference is not None

    def is_plain(r: Record) -> bool:
        return r.scheme == UNPROTECTED

    curves = (
        ("t4v", OURS, is_ours, value),
        ("plain x264", PLAIN, is_plain, value),
        ("x264 without loss, same bytes", REFERENCE, with_reference, reference),
    )
    for label, colour, chosen, what in curves:
        if label in ("t4v", "plain x264"):
            for clip in dict.fromkeys(r.clip for r in records):
                mine = [r for r in records if r.clip == clip]
                _line(axis, plain, losses, mine, chosen, what, color=colour, linewidth=0.7, alpha=0.3)
        style = {"linestyle": "--"} if colour == REFERENCE else {"marker": "o", "markersize": 4}
        _line(axis, plain, losses, records, chosen, what, color=colour, linewidth=2, label=label, **style)
        if colour == REFERENCE:
            continue
        for channel in channels:
            point = median_over_clips(records, channel, chosen, what)
            if channel not in plain and point is not None:
                axis.plot(losses[channel], point, "D", color=colour, markersize=6, markerfacecolor="white")
                if colour == OURS:
                    at = (losses[channel], point)
                    axis.annotate(channel, at, (6, 6), textcoords="offset points", fontsize=8)


def _line(
    axis: Any,
    channels: Sequence[str],
    losses: dict[str, float],
    records: Sequence[Record],
    chosen: Any,
    what: Any,
    **style: Any,
) -> None:
    points = [(losses[c], median_over_clips(records, c, chosen, what)) for c in channels]
    points = [(x, y) for x, y in points if y is not None]
    if points:
        axis.plot(*zip(*points), **style)


def quality_over_time(records: Sequence[Record], path: Path) -> None:
    """SSIM dB of each frame of the first clip at its last rate: ours (lines) and plain x264 (dotted)."""
    first = records[0].clip
    kbps = max(r.kbps_target for r in records if r.clip == first)
    mine = [r for r in records if r.clip == first and r.kbps_target == kbps and r.ssim_frames]
    figure, (axis,) = _figure(1, (10, 4.2))
    for channel, colour in zip(_spread(channels_of(mine)), _STEPS):
        for chosen, style in ((is_ours, "-"), (lambda r: r.scheme == UNPROTECTED, ":")):
            series = [r.ssim_frames for r in mine if r.channel == channel and chosen(r)]
            if series:
                values = [ssim_to_db(value) for value in np.mean(series, axis=0)]
                label = f"{'t4v' if style == '-' else 'plain x264'}, loss {channel}"
                axis.plot(values, style, color=colour, linewidth=1.6, label=label)
    axis.set_xlabel("frame")
    axis.set_ylabel("SSIM, dB (mean over seeds)")
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(f"Quality over time: {first}, {kbps:.0f} kbit/s")
    _save(figure, path)


def picture_strip(strip: Strip, path: Path) -> None:
    """One frame as captured and as shown after losses, side by side."""
    names = _spread([name for name, _ in strip.shown])
    shown = dict(strip.shown)
    pictures = [("source", strip.source), *((f"t4v, loss {name}", shown[name]) for name in names)]
    height, width = strip.source.shape[:2]
    figure, axes = _figure(len(pictures), (3.2 * len(pictures), 3.2 * height / width + 0.6))
    for axis, (label, picture) in zip(axes, pictures):
        axis.imshow(picture)
        axis.set_title(label, fontsize=9)
        axis.set_axis_off()
    figure.suptitle(f"{strip.clip}, frame {strip.number}", fontsize=10)
    _save(figure, path)


def _spread(channels: Sequence[str]) -> list[str]:
    """At most four channels: no loss, about 30 %, the most, and one that loses in bursts."""
    if len(channels) <= len(_STEPS):
        return list(channels)
    plain = [c for c in channels if is_independent(c)]
    bursty = [c for c in channels if c not in plain]
    picked = [plain[0], min(plain, key=lambda c: abs(float(c) - 0.3)), plain[-1]] if plain else []
    return list(dict.fromkeys([*picked, *bursty]))[: len(_STEPS)]


def _figure(columns: int, size: tuple[float, float]) -> tuple[Figure, Sequence[Any]]:
    """A figure that needs no display; matplotlib takes a second to import, so only here."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(1, columns, squeeze=False)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    # Without a date the same figures give the same file.
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    write_atomically(path, lambda file: file.write(buffer.getvalue()))
