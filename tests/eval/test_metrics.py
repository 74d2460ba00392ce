"""SSIM against scikit-image, PSNR against its definition."""

import time

import numpy as np
import pytest
from skimage.metrics import structural_similarity
from t4vcodec.eval import metrics
from t4vcodec.media.frames import Frame


def reference_ssim(x, y):
    return structural_similarity(
        x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )


def textured(shape, seed=0):
    walk = np.cumsum(np.random.default_rng(seed).normal(0, 6, shape), axis=1)
    return np.clip(128 + walk, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(11, 11), (12, 200), (144, 176), (145, 177)])
@pytest.mark.parametrize("noise", [0, 1, 10, 80])
def test_ssim_equals_scikit_image(shape, noise):
    x = textured(shape)
    y = np.clip(x + np.random.default_rng(1).normal(0, noise, shape), 0, 255).astype(np.uint8)
    assert metrics.ssim(x, y) == pytest.approx(reference_ssim(x, y), abs=1e-9)


@pytest.mark.parametrize("level", [0, 16, 235, 255])
def test_ssim_is_exact_on_flat_pictures(level):
    x = np.full((40, 60), level, np.uint8)
    y = x.copy()
    y[::7] ^= 1
    assert metrics.ssim(x, y) == pytest.approx(reference_ssim(x, y), abs=1e-9)
    assert metrics.ssim(x, x) == pytest.approx(1, abs=1e-12)


def test_ssim_of_pictures_thinner_than_the_window():
    x = textured((1, 40))
    assert metrics.ssim(x, x) == pytest.approx(1, abs=1e-12)
    assert metrics.ssim(x, 255 - x) < 0.5


def test_ssim_takes_strided_planes():
    x = textured((128, 128))
    assert metrics.ssim(x[::2, ::2], x[::2, 1::2]) == pytest.approx(
        reference_ssim(x[::2, ::2].copy(), x[::2, 1::2].copy()), abs=1e-9
    )


def test_ssim_is_fast():
    x, y = textured((480, 854)), textured((480, 854), 1)
    metrics.ssim(x, y)

    def once():
        start = time.perf_counter()
        metrics.ssim(x, y)
        return time.perf_counter() - start

    assert min(once() for _ in range(10)) < 0.05  # 9 ms on the machine of the README; others may be busy


def test_decibels():
    assert metrics.ssim_to_db(0.9) == pytest.approx(10)
    assert metrics.ssim_to_db(0.99) == pytest.approx(20)
    assert metrics.ssim_to_db(1.0) == metrics.MAX_DB
    assert metrics.mse_to_psnr(0) == metrics.MAX_DB
    assert metrics.mse_to_psnr(255**2) == 0
    assert metrics.mse_to_psnr(1) == pytest.approx(48.1308, abs=1e-4)


def flat(y, u, v):
    chroma = np.full((8, 8), u, np.uint8), np.full((8, 8), v, np.uint8)
    return Frame(np.full((16, 16), y, np.uint8), *chroma, 0.0)


def test_clip_scores_come_from_the_clips_error_not_from_mean_decibels():
    source = [flat(100, 100, 100)] * 10
    shown = [flat(100, 100, 100)] * 9 + [flat(110, 104, 102)]
    score = metrics.score(source, shown)
    assert score.psnr_y == pytest.approx(metrics.mse_to_psnr(100 / 10))
    assert score.psnr_yuv == pytest.approx(metrics.mse_to_psnr((6 * 100 + 16 + 4) / 8 / 10))
    assert score.ssim_db == pytest.approx(metrics.ssim_to_db(np.mean(score.ssim_frames)))


def test_tenth_percentile_shows_a_stall():
    source = [flat(100, 128, 128)] * 20
    shown = [flat(100, 128, 128)] * 17 + [flat(180, 128, 128)] * 3
    score = metrics.score(source, shown)
    assert score.ssim_db_p10 < 15 < score.ssim_db + 5
    assert score.psnr_y_p10 == pytest.approx(metrics.mse_to_psnr(6400))


def test_wrong_shapes_are_told():
    with pytest.raises(ValueError, match="shape"):
        metrics.ssim(np.zeros((16, 16), np.uint8), np.zeros((16, 18), np.uint8))
    with pytest.raises(ValueError, match="shape"):
        metrics.mse(np.zeros((16, 16), np.uint8), np.zeros((16, 18), np.uint8))
    with pytest.raises(ValueError, match="argument"):
        metrics.score([flat(1, 1, 1)], [])
