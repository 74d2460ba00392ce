"""Overlapped compensation against a slow reference that goes pixel by pixel."""

import numpy as np
import pytest
import torch
from t4vcodec.codec.compensation import BORDER, WEIGHTS4, WEIGHTS8, interpolate, neighbour_blocks, predict
from t4vcodec.codec.picture import Picture

# Quarter-sample filters: H.265, tables 8-11 and 8-12 (chroma at even eighths), at offsets -3 to 4.
LUMA = {
    0: [0, 0, 0, 64, 0, 0, 0, 0],
    1: [-1, 4, -10, 58, 17, -5, 1, 0],
    2: [-1, 4, -11, 40, 40, -11, 4, -1],
    3: [0, 1, -5, 17, 58, -10, 4, -1],
}
CHROMA = {
    0: LUMA[0],
    1: [0, 0, -4, 54, 16, -2, 0, 0],
    2: [0, 0, -4, 36, 36, -4, 0, 0],
    3: [0, 0, -2, 16, 54, -4, 0, 0],
}


def sample(plane: np.ndarray, x4: int, y4: int, taps: dict[int, list[int]]) -> float:
    """The plane at (x4, y4) quarter samples; beyond the border its last samples repeat."""
    h, w = plane.shape
    xs = np.clip(np.arange(8) - 3 + (x4 >> 2), 0, w - 1)
    ys = np.clip(np.arange(8) - 3 + (y4 >> 2), 0, h - 1)
    rows = plane[np.ix_(ys, xs)].astype(np.float64) @ np.array(taps[x4 & 3]) / 64
    return float(rows @ np.array(taps[y4 & 3]) / 64)


def slow(planes, vectors, reference, usable, size: int, chroma: bool) -> np.ndarray:
    """planes: one array a reference. vectors in quarter samples of this plane."""
    rows, columns = usable.shape
    height, width = rows * size, columns * size
    weights = WEIGHTS4 if chroma else WEIGHTS8
    taps = CHROMA if chroma else LUMA
    out = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            by, bx, oy, ox = y // size, x // size, y % size, x % size
            vertical = (by + (-1 if oy < size // 2 else 1), bx)
            horizontal = (by, bx + (-1 if ox < size // 2 else 1))
            for weight, (ny, nx) in zip(weights, ((by, bx), vertical, horizontal)):
                if not (0 <= ny < rows and 0 <= nx < columns and usable[ny, nx]):
                    ny, nx = by, bx
                vx, vy = (int(v) for v in vectors[ny, nx])
                vx = min(max(vx, -4 * (bx * size + BORDER)), 4 * (width + BORDER - size - bx * size))
                vy = min(max(vy, -4 * (by * size + BORDER)), 4 * (height + BORDER - size - by * size))
                plane = planes[reference[ny, nx]]
                out[y, x] += weight[oy, ox] * sample(plane, 4 * x + vx, 4 * y + vy, taps)
    return out


def random_picture(rng: np.random.Generator, height: int, width: int) -> Picture:
    shapes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    return Picture(*(torch.from_numpy(rng.integers(0, 256, s).astype(np.float32)) for s in shapes))


@pytest.mark.parametrize(("spread", "references"), [(6, 1), (40, 2), (1023, 2)])
def test_against_the_slow_reference(spread, references):
    """Vectors inside, at and far beyond the border; blocks without a vector; two references."""
    rng = np.random.default_rng(spread)
    rows, columns = 4, 6
    pictures = [random_picture(rng, 8 * rows, 8 * columns) for _ in range(references)]
    vectors = rng.integers(-spread, spread + 1, (rows, columns, 2))
    reference = rng.integers(0, references, (rows, columns))
    usable = rng.random((rows, columns)) < 0.8
    vectors[~usable], reference[~usable] = 0, 0
    y, u, v = predict([p.phases for p in pictures], vectors, reference, usable)
    luma = slow([p.y.numpy() for p in pictures], vectors, reference, usable, 8, chroma=False)
    assert np.array_equal(y.numpy(), luma)  # exact in float32
    half = (vectors + 1) >> 1
    for plane, name in ((u, "u"), (v, "v")):
        expected = slow([getattr(p, name).numpy() for p in pictures], half, reference, usable, 4, chroma=True)
        assert np.abs(plane.numpy() - expected).max() < 1e-4


def test_weights_sum_to_one():
    assert (WEIGHTS8.sum(0) == 1).all()
    assert (WEIGHTS4.sum(0) == 1).all()
    for w in (*WEIGHTS8, *WEIGHTS4):
        assert np.array_equal(w, w[::-1])
        assert np.array_equal(w, w[:, ::-1])


def test_a_flat_picture_stays_flat_and_zero_motion_copies():
    rng = np.random.default_rng(5)
    usable = np.ones((4, 4), bool)
    flat = Picture(*(torch.full(s, 77.0) for s in ((32, 32), (16, 16), (16, 16))))
    vectors = rng.integers(-99, 99, (4, 4, 2))
    for plane in predict([flat.phases], vectors, np.zeros((4, 4), int), usable):
        assert (plane == 77).all()
    picture = random_picture(rng, 32, 32)
    still = predict([picture.phases], np.zeros((4, 4, 2), int), np.zeros((4, 4), int), usable)
    assert all(torch.equal(a, b) for a, b in zip(still, (picture.y, picture.u, picture.v)))


def test_phases():
    picture = random_picture(np.random.default_rng(6), 16, 32)
    phases = interpolate(picture.y, chroma=False)
    assert phases.shape == (16, 16 + 2 * BORDER, 32 + 2 * BORDER)
    for phase, y, x in ((0, 3, 5), (4 * 1 + 2, 0, 0), (4 * 3 + 3, 15, 31), (4 * 2, -16, 40)):
        expected = sample(picture.y.numpy(), 4 * x + phase // 4, 4 * y + phase % 4, LUMA)
        assert phases[phase, y + BORDER, x + BORDER] == expected
    bytes8 = picture.luma_phases8
    assert np.abs(bytes8 - phases.numpy().clip(0, 255)).max() <= 0.5


def test_who_lends_a_vector():
    usable = np.ones((3, 4), bool)
    usable[1, 2] = False
    near = neighbour_blocks(3, 4, usable).reshape(3, 4, 4)
    assert list(near[0, 0]) == [0, 4, 0, 1]  # up, down, left, right; itself at the border
    assert list(near[1, 1]) == [1, 9, 4, 5]  # the one to the right has no vector
    assert list(near[2, 3]) == [7, 11, 10, 11]


def test_the_gradient_flows_to_the_references():
    """Prediction is linear in the reference: the gradient is the exact transpose."""
    rng = np.random.default_rng(7)
    base = random_picture(rng, 32, 32)
    leaf = Picture(*(p.clone().requires_grad_() for p in (base.y, base.u, base.v)))
    vectors = rng.integers(-30, 30, (4, 4, 2))
    usable, reference = np.ones((4, 4), bool), np.zeros((4, 4), int)
    probe = [
        torch.from_numpy(rng.normal(size=tuple(p.shape)).astype(np.float32)) for p in (base.y, base.u, base.v)
    ]
    out = predict([leaf.phases], vectors, reference, usable)
    sum((o * w).sum() for o, w in zip(out, probe)).backward()
    other = random_picture(rng, 32, 32)
    moved = predict([other.phases], vectors, reference, usable)
    for name, o, w in zip("yuv", moved, probe):
        through = (getattr(leaf, name).grad * getattr(other, name)).sum()
        assert float(through) == pytest.approx(float((o * w).sum()), rel=1e-3, abs=0.5)
