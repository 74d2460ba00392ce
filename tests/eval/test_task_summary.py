"""From answers to figures: panels, pairs, intervals over recordings, tables and the report's section."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_results import CLIPS, synthetic_results
from t4vcodec.eval.records import read_results, write_results
from t4vcodec.eval.report import render_report
from t4vcodec.eval.task_report import task_sections
from t4vcodec.eval.task_summary import panels_of, summarise_tasks, task_means
from t4vcodec.eval.task_tables import task_tables

SCHEMES = ("t4v", "fec-sound-0", "x264")
LABELS = ("kick", "push")
NAMES = list(CLIPS)


def said(name, label, right, agrees, confidence):
    return {
        "recognizer": name,
        "label": label,
        "first": label if right else "other",
        "top1": right,
        "agreement": agrees,
        "confidence": confidence,
        "scores": [-0.1, -2.0],
    }


def with_answers(results, recognizer_of, right):
    """right(scheme, clip, channel, seed): whether the answer is right; clips are right as captured."""
    labels = {clip: LABELS[n % 2] for n, clip in enumerate(NAMES)}
    clips, records = [], []
    for clip in results.clips:
        tasks = {name: said(name, labels[clip.name], True, True, 0.9) for name in recognizer_of(clip.name)}
        clips.append(
            replace(clip, label=labels[clip.name], group=f"g{NAMES.index(clip.name) // 2}", tasks=tasks)
        )
    for r in results.records:
        good = right(r.scheme, r.clip, r.channel, r.seed)
        answers = {
            n: said(n, labels[r.clip], good, good, 0.8 if good else 0.2) for n in recognizer_of(r.clip)
        }
        records.append(replace(r, tasks=answers))
    return replace(results, clips=clips, records=records, task_summary=summarise_tasks(clips, records))


def half(clip):
    """Two recognizers share the clips out, and two others do so again."""
    return ("a", "x") if NAMES.index(clip) < 3 else ("b", "y")


def fragile(scheme, clip, channel, seed):
    """Ours is always right; fec-sound-0 is wrong in bursts; x264 on one clip under loss."""
    if scheme == "fec-sound-0":
        return channel != "ge:0.3:5"
    return scheme == "t4v" or clip != NAMES[0] or channel == "0"


@pytest.fixture(scope="module")
def results():
    return with_answers(synthetic_results(seeds=2, frames=10, schemes=SCHEMES), half, fragile)


def test_recognizers_of_different_clips_stand_together(results):
    panels = panels_of(results.clips)
    assert [panel.name for panel in panels] == ["a + b", "x + y"]
    assert all(set(panel.clips) == set(NAMES) for panel in panels)
    everywhere = with_answers(results, lambda clip: ("a", "b"), fragile)
    assert [panel.name for panel in panels_of(everywhere.clips)] == ["a", "b"]
    assert panels_of(synthetic_results(seeds=1, frames=4, schemes=("t4v",)).clips) == []


def figure(results, scheme, channel, measure, against=None):
    (found,) = [
        f
        for f in results.task_summary
        if (f.recognizers, f.point, f.scheme, f.channel, f.measure, f.against)
        == ("a + b", 600.0, scheme, channel, measure, against)
    ]
    return found


def test_figures(results):
    ours = figure(results, "t4v", "0.3", "top1")
    assert (ours.value, ours.low, ours.high) == (1, 1, 1)
    assert (ours.clips, ours.groups, ours.runs) == (6, 3, 12)
    x264 = figure(results, "x264", "0.3", "top1")
    assert x264.value == pytest.approx(5 / 6, abs=1e-5)
    # The wrong clip is one of two in one of three recordings.
    assert (x264.low, x264.high) == (0.5, 1)
    balanced = figure(results, "x264", "0.3", "balanced")
    assert balanced.value == pytest.approx((2 / 3 + 1) / 2, abs=1e-5)
    assert balanced.low < balanced.value < balanced.high
    assert figure(results, "x264", "0.3", "confidence").value == pytest.approx((5 * 0.8 + 0.2) / 6, abs=1e-5)


def test_differences_are_paired(results):
    sure = figure(results, "t4v", "ge:0.3:5", "top1", "fec-sound-0")
    assert (sure.value, sure.low, sure.high) == (1, 1, 1)
    assert figure(results, "t4v", "0.3", "top1", "fec-sound-0").value == 0
    unsure = figure(results, "t4v", "0.3", "agreement", "x264")
    assert unsure.low == 0 < unsure.value
    lacking = [r for r in results.records if not (r.scheme == "x264" and r.clip == NAMES[0])]
    again = replace(results, task_summary=summarise_tasks(results.clips, lacking))
    assert figure(again, "t4v", "0.3", "top1", "x264").clips == 5
    assert figure(again, "t4v", "0.3", "top1", "x264").value == 0


def test_terminal_table(results):
    text = task_tables(results.clips, results.task_summary)
    assert text.count("Seen by a + b") == 3
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "6 clips of 3 recordings" in text
    assert "So few recordings" in text
    row = next(line for line in text.splitlines() if line.startswith("fec-sound-0"))
    assert row.split() == ["fec-sound-0", "1/1", "1/1", "1/1", "1/1", ".00/.00+"]
    assert task_tables([], []) == ""


def test_a_file_keeps_it(results, tmp_path):
    write_results(tmp_path / "results.json", results)
    again = read_results(tmp_path / "results.json")
    assert again.task_summary == results.task_summary
    assert again.clips == results.clips


def test_curves_hold_the_means_over_seeds(results):
    panel = panels_of(results.clips)[0]
    means = task_means(panel, results.records, "top1")
    assert means.schemes == list(SCHEMES)
    assert means.mean("x264", "0.3") == pytest.approx(np.mean([0, 1, 1, 1, 1, 1]))


def test_report_shows_accuracy_curves_and_turned_clips(results):
    first, second = task_sections(results)
    assert [name for name, _ in first.charts] == [
        *("Accuracy against loss", "Accuracy against rate"),
        *("Agreement against loss", "Agreement against rate"),
    ]
    assert first.turned.rows[0].head in NAMES
    assert any(
        "other, 2 of" in cell.small or "other, 6 of" in cell.small for cell in first.turned.rows[0].cells
    )
    page = render_report(results)
    assert page.count("<h3>a + b</h3>") == 1
    assert "Clips whose answer was turned" in page
    assert 'href="#recognition"' in page
    plain = synthetic_results(seeds=1, frames=4, schemes=("t4v",))
    assert 'id="recognition"' not in render_report(plain)


def test_report_without_labels_speaks_of_agreement(results):
    clips = [
        replace(
            c,
            label=None,
            tasks={k: {m: v for m, v in a.items() if m not in ("top1", "label")} for k, a in c.tasks.items()},
        )
        for c in results.clips
    ]
    records = [
        replace(
            r,
            tasks={k: {m: v for m, v in a.items() if m not in ("top1", "label")} for k, a in r.tasks.items()},
        )
        for r in results.records
    ]
    bare = replace(results, clips=clips, records=records, task_summary=summarise_tasks(clips, records))
    section = task_sections(bare)[0]
    assert "without labels" in section.source
    assert [name for name, _ in section.charts] == ["Agreement against loss", "Agreement against rate"]
    assert "without labels" in render_report(bare)
    text = task_tables(clips, bare.task_summary)
    assert "Agreement;" in text
    assert "as captured" not in text
