"""Pictures of a report: kept, read again, compressed to a budget."""

import base64
import io
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from synthetic_results import synthetic_exhibits
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.exhibits import Exhibit, Take, embed, load_exhibits, save_exhibits, small_picture
from t4vcodec.media.frames import Frame


@pytest.fixture(scope="module")
def exhibits():
    return synthetic_exhibits(clips=("foreman-cif-00",), frames=4)


def test_round_trip(exhibits, tmp_path):
    path = tmp_path / "exhibits.npz"
    save_exhibits(path, exhibits)
    back = load_exhibits(path)
    assert len(back) == len(exhibits)
    for a, b in zip(exhibits, back):
        assert replace(a, frames=b.frames).__dict__ == b.__dict__
        assert a.frames.shape == b.frames.shape
        error = a.frames.astype(float) - b.frames
        assert np.sqrt((error**2).mean()) < 6
    assert path.stat().st_size < sum(e.frames.nbytes for e in exhibits) / 4


def test_nothing_kept_is_no_error_and_damage_is(exhibits, tmp_path):
    path = tmp_path / "exhibits.npz"
    assert load_exhibits(path) == []
    save_exhibits(path, [])
    assert load_exhibits(path) == []
    save_exhibits(path, exhibits[:2])
    whole = path.read_bytes()
    for damaged in (b"", b"no zip", whole[: len(whole) // 2], whole.replace(b'"version"', b'"verzion"')):
        path.write_bytes(damaged)
        with pytest.raises(EvalError, match=r"exhibits\.npz"):
            load_exhibits(path)


def test_another_version_is_refused_in_words(tmp_path):
    path = tmp_path / "exhibits.npz"
    text = b'{"version": 2, "exhibits": []}'
    empty = np.zeros(0, np.int64)
    np.savez(path, facts=np.frombuffer(text, np.uint8), data=empty.astype(np.uint8), ends=empty)
    with pytest.raises(EvalError, match="version 2"):
        load_exhibits(path)


@pytest.mark.parametrize(
    "frames", [np.zeros((2, 4, 4), np.uint8), np.zeros((0, 4, 4, 3), np.uint8), np.zeros((1, 4, 4, 3))]
)
def test_other_shapes_are_refused(frames):
    with pytest.raises(EvalError, match="expected"):
        Exhibit("a", "0", "t4v", frames)


def test_facts_of_each_frame_must_match(exhibits):
    with pytest.raises(EvalError, match="ssim"):
        replace(exhibits[0], ssim=(1.0,))


def test_pictures_are_embedded_once_each(exhibits):
    found = embed(exhibits)
    assert [len(numbers) for numbers in found.numbers] == [4] * len(exhibits)
    stuck = found.numbers[[e.scheme for e in exhibits].index("x264") + 4]
    assert len(set(stuck)) == 1
    assert (found.scale, found.every) == (1, 1)
    head, data = found.uris[0].split(",")
    assert head == "data:image/webp;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (96, 72)


def test_less_room_makes_pictures_smaller_then_fewer(exhibits):
    whole = embed(exhibits)
    sizes = [sum(map(len, whole.uris))]
    for part in (0.6, 0.3, 0.12):
        found = embed(exhibits, int(part * sizes[0]))
        sizes.append(sum(map(len, found.uris)))
        assert sizes[-1] <= part * sizes[0]
    assert all(a > b for a, b in pairwise(sizes))
    assert found.every > 1
    with pytest.raises(EvalError, match="fewer clips or frames"):
        embed(exhibits, 100)


def test_wide_frames_become_small():
    y = np.full((120, 704), 100, np.uint8)
    c = np.full((60, 352), 128, np.uint8)
    assert small_picture(Frame(y, c, c, 0.0)).shape == (60, 352, 3)
    assert small_picture(Frame(y, c, c, 0.0), 1000).shape == (120, 704, 3)


def test_a_take_is_of_the_frames_asked_for():
    y = np.full((16, 32), 100, np.uint8)
    c = np.full((8, 16), 128, np.uint8)
    take = Take(2, 3)
    for number in range(10):
        take(number, Frame(y + number, c, c, 0.0))
    found = take.exhibit("a", "0.3", "t4v", 25, note="n", ssim=(0.9, 0.8, 0.7))
    assert (found.first, found.fps, found.note, found.frames.shape) == (2, 25, "n", (3, 16, 32, 3))
    assert (np.diff(found.frames[:, 0, 0, 1].astype(int)) == 1).all()
    with pytest.raises(EvalError, match="no frame 50"):
        Take(50, 2).exhibit("a", "0", "t4v", 25)
