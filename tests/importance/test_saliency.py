"""Saliency by frame, block and packet."""

import numpy as np
import pytest
import torch
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.saliency import (
    WAYS,
    Field,
    LinearTarget,
    averaged_gradient,
    latent_fields,
    of_frame,
    of_packets,
    period,
    picture_fields,
    shown_fields,
    spectrum,
)
from t4vcodec.importance.trace import trace_gradients


@pytest.fixture(scope="module")
def traced(video, target):
    return video.play(video.everything), trace_gradients(video, video.everything, target)


def test_gradients_of_opposite_sign_do_not_cancel():
    gradient = torch.tensor([[[1.0, -1.0], [2.0, 0.0]]])
    field = Field(gradient, torch.tensor([[[3.0, 1.0], [-1.0, 7.0]]]))
    assert field.by_position("abs").tolist() == [4]
    assert field.by_position("l2").tolist() == pytest.approx([6**0.5])
    # By block: |3 - 1| + |-2|.
    assert field.by_position("input").tolist() == [4]
    with pytest.raises(ImportanceError, match="unknown aggregation 'sum'"):
        field.by_position("sum")


@pytest.mark.parametrize("make", [shown_fields, picture_fields, latent_fields])
@pytest.mark.parametrize("way", WAYS)
def test_packets_share_out_their_frame(video, traced, make, way):
    fields = make(video, *traced)
    packets = of_packets(video, fields, way)
    assert packets.shape == video.frame_of.shape
    assert (packets >= 0).all()
    assert (packets > 0).any()
    for frame, field in enumerate(fields):
        mine, everywhere = packets[video.frame_of == frame], field.by_position(way).double().numpy()
        total = (mine**2).sum() ** 0.5 if way == "l2" else mine.sum()
        expected = (everywhere**2).sum() ** 0.5 if way == "l2" else everywhere.sum()
        assert total == pytest.approx(expected, rel=1e-6)


def test_blocks_of_pixels_hold_each_pixel_once(video, traced):
    played, trace = traced
    for field, gradient in zip(shown_fields(video, played, trace), trace.shown):
        assert float(field.gradient.square().sum()) == pytest.approx(of_frame(gradient) ** 2, rel=1e-4)


def test_a_block_that_matters_lights_up_where_it_is(video, clean):
    """A score of one 16x16 corner of the last frame: that position alone is salient in what it shows."""
    gradient = np.zeros((len(clean), 3, *clean.shape[1:3]), np.float32)
    gradient[-1, :, 16:32, 32:48] = 1
    played = video.play(video.everything)
    trace = trace_gradients(video, video.everything, LinearTarget(gradient))
    columns = video.setup.grid(False).columns
    shown = shown_fields(video, played, trace)[-1].by_position("abs")
    if not played.states[-1].half:
        assert torch.nonzero(shown).flatten().tolist() == [columns + 2]
    before = picture_fields(video, played, trace)[-3].by_position("l2")
    assert int(before.argmax()) in {columns * y + x for y in range(3) for x in range(1, 4)}


def test_the_residual_is_what_the_packets_brought(video, traced):
    """Coefficients of the first frame, intra and undeblocked, are near those of the picture less grey."""
    played, trace = traced
    latents = latent_fields(video, played, trace)[0].value
    samples = picture_fields(video, played, trace)[0].value - 128
    # The DCT keeps sums of squares.
    assert float(latents.square().sum()) == pytest.approx(float(samples.square().sum()), rel=0.1)


def test_frames_of_which_nothing_came_have_no_latents(video, some, target):
    played, trace = video.play(some), trace_gradients(video, some, target)
    packets = of_packets(video, latent_fields(video, played, trace), "l2")
    np.testing.assert_array_equal(np.isnan(packets), video.frame_of == 4)
    assert np.isfinite(of_packets(video, picture_fields(video, played, trace), "l2")).all()


def test_averaging_takes_out_which_frames_are_picked(target, clean):
    clip = np.concatenate([clean, clean[::-1]] * 2)
    plain, mean = (averaged_gradient(target, clip, shifts) for shifts in (1, period(25, 12.5)))
    np.testing.assert_allclose(plain, target.gradient(clip), atol=1e-9)
    curves = [np.array([of_frame(g) for g in gradient]) for gradient in (plain, mean)]
    # Every second frame is not looked at.
    assert (curves[0][1::2] == 0).all()
    assert (curves[1] > 0).all()
    shares = []
    for curve in curves:
        periods, power = spectrum(curve)
        shares.append(power[(periods > 1.9) & (periods < 2.1)].sum())
    assert shares[0] > 0.5 > 0.2 > shares[1]
    with pytest.raises(ImportanceError, match="0 shifts"):
        averaged_gradient(target, clip, 0)


def test_periods_of_picks():
    assert period(30, 12.5) == 12
    assert period(25, 12.5) == 2
    assert period(12.5, 12.5) == 1
    assert period(24, 12.5) == 30  # 48: too many to average


def test_a_linear_target_is_its_own_gradient(clean):
    gradient = np.random.default_rng(0).normal(size=(len(clean), 3, *clean.shape[1:3])).astype(np.float32)
    target = LinearTarget(gradient)
    brighter = clean.copy()
    brighter[3, 5, 7, 1] ^= 8
    change = float(target(brighter.astype(np.uint8)) - target(clean))
    step = (float(brighter[3, 5, 7, 1]) - float(clean[3, 5, 7, 1])) / 255
    assert change == pytest.approx(gradient[3, 1, 5, 7] * step, abs=2e-3)
