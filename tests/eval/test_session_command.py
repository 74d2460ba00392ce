"""`run_sessions` from end to end at toy size: files, tables, comparisons, cache, plain-word errors."""

import json
from dataclasses import replace

import pytest
from t4vcodec.errors import T4VError
from t4vcodec.eval import session_command
from t4vcodec.eval.records import read_results
from t4vcodec.eval.session_command import SETTINGS, conditions_of, run_sessions
from t4vcodec.eval.session_opponents import Variant
from t4vcodec.eval.session_tables import BEST, by_condition, format_sessions
from t4vcodec.media.writers import open_writer
from toy_scheme import moving_clip


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for i, name in enumerate(("one", "two")):
        clip = moving_clip(name, frames=6, seed=i)
        first = clip.frames[0]
        with open_writer(folder / f"{name}.y4m", first.width, first.height, clip.fps, first.colour) as writer:
            for frame in clip.frames:
                writer.write(frame)
    return folder


def evaluate(clips, out, **settings):
    lines = []
    known = {"losses": "0.3", "kbps": (60,), "rtts": (50, 100), "frames": 6, "echo": lines.append}
    path = run_sessions(str(clips), out=out, **known | settings)
    return path, lines


@pytest.fixture(scope="module")
def measured(clips, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_command, "VARIANTS", (Variant("nack"), Variant("udp", keys=True)))
        yield out, *evaluate(clips, out)


def test_results_are_records_of_sessions(measured):
    _, path, _ = measured
    results = read_results(path)
    assert {r.regime for r in results.records} == {"sessions"}
    assert {(r.config["rtt"], r.config["deadline"]) for r in results.records} == {(50, 200), (100, 200)}
    ours = [r for r in results.records if r.scheme == "t4v"]
    assert len(ours) == 2 * 2 * 2
    assert [c.name for c in results.clips] == ["one", "two"]
    assert "--regime sessions" in results.command
    assert "--loss 0,0.3 --kbps 60 --rtt 50,100 --deadline 200" in results.command


def test_comparisons_are_made_within_a_condition(measured):
    results = read_results(measured[1])
    regimes = {d.regime for d in results.summary}
    assert regimes == {"sessions, RTT 50 ms, deadline 200 ms", "sessions, RTT 100 ms, deadline 200 ms"}
    best = [d for d in results.summary if d.against == BEST]
    assert best
    for difference in best:
        single = [
            d.difference
            for d in results.summary
            if (d.regime, d.channel, d.measure) == (difference.regime, difference.channel, "ssim_db")
            and d.against.startswith("x264 medium")
            and d.clips == difference.clips
        ]
        assert all(difference.difference <= value + 1e-9 for value in single)


def test_tables_fit_a_terminal(measured):
    out, path, lines = measured
    text = format_sessions(read_results(path))
    assert text in "\n".join(lines)
    assert (out / "tables.txt").read_text() == text + "\n"
    assert max(map(len, text.splitlines())) <= 80
    assert "Sessions: RTT 50 ms, deadline 200 ms; clips: 2, seeds: 1, frames: 6." in text
    assert "ours - best opponent of each run" in text
    assert "x264 medium nack" in text


def test_each_condition_has_a_report(measured):
    out, _, lines = measured
    first, second = ((out / f"report-{number}.html").read_text() for number in (1, 2))
    assert "sessions, RTT 50 ms, deadline 200 ms" in first
    assert "RTT 100 ms" in second
    assert "RTT 50 ms" not in second.replace(read_results(out / "results.json").command, "")
    assert "report-2.html" in lines[-1]


def test_tables_mark_medians_that_lack_runs(measured):
    results = read_results(measured[1])
    first = next(r for r in results.records if r.scheme == "x264 medium nack" and r.channel == "0.3")
    fewer = replace(results, records=[r for r in results.records if r != first])
    assert "not comparable" in format_sessions(fewer)


def test_a_second_run_computes_nothing_and_gives_the_same(measured, clips, monkeypatch):
    out, path, _ = measured
    before = json.loads(path.read_text())["records"]
    monkeypatch.setattr(session_command, "VARIANTS", (Variant("nack"), Variant("udp", keys=True)))
    monkeypatch.setattr("t4vcodec.eval.session_run.measure_ours", None)
    monkeypatch.setattr("t4vcodec.eval.session_search.carry", None)
    evaluate(clips, out)
    assert json.loads(path.read_text())["records"] == before


def test_ours_alone_with_reports_after_frames(clips, tmp_path):
    path, _ = evaluate(clips, tmp_path, baselines=("none",), report_delays=(4,), losses="0")
    results = read_results(path)
    assert {r.scheme for r in results.records} == {"t4v"}
    assert list(by_condition(results.records)) == ["reports after 4 frames, deadline 200 ms"]
    assert "--report-delay 4" in results.command
    assert "--rtt" not in results.command
    assert BEST not in format_sessions(results)


@pytest.mark.parametrize(
    "settings",
    [
        {"rtts": ()},
        {"deadlines": ()},
        {"deadlines": (20,)},
        {"rtts": (-1,)},
        {"kbps": (0,)},
        {"seeds": 0},
        {"baselines": ("h266",)},
        {"losses": "2"},
    ],
)
def test_bad_settings_are_refused_in_words(clips, tmp_path, settings):
    with pytest.raises(T4VError):
        evaluate(clips, tmp_path, **settings)


def test_each_round_trip_meets_each_deadline():
    names = [condition.name for condition in conditions_of((50, 100), (100, 200), ())]
    assert len(set(names)) == 4


def test_every_standard_codec_has_settings_of_its_own():
    assert all(s.codec == name for name, some in SETTINGS.items() for s in some)
