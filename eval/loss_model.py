"""What losing frames costs, as a formula fitted to a clip and a codec: cheap enough for thousands of candidates.

Of each frame 1 - SSIM is tracked. A frame that is not there shows the last picture: what the source changed since
then comes on top. After that, `kept` of this change stays in the pictures that are predicted from it, and `decay`
of it is left from frame to frame, until a key frame or, with intra refresh, after about a second. H.264 shows
frames of which a part is missing; H.265 and AV1 do not; AV1, and VP9 without error resilience, then show
nothing new until a key frame. The two numbers are fitted to real decodes. The formula only puts candidates in
order: the leaders are decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from t4vcodec.baselines.settings import CodecSettings
from t4vcodec.eval import metrics
from t4vcodec.media.frames import Frame

LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
"""Distances of frames at which the source's change is measured; those between are interpolated."""
DECAYS = (0.5, 0.6, 0.7, 0.8, 0.86, 0.9, 0.93, 0.96, 0.98, 1.0)
KEPT = (0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7)


def source_change(frames: Sequence[Frame]) -> np.ndarray:
    """(frames, 1 + largest lag) float: 1 - SSIM of a frame and the one so many frames before it.

    Column 0 is that of a frame and plain grey. Long lags are measured at every other frame.
    """
    count = len(frames)
    lags = [lag for lag in LAGS if lag < count]
    table = np.zeros((count, max(lags, default=0) + 1))
    grey = np.full_like(frames[0].y, 128)
    for lag in (0, *lags):
        numbers = np.arange(lag, count, 1 if 0 < lag < 3 else 2)
        values = [1 - metrics.ssim(frames[n].y, frames[n - lag].y if lag else grey) for n in numbers]
        table[:, lag] = np.interp(np.arange(count), numbers, values)
    for n in range(count):
        between = np.setdiff1d(np.arange(1, table.shape[1]), lags)
        table[n, between] = np.interp(between, lags, table[n, lags]) if lags else 0
    return table


@dataclass(frozen=True)
class Chain:
    """How losses travel from frame to frame in one codec's streams of one clip."""

    decay: float
    kept: float


@dataclass(frozen=True)
class Manner:
    """What a receiver of some settings does with losses."""

    partial: bool
    """Frames of which a part is there are shown."""
    breaks: bool
    """After a lost frame, nothing is shown until the next key frame."""
    refresh: float
    """Frames in which intra refresh heals the picture; 0 for none."""


def manner_of(settings: CodecSettings, fps: float) -> Manner:
    """Of the receivers of `baselines.receivers`."""
    codec = settings.codec
    return Manner(
        partial=codec == "x264",
        breaks=codec == "av1" or (codec == "vp9" and not settings.slices),
        refresh=fps if settings.gop == "refresh" else 0.0,
    )


def expected_loss(
    missing: np.ndarray,
    keys: np.ndarray,
    coding: np.ndarray,
    change: np.ndarray,
    chain: Chain,
    manner: Manner,
) -> np.ndarray:
    """1 - SSIM of each frame, (S, frames).

    missing: (S, frames), share of each frame that is not there when it is shown. keys: (frames,) bool.
    coding: (frames,), 1 - SSIM without loss. change: of `source_change`.
    """
    return _walk(
        np.ascontiguousarray(missing, float),
        np.ascontiguousarray(keys, np.bool_),
        np.ascontiguousarray(coding, float),
        change,
        chain.decay,
        chain.kept,
        manner.partial,
        manner.breaks,
        manner.refresh,
    )


@njit(cache=True, nogil=True)
def _walk(missing, keys, coding, change, decay, kept, partial, breaks, refresh):
    seeds, frames = missing.shape
    longest = change.shape[1] - 1
    heal = 1.0 if refresh == 0 else 1 - 2 / refresh
    out = np.empty((seeds, frames))
    for s in range(seeds):
        drift, gap, last = 0.0, 0, 0
        started = broken = False
        for t in range(frames):
            part = missing[s, t]
            if not partial and part > 0:
                part = 1.0
            if keys[t] and part < 1:
                started, broken = True, False
                gap, last = 0, t
                drift = part * change[t, 0]
            elif not started:
                out[s, t] = change[t, 0]
                continue
            elif part >= 1 or broken:
                gap += 1
                moved = change[t, min(gap, longest)]
                stale = coding[last] + (1 - coding[last]) * drift
                out[s, t] = stale + (1 - stale) * moved
                broken = broken or breaks
                continue
            else:
                if gap > 0:
                    left = kept * change[t - 1, min(gap, longest)]
                    drift = drift + (1 - drift) * min(left, 1.0)
                    gap = 0
                last = t
                drift *= decay * heal
                if part > 0:
                    drift = drift + (1 - drift) * min(kept * part * change[t, min(1, longest)], 1.0)
            out[s, t] = coding[t] + (1 - coding[t]) * drift
    return out


def fit(
    missing: np.ndarray,
    seen: np.ndarray,
    keys: np.ndarray,
    coding: np.ndarray,
    change: np.ndarray,
    manner: Manner,
) -> Chain:
    """The chain that explains best what real decodes showed.

    missing, seen: (S, frames), what was lost and 1 - SSIM of what was shown. Others as in `expected_loss`.
    """

    def miss(chain: Chain) -> float:
        expected = expected_loss(missing, keys, coding, change, chain, manner)
        return float(np.square(expected - seen).mean())

    return min((Chain(decay, kept) for decay in DECAYS for kept in KEPT), key=miss)
