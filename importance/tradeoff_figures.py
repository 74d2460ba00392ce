"""Figures of `t4vcodec tradeoff`: accuracy over bytes sent again, delay over accuracy, what bytes are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from t4vcodec.importance.tradeoff import ALL, NONE, LostPackets
from t4vcodec.importance.tradeoff_summary import AT
from t4vcodec.importance.worth import POLICIES

_TWO_DIMENSIONS = 5.991
"""Chi-square of two degrees of freedom that 95 % lie below."""


def bytes_figure(summary: Sequence[dict[str, Any]], path: Path) -> None:
    """A panel a cell: accuracy against the share of bytes sent again, a line a policy."""
    cells = [cell for cell in summary if cell["policies"]]
    figure, panels = _panels(len(cells))
    for axes, cell in zip(panels, cells):
        ways = cell["ways"]
        ends = [next(w for w in ways if w["way"] == name) for name in (NONE, ALL)]
        for number, policy in enumerate(POLICIES):
            mine = sorted((w for w in ways if w["way"] == policy), key=lambda w: w["share"])
            if mine:
                curve = [ends[0], *mine, ends[1]]
                x, y = [w["share"] for w in curve], [w["accuracy"]["mean"] for w in curve]
                style = "--" if policy in ("random", "saliency") else "-"
                axes.plot(x, y, f"o{style}", color=f"C{number}", markersize=4, label=policy)
        axes.axhline(ends[1]["accuracy"]["mean"] - 0.01, color="black", linewidth=0.7, linestyle=":")
        axes.axvline(AT, color="black", linewidth=0.7, linestyle=":")
        axes.set_xlabel("bytes sent again, of those of sending all again")
        axes.set_ylabel("accuracy")
        axes.set_title(f"{cell['cell']} ({cell['clips']} clips)", fontsize=9)
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def delay_figure(summary: Sequence[dict[str, Any]], path: Path) -> None:
    """A panel for each codec and channel: mean delay of a frame against accuracy, ellipses of 95 %."""
    places: dict[str, list[dict[str, Any]]] = {}
    for cell in summary:
        places.setdefault(cell["cell"].partition(", RTT")[0], []).append(cell)
    figure, panels = _panels(len(places))
    for axes, (place, cells) in zip(panels, places.items()):
        names = list(dict.fromkeys(_way_name(w) for c in cells for w in c["ways"] if _shown(w)))
        for number, name in enumerate(names):
            mine = [w for c in cells for w in c["ways"] if _way_name(w) == name and _shown(w)]
            x, y = [w["delay"]["mean"] for w in mine], [w["accuracy"]["mean"] for w in mine]
            style = {"marker": "osD^vPX"[number % 7], "markersize": 9 - number % 7, "alpha": 0.7}
            axes.plot(x, y, color=f"C{number}", linewidth=1, label=name, **style)
            for way in mine:
                axes.add_patch(_ellipse(way, f"C{number}"))
        axes.set_xlabel("delay of a frame, ms (median; mean over clips)")
        axes.set_ylabel("accuracy")
        axes.set_title(place, fontsize=9)
        axes.legend(fontsize=6, ncols=2)
    figure.savefig(path, dpi=110)


def utility_figure(lost: Mapping[str, Sequence[LostPackets]], path: Path) -> None:
    """Utility gathered against bytes spent, the best bytes first: how few of them hold nearly all."""
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    axes = figure.subplots()
    for name, clips in lost.items():
        worth, sizes = (np.concatenate(part) for part in zip(*((p.worth, p.sizes) for p in clips)))
        if not worth.sum() > 0:
            continue
        order = np.argsort(-worth / sizes, kind="stable")
        axes.plot(
            np.cumsum(sizes[order]) / sizes.sum(),
            np.cumsum(worth[order]) / worth.sum(),
            label=name,
            linewidth=1.5,
        )
    axes.set_xlabel("bytes of lost packets, the most useful first")
    axes.set_ylabel("share of all utility")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def _panels(count: int) -> tuple[Figure, Sequence[Any]]:
    columns = min(2, max(1, count))
    rows = max(1, -(-count // columns))
    figure = Figure(figsize=(5.6 * columns, 4.2 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.grid(alpha=0.3)
    for axes in panels[count:]:
        axes.axis("off")
    return figure, panels


def _shown(way: dict[str, Any]) -> bool:
    """Transports, and policies at the share that is spoken of."""
    return way["way"] not in POLICIES or abs(way["asked"] - AT) < 0.1


def _way_name(way: dict[str, Any]) -> str:
    return way["way"] + (f" {way['asked']:g}" if way["way"] in POLICIES else "")


def _ellipse(way: dict[str, Any], colour: str) -> Ellipse:
    values, vectors = np.linalg.eigh(np.array(way["covariance"]))
    width, height = 2 * np.sqrt(np.maximum(values, 0) * _TWO_DIMENSIONS)
    angle = np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))
    centre = way["delay"]["mean"], way["accuracy"]["mean"]
    return Ellipse(centre, width, height, angle=angle, alpha=0.12, color=colour, linewidth=0)
