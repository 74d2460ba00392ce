"""Figures of a study of importance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from t4vcodec.recognition.network import WINDOWS

_COLOURS = {"sensitive": "C3", "insensitive": "C0"}
_LEAST = 1e-4
"""Of influence in the scatter, log-odds."""
_SCATTERED = ("first order", "pictures l2", "latents abs", "shown l2")


def correlation_figure(summary: dict[str, Any], path: Path) -> None:
    """Rank correlation of every measure with true influence, clip by clip: means and intervals."""
    parts = [
        (p, t) for p, t in (("lost", "lost packets, 30 % missing"), ("whole", "all there")) if summary[p]
    ]
    figure = Figure(figsize=(5.2 * len(parts), 5), layout="constrained")
    for axes, (part, title) in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts):
        rows = summary[part]
        kinds = [k for k in _COLOURS if any(r["kind"] == k for r in rows)]
        order = sorted(
            dict.fromkeys(r["thought"] for r in rows),
            key=lambda name: max(
                r["signed"]["mean"] for r in rows if r["thought"] == name and r["kind"] == kinds[0]
            ),
        )
        for offset, kind in zip((0.15, -0.15), kinds):
            mine = {r["thought"]: r for r in rows if r["kind"] == kind}
            for form, marker, label in (
                ("signed", "o", f"{kind}, with sign"),
                ("sizes", "x", f"{kind}, sizes alone"),
            ):
                for place, name in enumerate(order):
                    e = mine[name][form]
                    axes.plot(
                        [e["mean"]],
                        [place + offset],
                        marker,
                        color=_COLOURS[kind],
                        markersize=5,
                        label=label if not place else None,
                    )
                    if form == "signed":
                        axes.plot(
                            [e["low"], e["high"]], [place + offset] * 2, color=_COLOURS[kind], linewidth=1
                        )
        axes.set_yticks(range(len(order)), order, fontsize=8)
        axes.axvline(0.6, color="black", linewidth=0.7, linestyle=":")
        axes.axvline(0, color="black", linewidth=0.7)
        axes.set_xlabel("Spearman with true influence, mean over clips")
        axes.set_title(title, fontsize=9)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=7, loc="lower right")
    figure.savefig(path, dpi=100)


def scatter_figure(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Sizes of true influence against measures, every lost packet a point."""
    figure = Figure(figsize=(11, 3), layout="constrained")
    panels = figure.subplots(1, len(_SCATTERED), sharey=True)
    for axes, name in zip(panels, _SCATTERED):
        for kind in ("insensitive", "sensitive"):
            mine = [r for r in records if r["sensitive"] == (kind == "sensitive")]
            if mine:
                x, y = (
                    np.abs(np.concatenate(part))
                    for part in (
                        [r["lost"]["thoughts"][name] for r in mine],
                        [r["lost"]["true"] for r in mine],
                    )
                )
                # Nothing at all has no logarithm: it stands at the left and lower edge.
                low = x[x > 0].min(initial=1.0) / 2
                axes.loglog(
                    np.maximum(x, low),
                    np.maximum(y, _LEAST),
                    ".",
                    color=_COLOURS[kind],
                    markersize=2,
                    label=kind,
                )
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("measure")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
        if name == "first order":
            axes.plot([1e-3, 1], [1e-3, 1], color="black", linewidth=0.7)
    panels[0].set_ylabel("true influence, log-odds")
    panels[-1].legend(fontsize=7)
    figure.savefig(path, dpi=100)


def sets_figure(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Sets of packets lost together against the sum of their singles."""
    kinds = list(dict.fromkeys(one["kind"] for r in records for one in r.get("sets", ())))
    figure = Figure(figsize=(2.6 * len(kinds), 2.9), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds):
        for record in records:
            points = [(o["singles"], o["together"]) for o in record.get("sets", ()) if o["kind"] == kind]
            if points:
                colour = _COLOURS["sensitive" if record["sensitive"] else "insensitive"]
                axes.plot(*zip(*points), "o", color=colour, markersize=3)
        ends = np.array([axes.get_xlim(), axes.get_ylim()])
        line = [ends[:, 0].min(), ends[:, 1].max()]
        axes.plot(line, line, color="black", linewidth=0.7)
        axes.set_title(kind, fontsize=9)
        axes.set_xlabel("sum of singles", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("lost together, log-odds", fontsize=8)
    figure.savefig(path, dpi=100)


def protection_figure(summary: dict[str, Any], path: Path) -> None:
    """Agreement, accuracy and score against the share of packets that are never lost."""
    rows = summary["protected"]
    figure = Figure(figsize=(10.5, 3.2), layout="constrained")
    nothing = next(r for r in rows if r["order"] == "none")
    orders = dict.fromkeys(r["order"] for r in rows if r["order"] != "none")
    for axes, what in zip(figure.subplots(1, 3), ("agreement", "accuracy", "score")):
        for number, order in enumerate(orders):
            mine = [nothing, *sorted((r for r in rows if r["order"] == order), key=lambda r: r["share"])]
            shift = 0.004 * (number - 1.5)
            x = [r["share"] + shift for r in mine]
            y = [r[what]["mean"] for r in mine]
            error = [
                [r[what]["mean"] - r[what]["low"] for r in mine],
                [r[what]["high"] - r[what]["mean"] for r in mine],
            ]
            axes.errorbar(x, y, error, fmt="o-", color=f"C{number}", markersize=4, linewidth=1, label=order)
        axes.set_xlabel("share of packets never lost")
        if what != "score":
            axes.set_ylim(-0.03, 1.03)
        axes.set_title(
            {"agreement": "agrees with the clean answer", "accuracy": "right", "score": "log-odds"}[what],
            fontsize=9,
        )
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=100)


def period_figure(records: Sequence[dict[str, Any]], summary: dict[str, Any], path: Path) -> None:
    """Saliency along a clip, as it is and averaged over shifts, and the mean spectra of all."""
    record = next(r for r in records if "frames_saliency" in r)
    of_clip = record["frames_saliency"]
    figure = Figure(figsize=(11, 5), layout="constrained")
    panels = figure.subplots(2, 2)
    for row, (plain, mean, title) in enumerate(
        (
            ("shown", "averaged", "gradient by the pixels of a frame"),
            ("pictures", "pictures, averaged", "through the decoder, with what later frames take"),
        )
    ):
        along: Axes = panels[row, 0]
        along.semilogy(of_clip[plain], ".-", label="as it is", linewidth=0.8)
        along.semilogy(of_clip[mean], ".-", label=f"mean of {of_clip['shifts']} shifts", linewidth=0.8)
        along.set_title(f"{title}: {record['clip']}", fontsize=9)
        along.set_xlabel("frame")
        spectra: Axes = panels[row, 1]
        for name, label in ((plain, "as it is"), (mean, "averaged")):
            if name in summary["periods"]["curves"]:
                spectra.plot(
                    summary["periods"]["frequencies"], summary["periods"]["curves"][name], label=label
                )
        # Of frames that are picked, of the network's steps of two, and of two steps merged.
        for period in of_clip["fps"] / WINDOWS.fps * np.array([1, 2, 4]):
            spectra.axvline(1 / period, color="black", linewidth=0.6, linestyle=":")
            spectra.text(1 / period, spectra.get_ylim()[1] * 0.92, f"{period:g}", fontsize=7)
        spectra.set_xlabel("cycles a frame (marks: periods in frames)")
        spectra.set_title("share of variation, mean over clips", fontsize=9)
        for axes in (along, spectra):
            axes.grid(alpha=0.3)
            if axes.get_legend_handles_labels()[0]:
                axes.legend(fontsize=7)
    figure.savefig(path, dpi=100)
