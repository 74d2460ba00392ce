"""From symbols to pictures: encoder and decoder agree, precision, adaptive steps, concealment, gradients."""

import numpy as np
import pytest
import torch
from t4vcodec.codec import Decoder
from t4vcodec.codec.concealment import conceal_motion, fill_smoothly, motion_to_last
from t4vcodec.codec.models import load_tables
from t4vcodec.codec.packets import PayloadParser
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.reconstruct import (
    aq_steps,
    base_steps,
    predict_frame,
    quality_step,
    reconstruct,
    residual_planes,
    round_through,
)
from t4vcodec.codec.symbols import BLOCK16, BLOCKS8, INTRA, LAST, LONG, LOST, NEW, ZERO, FrameSymbols
from t4vcodec.media import Frame


@pytest.mark.parametrize(
    "options", [{"quality": 12}, {"quality": 30}, {"kbps": 1.5}, {"quality": 24, "resilience": 0.0}]
)
@pytest.mark.parametrize("size", [(64, 48), (112, 80)])
def test_encoder_and_decoder_have_the_same_picture(make_clip, encode, pictures_equal, options, size):
    """Bit for bit in float32 when nothing is lost, over a long-term frame; also at half size."""
    coded = encode(make_clip(*size, 22, seed=4), **options)
    decoder = Decoder(coded.setup)
    for packets, expected in zip(coded.packets, coded.reconstructions):
        decoder.push(packets)
        assert pictures_equal(decoder.state.last, expected)
    assert decoder.state.half == packets[0].header.half == ("kbps" in options)


def psnr(a: list[Frame], b: list[Frame]) -> float:
    error = np.mean([np.square(p.y.astype(float) - q.y.astype(float)).mean() for p, q in zip(a, b)])
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def decoded(coded, dtype: torch.dtype, loss: float) -> tuple[list[Frame], list[int]]:
    decoder = Decoder(coded.setup, dtype=dtype)
    rng = np.random.default_rng(9)
    pictures, hashes = [], []
    for number, packets in enumerate(coded.packets):
        pictures += decoder.push([p for p in packets if rng.random() >= loss]) + decoder.close(number)
        hashes.append(decoder.state.hash)
    return pictures, hashes


# Measured: see docs/bitstream.md, "Precision".
BFLOAT16_PSNR = 45.0


def check_bfloat16(coded, loss: float) -> None:
    exact, hashes = decoded(coded, torch.float32, loss)
    coarse, hashes16 = decoded(coded, torch.bfloat16, loss)
    assert hashes == hashes16  # the same packets parsed and applied; symbols are integers
    print("bfloat16 against float32:", psnr(exact, coarse), psnr(exact[-10:], coarse[-10:]))
    assert psnr(exact, coarse) > BFLOAT16_PSNR
    assert psnr(exact[-10:], coarse[-10:]) > BFLOAT16_PSNR


@pytest.mark.parametrize("loss", [0.0, 0.3])
@pytest.mark.parametrize("quality", [10, 25])
def test_bfloat16_over_30_frames(make_clip, encode, loss, quality):
    check_bfloat16(encode(make_clip(96, 80, 30), quality=quality), loss)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [0.0, 0.3])
@pytest.mark.parametrize("quality", [10, 25])
def test_bfloat16_over_300_frames(make_clip, encode, loss, quality):
    check_bfloat16(encode(make_clip(96, 80, 300), quality=quality), loss)


def test_symbols_do_not_depend_on_precision(clip):
    """The parser knows no floats: what it gives is integer and the same whatever torch is set to."""
    parser = PayloadParser(clip.setup, load_tables(clip.setup.model))
    one = [parser.parse(p) for packets in clip.packets for p in packets]
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        two = [parser.parse(p) for packets in clip.packets for p in packets]
    finally:
        torch.set_default_dtype(default)
    for a, b in zip(one, two):
        assert all(
            np.array_equal(x, y) and x.dtype.kind in "ui" for x, y in zip(a.own + a.copied, b.own + b.copied)
        )


def test_steps():
    assert quality_step(0) == 2
    assert quality_step(9) == 4
    assert quality_step(63) == 256
    rng = np.random.default_rng(0)
    y = np.zeros((16, 64), np.float32)
    y[:, 16:32] = rng.normal(0, 1, (16, 16))
    y[:, 32:48] = rng.normal(0, 6, (16, 16))
    y[:, 48:] = rng.normal(0, 90, (16, 16))
    steps = aq_steps(torch.from_numpy(y), torch.full((4,), 10.0))
    assert steps[0] == 5  # within an octave either way
    assert steps[3] == 20
    assert (steps.diff() > 0).all()


def key_frame(columns: int = 3, rows: int = 2) -> FrameSymbols:
    symbols = FrameSymbols.lost(columns, rows)
    symbols.kind[:] = INTRA
    symbols.transform[:] = BLOCKS8
    return symbols


def test_levels_to_samples(tables):
    """An intra DC level, a 16x16 coefficient, and the reconstruction points, by hand."""
    symbols = key_frame()
    symbols.levels[0, [0, 64, 128, 192]] = 4
    symbols.levels[0, 256] = -6
    symbols.transform[1] = BLOCK16
    symbols.modes[1, 0] = 2
    symbols.step[1] = 3
    symbols.levels[1, 16] = -3
    base = base_steps(symbols, 18)
    picture = predict_frame(symbols, None, None, base)
    y, u, v = residual_planes(symbols, picture, tables)
    step = 8.0
    assert np.allclose(y[:16, :16], 4 * 0.5 * step / 8)
    assert np.allclose(u[:8, :8], -6 * 0.5 * step / 8)
    assert not v.any()
    i = np.arange(16)
    amplitude = -(3 + 10 / 256) * step * 2.0
    expected = amplitude * np.sqrt(2 / 16) / 4 * np.cos(np.pi * (2 * i + 1) / 32)
    assert np.allclose(y[:16, 16:32], expected[:, None], atol=1e-4)
    assert not y[:, 32:].any()


def test_nothing_lost_may_reach_the_reconstruction(tables):
    symbols = key_frame()
    symbols.kind[2] = LOST
    base = base_steps(symbols, 20)
    with pytest.raises(ValueError, match="conceal"):
        reconstruct(symbols, predict_frame(key_frame(), None, None, base), tables)


def test_rounding_passes_the_gradient():
    x = torch.tensor([3.4, -7.0, 300.0], requires_grad=True)
    y = round_through(x)
    assert y.tolist() == [3, 0, 255]
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 1]
    assert round_through(torch.tensor([2.5, 3.5, 1.2])).tolist() == [2, 4, 1]


def test_the_gradient_flows_through_prediction_and_reconstruction(clip, tables):
    """Through two frames in a chain, back to the first picture."""
    inter = [c.symbols for c in clip.symbols if c.header.distance >= 1][:2]
    start = clip.reconstructions[0]
    leaf = Picture(*(p.clone().requires_grad_() for p in (start.y, start.u, start.v)))
    picture = leaf
    for symbols in inter:
        base = base_steps(symbols, 20)
        picture = reconstruct(symbols, predict_frame(symbols, picture, leaf, base), tables)
    (picture.y.mean() + picture.u.mean() + picture.v.mean()).backward()
    for p in (leaf.y, leaf.u, leaf.v):
        assert torch.isfinite(p.grad).all()
        assert p.grad.abs().sum() > 0.1


def test_concealment_takes_the_motion_around():
    symbols = FrameSymbols.lost(3, 3)
    symbols.kind[:] = NEW
    symbols.kind[4] = LOST
    symbols.vectors[:] = (8, -4)
    symbols.vectors[1] = (24, -12)
    symbols.reference[1] = LONG  # three frames away: the same motion
    whole = conceal_motion(symbols, 3, None)
    assert (whole.vectors[4] == (8, -4)).all()
    assert whole.kind[4] == ZERO
    assert whole.reference[4] == LAST
    assert symbols.kind[4] == LOST  # a copy was changed
    assert (motion_to_last(whole, 3) == (8, -4)).all()


def test_concealment_goes_on_where_nothing_arrived():
    before = np.arange(6 * 8, dtype=np.int16).reshape(6, 4, 2)
    whole = conceal_motion(FrameSymbols.lost(3, 2), 1, before)
    assert np.array_equal(whole.vectors, before)


def test_holes_of_a_key_frame_are_filled_from_around():
    y, x = np.mgrid[0:64, 0:96]
    plane = torch.from_numpy((x + y).astype(np.float32))
    lost = np.zeros((4, 6), bool)
    lost[1, 2] = lost[3, 5] = True
    holed = plane.clone()
    holed[16:32, 32:48] = 0
    holed[48:, 80:] = 0
    filled = fill_smoothly(holed, lost.ravel(), 6, 4)
    known = torch.from_numpy(~lost.repeat(16, 0).repeat(16, 1))
    assert torch.equal(filled[known], plane[known])
    assert (filled - plane).abs().max() < 50
    everything = fill_smoothly(holed, np.ones(24, bool), 6, 4)
    assert torch.equal(everything, holed)
