"""Rendered clips: the same name gives the same bytes, and the truth is that of the picture."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from t4vcodec.media.frames import to_rgb
from t4vcodec.media.rendered import (
    ACTIONS,
    JOINTS,
    RenderedClip,
    RenderedError,
    clip_names,
    open_rendered,
    render,
    render_clip,
)
from t4vcodec.media.video import open_video

HEIGHT_OF = {name: i for i, name in enumerate(JOINTS)}


def _small(action: str, seed: int = 0, split: str = "train", frames: int = 12) -> RenderedClip:
    return render_clip(action, seed, split, 176, 144, 25, frames)


@pytest.fixture(scope="module")
def walk() -> RenderedClip:
    return render("builtin:val/walk-00")


def test_same_name_gives_same_bytes_in_any_order(walk: RenderedClip) -> None:
    again = render("builtin:val/walk-00")
    for index in (33, 0):
        first, second = walk.frame(index), again.frame(index)
        for name in ("y", "u", "v"):
            assert np.array_equal(getattr(first, name), getattr(second, name))


def test_frames_are_those_of_the_contract(walk: RenderedClip) -> None:
    frame = walk.frame(25)
    assert (frame.width, frame.height, frame.time) == (352, 288, 1.0)
    assert len(walk) == 60
    assert 16 <= frame.y.min() < 60 < 150 < frame.y.max() <= 235


@pytest.mark.parametrize("size", [(64, 48), (97, 131), (176, 144)])
def test_any_size(size: tuple[int, int]) -> None:
    frame = render_clip("wave", 1, "test", *size, fps=Fraction(30000, 1001), frames=2).frame(1)
    assert (frame.width, frame.height) == size
    assert frame.time == pytest.approx(1001 / 30000)


def test_seeds_and_splits_differ() -> None:
    pictures = [
        _small("jump", seed, split).frame(3).y for seed, split in ((0, "train"), (1, "train"), (0, "val"))
    ]
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert np.abs(one.astype(int) - other).mean() > 5


@pytest.mark.parametrize("action", ACTIONS)
def test_mask_joints_and_box_agree(action: str) -> None:
    clip = render_clip(action, 2, "test", 176, 144, 25, 60)
    for index in (10, 45):
        truth = clip.truth[index]
        assert truth.action == action
        assert truth.mask.shape == (144, 176)
        assert truth.joints.shape == (len(JOINTS), 2)
        x0, y0, x1, y1 = truth.box
        assert truth.mask.sum() > 0.01 * truth.mask.size
        assert truth.mask[y0:y1, x0:x1].sum() == truth.mask.sum()
        shown = truth.joints[truth.visible]
        assert len(shown) >= 5
        on = truth.mask[shown[:, 1].astype(int), shown[:, 0].astype(int)]
        # Joints lie inside limbs; a few (a hand behind a load, a toe at its shoe's edge) may not.
        assert on.mean() > 0.75
        assert truth.visible[HEIGHT_OF["pelvis"]] or truth.visible[HEIGHT_OF["head"]]


def test_the_figure_is_in_the_picture_and_moves(walk: RenderedClip) -> None:
    clip = _small("run", 3, frames=40)
    boxes = np.array([clip.truth[i].box for i in range(0, 40, 6)])
    assert (boxes[:, 3] - boxes[:, 1] > 0.25 * 144).all()
    still, moved = walk.frame(20).y.astype(int), walk.frame(22).y.astype(int)
    mask = walk.truth[20].mask
    assert np.abs(still - moved)[mask].mean() > 1.5


def test_flow_predicts_the_frame(walk: RenderedClip) -> None:
    """The frame before, moved along the flow, must match better than the frame before as it is."""
    index = 30
    flow = walk.flow(index)
    assert not walk.flow(0).any()
    before, now = walk.frame(index - 1).y.astype(float), walk.frame(index).y.astype(float)
    y, x = np.indices(now.shape)
    sx = np.clip(np.rint(x + flow[..., 0]), 0, 351).astype(int)
    sy = np.clip(np.rint(y + flow[..., 1]), 0, 287).astype(int)
    warped = np.abs(before[sy, sx] - now)
    assert warped.mean() < 0.8 * np.abs(before - now).mean()
    mask = walk.truth[index].mask
    assert warped[mask].mean() < 0.8 * np.abs(before - now)[mask].mean()


def test_pictures_have_the_spectrum_of_video(walk: RenderedClip) -> None:
    """Amplitude of natural pictures falls about as 1 / f (Field 1987): slopes of -0.8 to -2 are accepted."""
    luma = walk.frame(10).y[:256, :256].astype(float)
    power = np.abs(np.fft.fft2((luma - luma.mean()) * np.outer(np.hanning(256), np.hanning(256)))) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(256) * 256, np.fft.fftfreq(256) * 256))
    bands = np.array([4, 6, 9, 14, 21, 32, 48, 70])
    amplitude = [
        np.sqrt(power[(radius >= low) & (radius < high)].mean()) for low, high in itertools.pairwise(bands)
    ]
    slope = np.polyfit(np.log(np.sqrt(bands[:-1] * bands[1:])), np.log(amplitude), 1)[0]
    assert -2.0 < slope < -0.8
    rgb = to_rgb(walk.frame(10)).astype(int)
    assert np.abs(rgb[..., 0] - rgb[..., 2]).mean() > 2


def test_opens_as_a_video() -> None:
    source = clip_names("val")[3]
    with open_rendered(source, max_frames=2) as video:
        assert (video.info.name, video.info.width, video.info.height) == (source, 352, 288)
        assert (video.info.fps, video.info.frames) == (25, 2)
        assert video.info.sha256 is not None
        assert len(video.info.sha256) == 64
        frames = list(video)
    assert len(frames) == 2
    again = next(iter(open_video(source)))
    assert np.array_equal(again.y, frames[0].y)


def test_truth_ends_a_loop() -> None:
    assert len(list(_small("clap", frames=3).truth)) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"width": 8},
        {"height": 5000},
        {"frames": 0},
        {"fps": 0},
        {"seed": -1},
        {"action": "fly"},
        {"split": "dev"},
    ],
)
def test_impossible_clips_are_refused(change: dict[str, object]) -> None:
    settings: dict[str, object] = {"action": "walk", "seed": 0, "split": "train"}
    with pytest.raises(RenderedError):
        render_clip(**{**settings, **change})  # type: ignore[arg-type]
