"""What the terminal shows of recognition: tables of at most 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from t4vcodec.eval.records import ClipFacts, TaskFigure
from t4vcodec.eval.scheme_labels import SOURCE, in_order
from t4vcodec.eval.task_summary import MEASURES

WIDTH = 80
_NAME, _COLUMN = 26, 10
_ENOUGH = 10
"""Recordings below which resampling them says too little."""

Figures = dict[tuple[str, str, str | None, str], TaskFigure]
"""(channel, scheme, against, measure) -> figure."""


def task_tables(clips: Sequence[ClipFacts], summary: Sequence[TaskFigure]) -> str:
    """For each group of recognizers and rate: ours with intervals, then every scheme; empty without any."""
    tables = []
    for name in dict.fromkeys(f.recognizers for f in summary):
        mine = [f for f in summary if f.recognizers == name]
        source = {f.measure: f for f in mine if f.scheme == SOURCE}
        for point in sorted({f.point for f in mine if f.scheme != SOURCE}):
            here = [f for f in mine if f.scheme != SOURCE and f.point == point]
            figures = {(f.channel, f.scheme, f.against, f.measure): f for f in here}
            tables.append(_table(name, point, source, here, figures))
    return "\n\n".join(tables)


def _table(
    name: str,
    point: float,
    source: dict[str, TaskFigure],
    here: Sequence[TaskFigure],
    figures: Figures,
) -> str:
    channels = list(dict.fromkeys(f.channel for f in here))
    schemes = in_order({f.scheme for f in here if f.against is None})
    ours, most = schemes[0], max(here, key=lambda f: (f.clips, f.runs))
    labelled = "top1" in source
    lines = [
        f"Seen by {name}"[:WIDTH],
        f"Point {point:g}: {_count(most.clips, 'clip')} of {_count(most.groups, 'recording')}, "
        f"at most {_count(most.runs, 'run')} a figure [95 %]",
        "",
        f"{ours[:11]:12}{'accuracy':>18}{'balanced':>10}{'agreement':>20}{'confidence':>20}",
    ]
    if labelled:
        lines.append(f"{'as captured':12}{_spanned(source['top1']):>18}{source['balanced'].value:10.2f}")
    for channel in channels:
        found = {m: figures.get((channel, ours, None, m)) for m in MEASURES}
        balanced = found["balanced"]
        lines.append(
            f"{channel[:11]:12}{_spanned(found['top1']):>18}"
            + (f"{balanced.value:10.2f}" if balanced else f"{'-':>10}")
            + f"{_spanned(found['agreement']):>20}{_spanned(found['confidence']):>20}"
        )
    if most.groups < _ENOUGH:
        lines.append("So few recordings make intervals too narrow: take these as a first look.")
    if len(schemes) == 1:
        return "\n".join(lines)
    first = "accuracy" if labelled else "agreement"
    lines += [
        "",
        f"{'Accuracy / agreement' if labelled else 'Agreement'}; + ours is surely better, - surely worse ({first})",
    ]
    per_table = (WIDTH - _NAME) // _COLUMN
    for start in range(0, len(channels), per_table):
        part = channels[start : start + per_table]
        lines.append(f"{'loss':{_NAME}}" + "".join(f"{c[: _COLUMN - 2]:>{_COLUMN - 1}} " for c in part))
        for scheme in schemes:
            cells = [_pair(figures, c, ours, scheme, labelled) for c in part]
            lines.append(f"{scheme[: _NAME - 1]:{_NAME}}" + "".join(f"{c:>{_COLUMN}}" for c in cells))
    return "\n".join(line.rstrip() for line in lines)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _spanned(figure: TaskFigure | None) -> str:
    return "-" if figure is None else f"{figure.value:.2f} [{figure.low:.2f} {figure.high:.2f}]"


def _pair(figures: Figures, channel: str, ours: str, scheme: str, labelled: bool) -> str:
    """As in ".85/.80+"."""
    measures = ("top1", "agreement") if labelled else ("agreement",)
    found = [figures.get((channel, scheme, None, m)) for m in measures]
    if all(f is None for f in found):
        return "- "
    gap = figures.get((channel, ours, scheme, measures[0]))
    mark = " " if gap is None or gap.low <= 0 <= gap.high else "+" if gap.low > 0 else "-"
    return "/".join("-" if f is None else _share(f.value) for f in found) + mark


def _share(value: float) -> str:
    """Two digits, and 1 for all."""
    return "1" if value > 0.995 else f"{value:.2f}"[1:]
