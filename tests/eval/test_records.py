"""results.json: round trip, what is forgiven and what is not; the cache beside it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from t4vcodec.eval.cache import Cache, content_key, version_of
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.records import (
    ClipFacts,
    Delay,
    Difference,
    Quality,
    Record,
    Results,
    read_results,
    write_results,
)

RECORD = Record(
    clip="a",
    scheme="t4v",
    codec="t4v",
    preset="default",
    protection="none",
    redundancy=0.0,
    block=1,
    regime="one-way",
    kbps_target=600.0,
    channel="0.3",
    loss=0.3,
    seed=0,
    config={"resilience": 0.15},
    kbps_sent=598.0,
    bytes_media=1000,
    bytes_protection=0,
    bytes_headers=400,
    packets_sent=10,
    packets_lost=3,
    frames=5,
    frames_damaged=2,
    frames_frozen=0,
    psnr_y=30.0,
    psnr_yuv=31.0,
    ssim_y=0.9,
    ssim_db=10.0,
    ssim_db_p10=9.0,
    vmaf=None,
    delay_ms=Delay(),
    encode_fps=20.0,
    decode_fps=40.0,
    tasks={},
    reference=Quality(12.0, 33.0),
    ssim_frames=[0.9] * 5,
)
RESULTS = Results(
    schema=1,
    created="2026-11-01T00:00:00+00:00",
    command="t4vcodec eval",
    versions={"t4vcodec": "0.1.0"},
    machine={"cores": 2},
    settings={"seeds": 1},
    clips=[ClipFacts("a", "a.mp4", 352, 288, 25.0, 5, "00")],
    records=[RECORD],
    summary=[
        Difference("one-way", "0.3", 0.3, "t4v", "x264-reference", "ssim_db", -2.0, -2.5, -1.5, 1, 1),
    ],
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "results.json"
    write_results(path, RESULTS)
    return path


def change(path, edit):
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))


def test_round_trip(path):
    assert read_results(path) == RESULTS
    assert read_results(path).records[0].total_bytes == 1400


def test_unknown_fields_are_ignored(path):
    def edit(data):
        data["novel"] = 1
        data["records"][0]["novel"] = {"a": 1}
        data["records"][0]["delay_ms"]["novel"] = 1
        data["clips"][0]["novel"] = 1

    change(path, edit)
    assert read_results(path) == RESULTS


def test_fields_beyond_the_schema_may_be_missing(path):
    def edit(data):
        for name in ("reference", "ssim_frames", "psnr_frames", "psnr_y_p10"):
            del data["records"][0][name]

    change(path, edit)
    assert read_results(path).records == [replace(RECORD, reference=None, ssim_frames=None)]


@pytest.mark.parametrize("name", ["clip", "ssim_db", "tasks", "bytes_headers"])
def test_missing_fields_are_named(path, name):
    change(path, lambda data: data["records"][0].pop(name))
    with pytest.raises(EvalError, match=rf"records\[0\].*{name}"):
        read_results(path)


def test_missing_top_level_fields_are_named(path):
    change(path, lambda data: data.pop("machine"))
    with pytest.raises(EvalError, match="machine"):
        read_results(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"schema": 2}', '{"schema": "1"}'])
def test_other_files_are_refused_in_words(path, text):
    path.write_text(text)
    with pytest.raises(EvalError) as error:
        read_results(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"), [("records", 5), ("records", [5]), ("clips", {}), ("summary", [[]])]
)
def test_wrong_shapes_are_refused(path, name, value):
    change(path, lambda data: data.update({name: value}))
    with pytest.raises(EvalError, match=name):
        read_results(path)


def test_missing_file(tmp_path):
    with pytest.raises(EvalError, match="No such file"):
        read_results(tmp_path / "nothing.json")


def test_what_cannot_be_written_leaves_no_file(tmp_path):
    path = tmp_path / "results.json"
    with pytest.raises(ValueError, match="JSON"):
        write_results(path, replace(RESULTS, records=[replace(RECORD, ssim_db=float("nan"))]))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "folder").mkdir()
    with pytest.raises(EvalError, match="cannot write"):
        write_results(tmp_path / "folder", RESULTS)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_cache(tmp_path):
    cache = Cache(tmp_path / "cache")
    key = content_key(a=1, b=[1, 2])
    assert key == content_key(b=[1, 2], a=1)
    assert key != content_key(a=2, b=[1, 2])
    assert cache.get(key) is None
    assert cache.get_array(key) is None
    cache.put(key, {"x": 1})
    cache.put_array(key, np.arange(6).reshape(2, 3))
    assert cache.get(key) == {"x": 1}
    assert (cache.get_array(key) == np.arange(6).reshape(2, 3)).all()
    for file in (tmp_path / "cache").rglob("*.*"):
        file.write_bytes(file.read_bytes()[:3])
    assert cache.get(key) is None
    assert cache.get_array(key) is None


def test_versions_follow_the_code():
    assert version_of("network") == version_of("network")
    assert version_of("network") != version_of("network", "eval/metrics.py")
