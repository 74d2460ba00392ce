"""Scores of single frames, each different picture measured once.

Under error correction most pictures that a receiver shows are those that it shows without loss; SSIM is what an
evaluation spends most time on.
"""

from __future__ import annotations

from hashlib import blake2b

from t4vcodec.eval.metrics import ClipScore
from t4vcodec.media.frames import Frame


class FrameScores:
    """Remembers one clip's scores by frame number and samples."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bytes], tuple[float, tuple[float, float, float]]] = {}

    def add(self, score: ClipScore, number: int, source: Frame, shown: Frame) -> None:
        """What `ClipScore.add` does."""
        digest = blake2b(digest_size=16)
        for plane in (shown.y, shown.u, shown.v):
            digest.update(plane.tobytes())
        place = number, digest.digest()
        known = self._known.get(place)
        if known is None:
            score.add(source, shown)
            self._known[place] = score.ssim_frames[-1], score.mse_frames[-1]
            return
        score.ssim_frames.append(known[0])
        score.mse_frames.append(known[1])
