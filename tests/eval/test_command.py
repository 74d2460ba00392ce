"""`run_eval` from end to end with a toy codec: files, opponents, cache, workers, kills, plain-word errors."""

import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import toy_scheme
from t4vcodec.errors import T4VError
from t4vcodec.eval import sweep
from t4vcodec.eval.cache import Cache
from t4vcodec.eval.command import run_eval
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.exhibits import load_exhibits
from t4vcodec.eval.profiles import PROFILES, Effort, Profile
from t4vcodec.eval.records import read_results
from t4vcodec.media.writers import open_writer
from t4vcodec.network.channels import parse_channel
from toy_scheme import ToyScheme, moving_clip

PNG = b"\x89PNG\r\n"
PROFILES["tiny"] = Profile("0.3,ge:0.3:2", (600.0,), 2, Effort(2, 2, 1, 1), (1.0,))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A folder of two short files."""
    folder = tmp_path_factory.mktemp("clips")
    for i, name in enumerate(("one", "two")):
        clip = moving_clip(name, frames=6, seed=i, fps=5)
        first = clip.frames[0]
        with open_writer(folder / f"{name}.y4m", first.width, first.height, clip.fps, first.colour) as writer:
            for frame in clip.frames:
                writer.write(frame)
    return folder


def evaluate(folder, out, **settings):
    lines = []
    settings = {"kbps": (100,), "frames": 6, "profile": "tiny", "baselines": ("none",)} | settings
    settings = {"echo": lines.append} | settings
    path = run_eval(data=str(folder), out=out, scheme=ToyScheme(), **settings)
    return path, lines


def figures(path):
    """Everything but dates, machine and clock times."""
    times = ("encode_fps", "decode_fps")
    results = json.loads(path.read_text())
    records = [{k: v for k, v in record.items() if k not in times} for record in results["records"]]
    return records, results["settings"], results["summary"], results["clips"]


@pytest.fixture(scope="module")
def measured(clips, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return out, *evaluate(clips, out, baselines=("x264",))


def test_writes_results_and_pictures(measured):
    out, path, lines = measured
    results = read_results(path)
    assert [c.name for c in results.clips] == ["one", "two"]
    assert {r.channel for r in results.records} == {"0", "0.3", "ge:0.3:2"}
    assert {r.scheme for r in results.records} >= {"t4v-toy"}
    # Two clips; no loss once, two lossy channels with two seeds.
    assert sum(r.scheme == "t4v-toy" for r in results.records) == 2 * (1 + 2 * 2)
    for record in results.records:
        assert record.kbps_sent == pytest.approx(record.total_bytes * 8 / 1000 / (6 / 5), abs=0.01)
        assert record.frames == 6
        assert record.ssim_frames is None or len(record.ssim_frames) == 6
    for name in ("quality-loss.png", "quality-time.png", "strip.png"):
        assert (out / name).read_bytes().startswith(PNG)
    assert "--loss 0,0.3,ge:0.3:2 --kbps 100" in results.command
    assert "--profile tiny --baselines x264 --redundancies 1" in results.command
    assert results.settings["search"]["decoded"] < results.settings["search"]["estimated"]
    report = (out / "report.html").read_text()
    assert "fec-sound, no added delay" in report
    assert {e.scheme for e in load_exhibits(out / "exhibits.npz")} == {
        *("source", "t4v-toy", "fec-sound-0", "fec-sound-3", "x264")
    }
    text = "\n".join(lines)
    assert "difference" in text
    assert " left)" in text
    assert "fec-sound-3" in text
    assert all(len(line) <= 80 for block in lines[2:-1] for line in block.splitlines() if "%  " not in line)


def test_every_scheme_sent_our_bytes_and_met_the_same_fates(measured):
    results = read_results(measured[1])
    ours = {(r.clip, r.channel, r.seed): r for r in results.records if r.scheme == "t4v-toy"}
    assert len({r.scheme for r in results.records}) == 8
    for record in results.records:
        assert record.total_bytes == pytest.approx(
            ours[record.clip, record.channel, record.seed].total_bytes, rel=0.02
        )
        fates = parse_channel(record.channel).fates(record.clip, record.seed)
        assert record.packets_lost == sum(itertools.islice(fates, record.packets_sent))


def test_x264_is_searched_to_our_bytes(measured):
    results = read_results(measured[1])
    ours = {(r.clip, r.channel, r.seed): r for r in results.records if r.scheme == "t4v-toy"}
    plain = [r for r in results.records if r.scheme == "x264"]
    assert len(plain) == len(ours)
    for record in plain:
        mine = ours[record.clip, record.channel, record.seed]
        assert record.total_bytes == pytest.approx(mine.total_bytes, rel=0.02)


def test_a_second_run_comes_from_the_cache_and_gives_the_same(clips, measured, monkeypatch):
    out, path, _ = measured
    before = figures(path)
    monkeypatch.setattr(ToyScheme, "stream", lambda *_: pytest.fail("encoded again"))
    path, lines = evaluate(clips, out, baselines=("x264",))
    assert figures(path) == before
    assert " left)" not in "\n".join(lines)


def test_a_run_that_is_interrupted_again_and_again(clips, tmp_path, measured, monkeypatch):
    """It dies at its 40th write into the cache, then at the 80th after that, and so on."""

    class Interrupt(Exception):
        pass

    put, writes, deaths = Cache.put, itertools.count(1), 0

    def dying_put(cache, key, value):
        if next(writes) % (40 * (deaths + 1)) == 0:
            raise Interrupt
        put(cache, key, value)

    monkeypatch.setattr(Cache, "put", dying_put)
    while True:
        try:
            path, _ = evaluate(clips, tmp_path, baselines=("x264",))
            break
        except Interrupt:
            deaths += 1
            assert not (tmp_path / "results.json").exists()
    assert deaths >= 2
    assert figures(path) == figures(measured[1])


def test_a_widened_run_computes_only_what_is_new(clips, tmp_path, monkeypatch):
    out = tmp_path
    evaluate(clips, out, losses="0.3", clips=1, seeds=1)
    streams, stream = [], ToyScheme.stream
    monkeypatch.setattr(ToyScheme, "stream", lambda *a: streams.append(a) or stream(*a))
    evaluate(clips, out, losses="0.3", clips=2, seeds=1)
    assert [clip.name for _, clip, _ in streams] == ["two"]


@pytest.mark.slow
def test_a_run_that_is_killed(clips, tmp_path, measured):
    """The command itself, by SIGKILL, at several moments; our own codec in front."""
    command = [
        sys.executable,
        "-m",
        "t4vcodec",
        "eval",
        "--data",
        str(clips),
        "--kbps",
        "100",
        "--frames",
        "6",
    ]
    command += ["--baselines", "x264", "--loss", "0.3", "--seeds", "1", "--workers", "1", "--clips", "1"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run([*command, "--out", whole], check=True, capture_output=True, timeout=600)
    for seconds in (6, 9, 12):
        process = subprocess.Popen([*command, "--out", killed], stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run([*command, "--out", killed], check=True, capture_output=True, timeout=600)
    assert figures(killed / "results.json") == figures(whole / "results.json")


def test_workers_give_the_same_figures(clips, tmp_path, measured):
    assert toy_scheme.__name__ == "toy_scheme"  # importable by that name in another process
    path, lines = evaluate(clips, tmp_path, workers=2, baselines=("x264",))
    assert figures(path) == figures(measured[1])
    # At most one line a second: which clip the first of them names is a matter of speed.
    assert any(" 100 kbit/s" in line and "%" in line for line in lines)


def test_number_of_clips_is_limited(clips, tmp_path):
    path, _ = evaluate(clips, tmp_path, clips=1, losses="0", seeds=1)
    assert [c.name for c in read_results(path).clips] == ["one"]


@pytest.mark.parametrize(
    "settings",
    [
        {"losses": "2"},
        {"losses": ""},
        {"kbps": ()},
        {"kbps": (-1,)},
        {"kbps": (float("nan"),)},
        {"seeds": 0},
        {"frames": 0},
        {"workers": 0},
        {"clips": 0},
        {"profile": "half"},
        {"baselines": ("x266",)},
        {"baselines": ("x264", "none")},
        {"baselines": ("x264",), "redundancies": (0.0,)},
        {"baselines": ("x264",), "redundancies": (100.0,)},
        {"baselines": ("x264",), "frames": 4},
        {"cluster": "tcp://127.0.0.1:9"},
    ],
)
def test_bad_settings_are_told_in_a_line(clips, tmp_path, settings, monkeypatch):
    monkeypatch.setattr("t4vcodec.eval.cluster._CONNECT_SECONDS", 1)
    with pytest.raises(T4VError) as error:
        evaluate(clips, tmp_path / "out", **settings)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out" / "results.json").exists()


def test_missing_data_and_unwritable_output(clips, tmp_path):
    with pytest.raises(T4VError):
        evaluate(tmp_path / "nothing", tmp_path / "out")
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(EvalError, match="cannot write"):
        evaluate(clips, file)


def test_two_sources_of_one_name(clips, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "one.y4m").write_bytes((clips / "one.y4m").read_bytes())
    (folder / "one.Y4M").write_bytes((clips / "two.y4m").read_bytes())
    with pytest.raises(EvalError, match="both called one"):
        evaluate(folder, tmp_path / "out", losses="0", seeds=1)


def test_progress_tells_the_time_left(monkeypatch):
    now = iter([0.0, 10.0, 10.5, 20.0, 300.0])
    monkeypatch.setattr(sweep.time, "monotonic", lambda: next(now))
    out = io.StringIO()
    clock = sweep.Clock(60, lambda line: print(line, file=out))
    for computed, share in ((True, 1), (True, 1), (False, 1), (True, 3)):
        clock.step("clip", computed, share)
    lines = out.getvalue().splitlines()
    assert lines == [
        "   2 %  clip  (10 min left)",
        "   5 %  clip  (10 min left)",
        "  10 %  clip  (54 min left)",
    ]
