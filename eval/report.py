"""One HTML file that says how ours compares, and opens anywhere without a network.

>>> import tempfile
>>> from t4vcodec.eval.report import write_report  # doctest: +SKIP
>>> write_report(read_results(Path("results/results.json")), Path("results/report.html"))  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t4vcodec.eval.cache import write_atomically
from t4vcodec.eval.curves import Means
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.exhibits import FILE_NAME, Exhibit, embed, load_exhibits
from t4vcodec.eval.records import Results, read_results
from t4vcodec.eval.report_charts import (
    drawn_schemes,
    interval_charts,
    legend,
    loss_charts,
    rate_charts,
    time_charts,
)
from t4vcodec.eval.report_conditions import conditions, digest_of, left_out, setting_table, time_table
from t4vcodec.eval.report_tables import (
    MEASURE_NAMES,
    Comparison,
    channel_table,
    choice_table,
    clip_table,
    cost_table,
    quality_table,
    rate_tables,
)
from t4vcodec.eval.scheme_labels import channel_label, in_order, label_of
from t4vcodec.eval.summary import REFERENCE, channels_of, is_independent, is_ours, was_looked_at
from t4vcodec.eval.task_report import task_sections

if TYPE_CHECKING:
    from jinja2 import Environment

REPORT_NAME = "report.html"
LARGEST = 10_000_000
"""Bytes that a report may have."""


def report_folder(folder: Path) -> Path:
    """Makes the report of a folder that holds results.json (and exhibits.npz, if any) again; its path.

    Raises `EvalError`.
    """
    folder = Path(folder)
    results = read_results(folder / "results.json")
    path = folder / REPORT_NAME
    write_report(results, path, load_exhibits(folder / FILE_NAME))
    return path


def write_report(results: Results, path: Path, exhibits: Sequence[Exhibit] = ()) -> None:
    """Writes the report in one step. Raises `EvalError` where there is nothing to report or it can't be written."""
    data = render_report(results, exhibits).encode()
    if len(data) > LARGEST:
        raise EvalError(
            f"the report would have {len(data)} bytes, over {LARGEST}: show fewer clips or schemes"
        )
    write_atomically(Path(path), lambda file: file.write(data))


def render_report(results: Results, exhibits: Sequence[Exhibit] = ()) -> str:
    """The report as HTML."""
    if not any(is_ours(r) for r in results.records):
        raise EvalError("the results hold no record of t4v: nothing to report")
    return _templates().get_template("report.html.j2").render(_content(results, exhibits))


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    folder = files("t4vcodec.eval") / "templates"
    return Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,  # clip names, commands and settings are whatever a file says
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _content(results: Results, exhibits: Sequence[Exhibit]) -> dict[str, Any]:
    """Everything that the template shows."""
    records, clips = results.records, results.clips
    channels = channels_of(records)
    whole = Comparison(records)
    unseen = [c.name for c in clips if not was_looked_at(c.name)]
    fair = [r for r in records if r.clip in unseen]
    apart = Comparison(fair) if len(unseen) < len(clips) and any(map(is_ours, fair)) else None
    means = {m: Means.of(records, m) for m in whole.measures or ["ssim_db", "psnr_y"]}
    alone = {
        c.name: Comparison([r for r in records if r.clip == c.name], whole.headline)
        for c in clips
        if any(r.clip == c.name and is_ours(r) for r in records)
    }
    ssim = means["ssim_db"]
    # Rate curves lie close together: only those that the headline is about.
    in_front = [s for s in ssim.schemes if s in (whole.ours, *whole.headline, "capacity", REFERENCE)]
    time = time_charts(records, whole)
    return {
        "results": results,
        "clips": clips,
        "records": len(records),
        "digest": digest_of(results),
        "headline": [
            (MEASURE_NAMES[m], whole.table(m, whole.named), whole.verdicts(m)) for m in whole.measures
        ],
        "single": [(MEASURE_NAMES[m], whole.table(m, whole.single)) for m in whole.measures if whole.single],
        "unseen": unseen,
        "apart": [(MEASURE_NAMES[m], apart.table(m, apart.named)) for m in apart.measures] if apart else [],
        "intervals": interval_charts(whole, "ssim_db"),
        "legend": legend(drawn_schemes(ssim)),
        "loss_charts": [(MEASURE_NAMES[m], loss_charts(means[m])) for m in ("ssim_db", "psnr_y")],
        "rate_charts": [(MEASURE_NAMES[m], rate_charts(means[m], in_front)) for m in ("ssim_db", "psnr_y")],
        "rate_legend": legend(in_front),
        "rate_tables": rate_tables(records, whole),
        "time": time,
        "time_legend": legend(time.schemes) if time else [],
        "quality": quality_table(records, means, channels),
        "costs": cost_table(records),
        "choices": choice_table(records, channels),
        "by_clip": clip_table(alone.__getitem__, [c for c in clips if c.name in alone], whole),
        "by_clip_against": [label_of(s).name for s in whole.headline],
        "conditions": conditions(results),
        "settings": setting_table(records),
        "channels": channel_table(records, channels),
        "times": time_table(results),
        "left_out": left_out(results),
        "gallery": _gallery(exhibits) if exhibits else None,
        "recognition": task_sections(results),
    }


def _gallery(exhibits: Sequence[Exhibit]) -> dict[str, Any]:
    """What the page's script plays, and what it shows without a script."""
    embedded = embed(exhibits)
    clips = []
    for name in dict.fromkeys(e.clip for e in exhibits):
        mine = [(e, numbers) for e, numbers in zip(exhibits, embedded.numbers) if e.clip == name]
        channels = _by_loss({e.channel for e, _ in mine if not e.is_source})
        first = mine[0][0]
        clips.append(
            {
                "name": name,
                "fps": first.fps / embedded.every,
                "first": first.first,
                "every": embedded.every,
                "count": min(len(numbers) for _, numbers in mine),
                "channels": [{"id": c, "label": channel_label(c)} for c in channels],
                "schemes": [
                    {"id": s, "label": label_of(s).name, "shown": _shown(s, mine, embedded.every)}
                    for s in _panels(mine)
                ],
            }
        )
    clips = [clip for clip in clips if clip["channels"]]
    return {
        "clips": clips,
        "pictures": embedded.uris,
        "start": [_middle([c["id"] for c in clip["channels"]]) for clip in clips],
        "quality": embedded.quality,
        "scale": embedded.scale,
        "every": embedded.every,
    }


def _panels(mine: Sequence[tuple[Exhibit, list[int]]]) -> list[str]:
    """Source first, then ours, then opponents."""
    schemes = {e.scheme for e, _ in mine}
    source = [e.scheme for e, _ in mine if e.is_source][:1]
    return [*source, *in_order(schemes - set(source))]


def _shown(scheme: str, mine: Sequence[tuple[Exhibit, list[int]]], every: int) -> dict[str, Any]:
    """By channel ("" for the source, which no channel touches): pictures, and what is known of each frame."""
    return {
        "" if e.is_source else e.channel: {
            "pictures": numbers,
            "note": e.note,
            "ssim": [round(v, 4) for v in e.ssim[::every]],
            "losses": e.losses[::every],
        }
        for e, numbers in mine
        if e.scheme == scheme
    }


def _by_loss(channels: set[str]) -> list[str]:
    return sorted(channels, key=lambda c: (0, float(c), "") if is_independent(c) else (1, 0.0, c))


def _middle(channels: Sequence[str]) -> int:
    """Where the slider starts: at about 30 %."""
    near = [abs(float(c) - 0.3) if is_independent(c) else 1.0 for c in channels]
    return near.index(min(near))
