"""`t4vcodec study importance`: whether saliency and first order say what lost packets cost.

importance.json   settings, summary, the clips
records.jsonl     one line a clip: every packet's true influence and what each measure thought of it
spearman.png      rank correlation of each measure with the truth
scatter.png       the same, packet by packet
sets.png          pairs and runs against the sum of singles
protected.png     answers when some packets are never lost
period.png        the recognizer's picks in the saliency, and their removal
heat-*.png, .mp4  heat maps over the most sensitive clips
parts/            what was measured, for a study that goes on
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from t4vcodec import __version__
from t4vcodec.eval.cache import write_atomically
from t4vcodec.importance import validation_figures as figures
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.overlay import heat_maps, write_sheet, write_video
from t4vcodec.importance.saliency import averaged_gradient, period, picture_fields, shown_fields
from t4vcodec.importance.validation import Sent, Settings, study_clips
from t4vcodec.importance.validation_summary import summarise
from t4vcodec.recognition.datasets import ActionSet
from t4vcodec.recognition.network import WINDOWS
from t4vcodec.recognition.recognizer import Recognizer

_HEAD = ("clip", "label", "group", "recognizer", "wanted", "right", "packets", "sensitive", "turned", "score")


def study_importance(
    pairs: Sequence[tuple[ActionSet, Recognizer]],
    settings: Settings,
    out: Path,
    overlays: int = 1,
    echo: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Study clips of each set with the recognizer beside it; see the module for what is written.

    overlays: clips that heat maps are made of. Returns what importance.json holds. Raises ImportanceError where no
    clip is left, RecognitionError for classes that a recognizer does not know.
    """
    records = list(study_clips(pairs, settings, out / "parts", echo))
    if not records:
        raise ImportanceError("no clip is left to study: see what was left out")
    summary = summarise(records)
    result = {
        "version": __version__,
        "settings": asdict(settings),
        "summary": summary,
        "clips": [{name: record[name] for name in _HEAD} for record in records],
    }
    lines = "".join(json.dumps(record) + "\n" for record in records)
    write_atomically(out / "records.jsonl", lambda file: file.write(lines.encode()))
    write_atomically(out / "importance.json", lambda file: file.write(json.dumps(result, indent=1).encode()))
    figures.correlation_figure(summary, out / "spearman.png")
    figures.scatter_figure(records, out / "scatter.png")
    if any("whole" in record for record in records):
        figures.sets_figure(records, out / "sets.png")
        figures.protection_figure(summary, out / "protected.png")
        figures.period_figure(records, summary, out / "period.png")
    for record in records[:overlays]:
        _overlay(record["clip"], pairs, settings, out)
    echo(f"Wrote {out / 'importance.json'}, records.jsonl and figures: {len(records)} clips")
    return result


def _overlay(name: str, pairs: Sequence[tuple[ActionSet, Recognizer]], settings: Settings, out: Path) -> None:
    clip, recognizer = next((c, r) for clips, r in pairs for c in clips.clips if c.name == name)
    sent = Sent(clip, recognizer, settings.point)
    played = sent.measure.shown(sent.video.everything)
    pictures = sent.video.rgb(played)
    through = heat_maps(sent.video, played, picture_fields(sent.video, played, sent.trace), "l2")
    mean = averaged_gradient(sent.target, pictures, period(sent.video.fps, WINDOWS.fps))
    averaged = replace(sent.trace, shown=tuple(map(torch.from_numpy, mean)))
    alone = heat_maps(sent.video, played, shown_fields(sent.video, played, averaged), "l2")
    stem = f"heat-{Path(name.replace('/', '-').replace(':', '-')).stem}"
    write_sheet(out / f"{stem}.png", pictures, [through, alone])
    write_video(out / f"{stem}.mp4", pictures, alone, sent.video.setup.fps)
