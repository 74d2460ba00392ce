"""The kernels that stand in for torch where no gradient is asked for give the same samples, bit for bit."""

import numpy as np
import pytest
import torch
from numba import njit
from t4vcodec.codec.compensation import predict
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.sad import sad8x8
from t4vcodec.codec.sample_kernels import bordered, phases8, predict_blocks


def random_picture(rng: np.random.Generator, height: int, width: int) -> Picture:
    shapes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    return Picture(*(torch.from_numpy(rng.integers(0, 256, s).astype(np.float32)) for s in shapes))


@pytest.mark.parametrize("references", [1, 2])
@pytest.mark.parametrize("spread", [0, 1, 40, 1023])
@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (6, 10)])
def test_prediction_is_that_of_torch(rows, columns, spread, references):
    """Vectors inside, at and far beyond the border, alike and unlike their neighbours; blocks without one."""
    rng = np.random.default_rng(spread + references)
    pictures = [random_picture(rng, 8 * rows, 8 * columns) for _ in range(references)]
    vectors = rng.integers(-spread, spread + 1, (rows, columns, 2)).astype(np.int16)
    vectors[:, columns // 2 :] = vectors[0, 0]
    reference = rng.integers(0, references, (rows, columns)).astype(np.uint8)
    usable = rng.random((rows, columns)) < 0.8
    vectors[~usable], reference[~usable] = 0, 0
    expected = predict([p.phases for p in pictures], vectors, reference, usable)
    planes = predict_blocks([p.bordered for p in pictures], vectors, reference, usable)
    assert all(torch.equal(a, b) for a, b in zip(planes, expected))


@pytest.mark.parametrize("extreme", [False, True])
def test_rounded_phases_are_those_of_torch(extreme):
    rng = np.random.default_rng(3)
    picture = random_picture(rng, 48, 32)
    if extreme:  # what overshoots 8 bits most
        picture = Picture(*((p > 127) * 255.0 for p in (picture.y, picture.u, picture.v)))
    exact = picture.phases[0]
    expected = (exact + 0.5).floor().clamp(0, 255).to(torch.uint8).numpy()
    assert np.array_equal(phases8(picture.luma8), expected)
    assert np.array_equal(picture.luma_phases8, expected)


def test_the_border_repeats_the_last_samples():
    plane = random_picture(np.random.default_rng(4), 16, 32).y
    samples = bordered(plane)
    assert np.array_equal(samples[19:35, 19:51], plane.numpy())
    assert (samples[0, :19] == plane[0, 0].item()).all()
    assert (samples[-1, 51:] == plane[-1, -1].item()).all()


@njit
def _sad(a, y0, x0, b, y1, x1):
    return sad8x8(a, y0 * a.shape[1] + x0, a.shape[1], b, y1 * b.shape[1] + x1, b.shape[1])


def test_sad():
    rng = np.random.default_rng(5)
    a, b = (rng.integers(0, 256, s, dtype=np.uint8) for s in ((24, 40), (30, 33)))
    for y0, x0, y1, x1 in ((0, 0, 0, 0), (16, 32, 22, 25), (3, 5, 7, 1)):
        own, other = a[y0 : y0 + 8, x0 : x0 + 8].astype(int), b[y1 : y1 + 8, x1 : x1 + 8].astype(int)
        assert _sad(a, y0, x0, b, y1, x1) == np.abs(own - other).sum()
    black, white = np.zeros((8, 8), np.uint8), np.full((8, 8), 255, np.uint8)
    assert _sad(black, 0, 0, white, 0, 0) == 64 * 255
