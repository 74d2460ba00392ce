"""Figures of a study of lost frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def accuracy_figure(result: dict[str, Any], path: Path) -> None:
    """Accuracy against the drop interval, and against the share of lost frames, a line for each fill and policy."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = result["summary"]
    for fill in result["settings"]["fills"]:
        mine = sorted(
            (int(float(r["policy"].split(":")[1])), r["accuracy"])
            for r in rows
            if r["fill"] == fill and r["policy"].startswith("interval:")
        )
        if mine:
            steps = [k for k, _ in mine]
            left.plot(steps, [a["mean"] for _, a in mine], "o-", label=fill)
            left.fill_between(steps, [a["low"] for _, a in mine], [a["high"] for _, a in mine], alpha=0.1)
    left.set_xlabel("drop interval: one frame in k is kept")
    left.set_ylabel("accuracy")
    left.set_ylim(0, 1)
    for number, kind in enumerate(("interval", "every", "fraction", "count", "each", "random", "ge")):
        for fill, style in zip(result["settings"]["fills"], ("-", "--", ":", "-.")):
            mine = sorted(
                (r["share"], r["accuracy"]["mean"])
                for r in rows
                if r["fill"] == fill and r["policy"].split(":")[0] == kind
            )
            if mine:
                right.plot(
                    *zip(*mine),
                    "o" + style,
                    color=f"C{number}",
                    markersize=3,
                    label=f"{kind}, {fill}",
                    linewidth=1,
                )
    right.set_xlabel("share of frames lost")
    right.set_ylim(0, 1)
    for axes in (left, right):
        axes.axhline(result["clean"]["accuracy"]["mean"], color="black", linewidth=0.8, linestyle=":")
        axes.grid(alpha=0.3)
    for axes, settings in ((left, {"fontsize": 8}), (right, {"fontsize": 5, "ncols": 3})):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(**settings)
    figure.savefig(path, dpi=130)


def critical_figure(critical: Sequence[dict[str, Any]], path: Path) -> None:
    """For each clip: the fall of confidence when the run that begins at a frame is lost."""
    figure = Figure(figsize=(9, 2.1 * len(critical)), layout="constrained")
    for axes, clip in zip(figure.subplots(len(critical), 1, squeeze=False)[:, 0], critical):
        for run, falls in clip["falls"].items():
            axes.plot(
                range(clip["first_frame"], clip["first_frame"] + len(falls)), falls, label=f"run of {run}"
            )
        axes.set_title(f"{clip['clip']}: {clip['label']}, {clip['clean_confidence']:.2f} clean", fontsize=9)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
        axes.set_ylabel("fall", fontsize=8)
    axes.set_xlabel("first frame of the run that is lost")
    figure.savefig(path, dpi=130)
