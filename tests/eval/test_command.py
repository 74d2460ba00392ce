"""`run_eval` from end to end with a toy codec: files, cache, workers, plain-word errors."""

import io
import json

import pytest
import toy_scheme
from t4vcodec.errors import T4VError
from t4vcodec.eval import sweep
from t4vcodec.eval.command import run_eval
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.records import read_results
from t4vcodec.media.writers import open_writer
from toy_scheme import ToyScheme, moving_clip

PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A folder of two short files."""
    folder = tmp_path_factory.mktemp("clips")
    for i, name in enumerate(("one", "two")):
        clip = moving_clip(name, frames=6, seed=i)
        first = clip.frames[0]
        with open_writer(folder / f"{name}.y4m", first.width, first.height, clip.fps, first.colour) as writer:
            for frame in clip.frames:
                writer.write(frame)
    return folder


def evaluate(folder, out, **settings):
    lines = []
    settings = {"losses": "0.3,ge:0.3:2", "kbps": (100,), "seeds": 2, "frames": 6} | settings
    settings = {"echo": lines.append} | settings
    path = run_eval(data=str(folder), out=out, scheme=ToyScheme(), **settings)
    return path, lines


def figures(path):
    """Everything of the records but clock times."""
    times = ("encode_fps", "decode_fps")
    records = json.loads(path.read_text())["records"]
    return [{k: v for k, v in record.items() if k not in times} for record in records]


@pytest.fixture(scope="module")
def measured(clips, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return out, *evaluate(clips, out)


def test_writes_results_and_pictures(measured):
    out, path, lines = measured
    results = read_results(path)
    assert [c.name for c in results.clips] == ["one", "two"]
    assert {r.channel for r in results.records} == {"0", "0.3", "ge:0.3:2"}
    assert {r.scheme for r in results.records} >= {"t4v-toy"}
    # Two clips; no loss once, two lossy channels with two seeds.
    assert sum(r.scheme == "t4v-toy" for r in results.records) == 2 * (1 + 2 * 2)
    for record in results.records:
        assert record.kbps_sent == pytest.approx(record.total_bytes * 8 / 1000 / (6 / 25), abs=0.01)
        assert len(record.ssim_frames) == record.frames == 6
    for name in ("quality-loss.png", "quality-time.png", "strip.png"):
        assert (out / name).read_bytes().startswith(PNG)
    assert "--loss 0,0.3,ge:0.3:2 --kbps 100" in results.command
    text = "\n".join(lines)
    assert "difference" in text
    assert " left)" in text
    assert all(len(line) <= 80 for block in lines[2:-1] for line in block.splitlines() if "/" not in line)


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
    path, lines = evaluate(clips, out)
    assert figures(path) == before
    assert " left)" not in "\n".join(lines)


def test_an_interrupted_run_goes_on(clips, tmp_path, measured):
    class Interrupt(Exception):
        pass

    def stop(line):
        if line.strip().startswith("1/"):
            raise Interrupt

    with pytest.raises(Interrupt):
        evaluate(clips, tmp_path, echo=stop)
    assert not (tmp_path / "results.json").exists()
    path, _ = evaluate(clips, tmp_path)
    assert figures(path) == figures(measured[1])


def test_workers_give_the_same_figures(clips, tmp_path, measured):
    assert toy_scheme.__name__ == "toy_scheme"  # importable by that name in another process
    path, lines = evaluate(clips, tmp_path, workers=2)
    assert figures(path) == figures(measured[1])
    assert any("10/10" in line for line in lines)


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
    ],
)
def test_bad_settings_are_told_in_a_line(clips, tmp_path, settings):
    with pytest.raises(T4VError) as error:
        evaluate(clips, tmp_path / "out", **settings)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


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
    clock = sweep._Clock(60, lambda line: print(line, file=out))
    for computed in (True, True, False, True):
        clock.step("clip", computed)
    lines = out.getvalue().splitlines()
    assert lines == [
        "    1/60  clip  (10 min left)",
        "    3/60  clip  (10 min left)",
        "    4/60  clip  (93 min left)",
    ]
