"""What the report says of recognition: figures, differences, curves, and the clips of which an answer turned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from t4vcodec.eval.charts import signed
from t4vcodec.eval.curves import point_of
from t4vcodec.eval.records import ClipFacts, Record, Results, TaskFigure
from t4vcodec.eval.report_charts import Chart, LegendEntry, drawn_schemes, legend, loss_charts, rate_charts
from t4vcodec.eval.report_tables import MEASURE_NAMES, NOTHING, Cell, Row, Table, kind_of
from t4vcodec.eval.scheme_labels import HEADLINE, SOURCE, channel_label, channel_note, in_order, label_of
from t4vcodec.eval.summary import UNPROTECTED, channels_of, is_ours
from t4vcodec.eval.task_summary import Panel, panels_of, summarise_tasks, task_means

_TURNED = 20
"""Clips shown at most."""


@dataclass(frozen=True)
class TaskSection:
    """Recognizers that look at different clips."""

    name: str
    source: str
    """What is said of the clips as captured."""
    figures: list[tuple[str, Table]]
    """By rate."""
    differences: list[tuple[str, Table]]
    charts: list[tuple[str, list[Chart]]]
    legend: list[LegendEntry]
    turned: Table | None
    left: int
    """Clips with turned answers that are not shown."""


def task_sections(results: Results) -> list[TaskSection]:
    """One for each panel of recognizers; none where nobody looked."""
    summary = results.task_summary or summarise_tasks(results.clips, results.records)
    return [_section(panel, results, summary) for panel in panels_of(results.clips)]


def _section(panel: Panel, results: Results, summary: Sequence[TaskFigure]) -> TaskSection:
    mine = [f for f in summary if f.recognizers == panel.name]
    source = {f.measure: f for f in mine if f.scheme == SOURCE}
    seen = [r for r in results.records if panel.answer(r) is not None]
    first = "top1" if "top1" in source else "agreement"
    means = task_means(panel, seen, first)
    charts = []
    for measure in dict.fromkeys((first, "agreement")):
        drawn, name = task_means(panel, seen, measure), MEASURE_NAMES[measure].capitalize()
        charts.append((f"{name} against loss", loss_charts(drawn)))
        charts.append((f"{name} against rate", rate_charts(drawn, drawn_schemes(drawn))))
    points = sorted({point_of(r) for r in seen})
    turned, left = _turned(panel, results.clips, seen)
    return TaskSection(
        name=panel.name,
        source=_as_captured(panel, source),
        figures=[(f"{p:g} kbit/s", _figure_table(mine, p)) for p in points],
        differences=[
            (f"{p:g} kbit/s", table) for p in points if (table := _difference_table(mine, p, first))
        ],
        charts=[(name, list_) for name, list_ in charts if list_],
        legend=legend(drawn_schemes(means)),
        turned=turned,
        left=left,
    )


def _as_captured(panel: Panel, source: dict[str, TaskFigure]) -> str:
    found = source.get("top1")
    if found is None:
        return f"{len(panel.clips)} clips without labels: only agreement with the answer to the clip as captured."
    return (
        f"{found.clips} clips of {found.groups} recordings; of the clips as captured {found.value:.3f} "
        f"[{found.low:.3f}, {found.high:.3f}] are named right, {source['balanced'].value:.3f} as a mean over "
        "classes."
    )


def _figure_table(mine: Sequence[TaskFigure], point: float) -> Table:
    """Accuracy with its interval; below it balanced accuracy, agreement and confidence."""
    here = {
        (f.scheme, f.channel, f.measure): f
        for f in mine
        if f.point == point and f.against is None and f.scheme != SOURCE
    }
    channels = list(dict.fromkeys(channel for _, channel, _ in here))
    rows = []
    for scheme in in_order({scheme for scheme, *_ in here}):
        cells = []
        for channel in channels:
            found = {
                m: here.get((scheme, channel, m)) for m in ("top1", "balanced", "agreement", "confidence")
            }
            cells.append(_figure_cell(found))
        rows.append(_row(scheme, cells))
    return Table("scheme / loss", *_heads(channels), rows)


def _figure_cell(found: dict[str, TaskFigure | None]) -> Cell:
    first = found["top1"] or found["agreement"]
    if first is None:
        return NOTHING
    names = {"balanced": "balanced", "agreement": "agreement", "confidence": "confidence"}
    rest = [f"{name} {found[m].value:.2f}" for m, name in names.items() if found[m] not in (None, first)]
    runs = f"{first.runs} run{'s' * (first.runs != 1)}"
    return Cell(f"{first.value:.3f}", f"[{first.low:.3f}, {first.high:.3f}]\n{' · '.join([*rest, runs])}")


def _difference_table(mine: Sequence[TaskFigure], point: float, measure: str) -> Table | None:
    """Ours minus each other scheme, paired."""
    here = {
        (f.against, f.channel): f for f in mine if f.point == point and f.against and f.measure == measure
    }
    if not here:
        return None
    channels = list(dict.fromkeys(channel for _, channel in here))
    rows = []
    for against in in_order({against for against, _ in here}):
        cells = []
        for channel in channels:
            f = here.get((against, channel))
            cells.append(
                NOTHING
                if f is None
                else Cell(
                    signed(f.value, ".3f"),
                    f"[{signed(f.low, '.3f')}, {signed(f.high, '.3f')}]",
                    kind_of(f.value, f.low, f.high),
                )
            )
        rows.append(_row(against, cells))
    return Table("ours minus … / loss", *_heads(channels), rows)


def _turned(panel: Panel, clips: Sequence[ClipFacts], seen: Sequence[Record]) -> tuple[Table | None, int]:
    """Clips whose answer ours or an opponent of the headline turned, most often turned first."""
    shown = [r for r in seen if is_ours(r) or r.scheme in (*HEADLINE, UNPROTECTED)]
    by_clip: dict[str, list[tuple[Record, dict[str, Any]]]] = {}
    for record in shown:
        answer = panel.answer(record)
        if not answer["agreement"]:
            by_clip.setdefault(record.clip, []).append((record, answer))
    if not by_clip:
        return None, 0
    channels = channels_of([r for turned in by_clip.values() for r, _ in turned])
    facts = {clip.name: clip for clip in clips}
    rows = []
    ranked = sorted(by_clip, key=lambda clip: (-len(by_clip[clip]), clip))
    for clip in ranked[:_TURNED]:
        clean = panel.answer(facts[clip])
        shows = f"shows {facts[clip].label}, " if facts[clip].label else ""
        note = f"{shows}as captured named {clean['first']} ({clean['confidence']:.2f})"
        cells = []
        for channel in channels:
            turned = [(r, a) for r, a in by_clip[clip] if r.channel == channel]
            runs = Counter(r.scheme for r in shown if r.clip == clip and r.channel == channel)
            lines = []
            for scheme in in_order({r.scheme for r, _ in turned}):
                answers = [a for r, a in turned if r.scheme == scheme]
                said = ", ".join(name for name, _ in Counter(a["first"] for a in answers).most_common())
                confidence = fmean(a["confidence"] for a in answers)
                lines.append(
                    f"{label_of(scheme).name}: {said}, {len(answers)} of {runs[scheme]} runs ({confidence:.2f})"
                )
            cells.append(Cell("", "\n".join(lines)) if lines else NOTHING)
        rows.append(Row(clip, note, cells))
    return Table("clip / loss", *_heads(channels), rows), max(0, len(ranked) - _TURNED)


def _row(scheme: str, cells: list[Cell]) -> Row:
    label = label_of(scheme)
    return Row(label.name, label.note, cells, scheme)


def _heads(channels: Sequence[str]) -> tuple[list[str], list[str]]:
    return [channel_label(c) for c in channels], [channel_note(c) for c in channels]
