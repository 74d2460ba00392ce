"""The transforms of the decisions (numba) and of the reconstruction (torch) are inverse to each other."""

import numpy as np
import pytest
import torch
from t4vcodec.codec.contexts import FREQUENCY16, SCAN8, SCAN16
from t4vcodec.codec.transform import dct_matrix, forward8, forward16, inverse8, inverse16


@pytest.mark.parametrize("n", [8, 16])
def test_orthonormal(n):
    d = dct_matrix(n).astype(np.float64)
    assert np.abs(d @ d.T - np.eye(n)).max() < 1e-6


def test_inverse_of_forward8():
    block = np.random.default_rng(0).uniform(-255, 255, (32, 48)).astype(np.float32)
    out = np.zeros(64 * 24 + 5, np.float32)
    corners = [(x, y) for y in range(0, 32, 8) for x in range(0, 48, 8)]
    for i, (x, y) in enumerate(corners):
        forward8(block, x, y, out, 5 + 64 * i)
    samples = inverse8(torch.from_numpy(out[5:].reshape(24, 64))).numpy()
    for s, (x, y) in zip(samples, corners):
        assert np.abs(s - block[y : y + 8, x : x + 8]).max() < 1e-3
    assert not out[:5].any()


def test_inverse_of_forward16():
    rng = np.random.default_rng(1)
    for _ in range(5):
        block = rng.uniform(-255, 255, (16, 16)).astype(np.float32)
        out = np.zeros(300, np.float32)
        forward16(block, out)
        assert np.abs(inverse16(torch.from_numpy(out[None, :256])).numpy()[0] - block).max() < 1e-3
        assert np.square(out).sum() == pytest.approx(np.square(block).sum(), rel=1e-5)
        assert not out[256:].any()


def test_against_the_definition():
    """Coefficient (v, u) by the double sum; rows are vertical frequencies."""
    block = np.random.default_rng(2).uniform(-100, 100, (16, 16)).astype(np.float32)
    for n, forward in (
        (8, lambda out: forward8(block, 0, 0, out, 0)),
        (16, lambda out: forward16(block, out)),
    ):
        out = np.zeros(256, np.float32)
        forward(out)
        i = np.arange(n)
        for v, u in ((0, 0), (0, 3), (5, 0), (7, 2)):
            scale = 2 / n * (0.5**0.5 if u == 0 else 1) * (0.5**0.5 if v == 0 else 1)
            basis = np.outer(
                np.cos(np.pi * (2 * i + 1) * v / (2 * n)), np.cos(np.pi * (2 * i + 1) * u / (2 * n))
            )
            assert out[v * n + u] == pytest.approx(scale * (basis * block[:n, :n]).sum(), abs=2e-3)


def test_scans_visit_everything_low_frequencies_first():
    for scan, n in ((SCAN8, 8), (SCAN16, 16)):
        assert sorted(scan) == list(range(n * n))
        place = np.argsort(scan).reshape(n, n)
        assert (np.diff(place, axis=0) > 0).all()
        assert (np.diff(place, axis=1) > 0).all()
    assert FREQUENCY16.max() == 63
    assert FREQUENCY16[0] == 0
