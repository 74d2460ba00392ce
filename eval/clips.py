"""Clips under evaluation: a few seconds of video in memory, known by their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice, takewhile

from t4vcodec.eval.errors import EvalError
from t4vcodec.media.frames import Frame
from t4vcodec.media.video import open_video


@dataclass(frozen=True, eq=False)
class Clip:
    """The first frames of one source."""

    name: str
    """Short name of the source; seeds the channels, so the same clip meets the same losses anywhere."""
    source: str
    fps: Fraction
    frames: tuple[Frame, ...]
    """At least one, all of one size."""
    sha256: str
    """Of the frames' samples, size and rate: what was measured, however it was stored."""

    @property
    def width(self) -> int:
        return self.frames[0].width

    @property
    def height(self) -> int:
        return self.frames[0].height

    @property
    def seconds(self) -> float:
        """Duration."""
        return float(len(self.frames) / self.fps)


def make_clip(name: str, source: str, fps: Fraction, frames: tuple[Frame, ...]) -> Clip:
    """The clip of these frames; raises `EvalError` if there are none."""
    if not frames:
        raise EvalError(f"{source} has no frames to evaluate")
    digest = hashlib.sha256(repr((frames[0].width, frames[0].height, fps, len(frames))).encode())
    for frame in frames:
        for plane in (frame.y, frame.u, frame.v):
            digest.update(plane.tobytes())
    return Clip(name, source, Fraction(fps), frames, digest.hexdigest())


@lru_cache(maxsize=1)
def load_clip(source: str, max_frames: int, start: float | None = None, end: float | None = None) -> Clip:
    """Reads at most `max_frames` frames of a source that `media.video.open_video` understands.

    start, end: seconds into it, for a part. The last clip is kept, since a live source can be read only once.
    """
    if start is None:
        with open_video(source, max_frames=max_frames) as video:
            return make_clip(video.info.name, source, video.info.fps, tuple(video))
    with open_video(source) as video:
        inside = (frame for frame in video if frame.time >= start - 1e-6)
        part = takewhile(lambda frame: end is None or frame.time < end - 1e-6, inside)
        return make_clip(video.info.name, source, video.info.fps, tuple(islice(part, max_frames)))
