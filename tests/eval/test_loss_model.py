"""The formula that puts candidates in order."""

import numpy as np
import pytest
from t4vcodec.baselines.settings import CodecSettings
from t4vcodec.eval.loss_model import Chain, Manner, expected_loss, fit, manner_of, source_change
from t4vcodec.eval.metrics import ssim
from toy_scheme import moving_clip

CLIP = moving_clip(frames=30)
CHANGE = source_change(CLIP.frames)
CODING = np.full(30, 0.05)
KEYS = np.arange(30) == 0
WHOLE_ONLY = Manner(partial=False, breaks=False, refresh=0)
CHAIN = Chain(0.9, 0.8)


def expected(lost, manner=WHOLE_ONLY, keys=KEYS, chain=CHAIN):
    missing = np.zeros((1, 30))
    for frame, part in lost.items():
        missing[0, frame] = part
    return expected_loss(missing, keys, CODING, CHANGE, chain, manner)[0]


def test_change_of_the_source():
    frames = CLIP.frames
    assert CHANGE[7, 1] == pytest.approx(1 - ssim(frames[7].y, frames[6].y))
    assert CHANGE[20, 4] == pytest.approx(1 - ssim(frames[20].y, frames[16].y))
    assert CHANGE[20, 5] == pytest.approx((CHANGE[20, 4] + CHANGE[20, 6]) / 2)
    assert CHANGE[6, 0] == pytest.approx(1 - ssim(frames[6].y, np.full_like(frames[6].y, 128)))


def test_nothing_lost_nothing_added():
    assert expected({}) == pytest.approx(CODING)


def test_a_lost_frame_shows_the_last_one_and_its_error_fades():
    loss = expected({10: 1})
    assert loss[:10] == pytest.approx(CODING[:10])
    assert loss[10] == pytest.approx(0.05 + 0.95 * CHANGE[10, 1])
    added = (loss[11:] - 0.05) / 0.95
    assert added[0] == pytest.approx(0.9 * 0.8 * CHANGE[10, 1])
    assert added[1:] == pytest.approx(0.9 * added[:-1])


def test_key_frames_heal():
    keys = KEYS | (np.arange(30) == 15)
    assert expected({10: 1}, keys=keys)[15:] == pytest.approx(CODING[15:])


def test_a_lost_first_frame_shows_grey_until_a_key_frame():
    loss = expected({0: 1}, keys=KEYS | (np.arange(30) == 15))
    assert loss[:15] == pytest.approx(CHANGE[:15, 0])
    assert loss[15:] == pytest.approx(CODING[15:])


def test_codecs_differ():
    half = {10: 0.5}
    partial = Manner(partial=True, breaks=False, refresh=0)
    breaks = Manner(partial=False, breaks=True, refresh=0)
    refresh = Manner(partial=False, breaks=False, refresh=10)
    assert expected(half, partial).sum() < expected(half).sum() == expected({10: 1}).sum()
    assert expected(half, breaks).sum() > expected(half).sum()
    assert expected(half, refresh).sum() < expected(half).sum()
    assert manner_of(CodecSettings("x264", "medium", gop="refresh"), 25) == Manner(True, False, 25)
    assert manner_of(CodecSettings("av1", "8"), 25).breaks
    assert not manner_of(CodecSettings("vp9", "5", slices=True), 25).breaks


def test_fit_finds_the_chain_again():
    missing = (np.random.default_rng(1).random((3, 30)) < 0.15).astype(float)
    missing[:, 0] = 0
    truth = Chain(0.93, 0.6)
    seen = expected_loss(missing, KEYS, CODING, CHANGE, truth, WHOLE_ONLY)
    assert fit(missing, seen, KEYS, CODING, CHANGE, WHOLE_ONLY) == truth
