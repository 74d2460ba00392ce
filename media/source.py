"""What every reader gives: a clip's facts, and its pictures one after the other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice
from types import TracebackType

from t4vcodec.media.errors import MediaError
from t4vcodec.media.frames import Colour, Frame


@dataclass(frozen=True)
class VideoInfo:
    """The facts of a clip that are known before its pictures are read."""

    name: str
    """Short name for reports: of the file (without ending), the folder, the camera or the rendered clip."""
    width: int
    """Columns of luma as shown, that is after rotation."""
    height: int
    """Rows of luma as shown."""
    fps: Fraction
    """Pictures per second on average; each `Frame` has its own time."""
    frames: int | None
    """Number of pictures as the source states it; None where it does not. A damaged file may give fewer."""
    sha256: str | None
    """Hexadecimal SHA-256 of the source's bytes; None for pipes and cameras."""
    colour: Colour = field(default_factory=Colour)
    """What the samples mean, one answer for the whole clip."""


class Video:
    """Pictures of one clip, in the order of their times, decoded as they are asked for.

    Iterating again starts again, except for pipes and cameras: those are read once, and asking again raises
    `MediaError`. Not safe to share between threads. Close it (or use `with`) to let go of a camera or a pipe.
    """

    def __init__(
        self,
        info: VideoInfo,
        pictures: Callable[[], Iterator[Frame]],
        *,
        once: bool = False,
        close: Callable[[], None] | None = None,
    ) -> None:
        """`pictures` starts the clip; `once` says that it can be called one time only."""
        self.info = info
        self._pictures = pictures
        self._once = once
        self._begun = False
        self._close = close

    def __iter__(self) -> Iterator[Frame]:
        if self._once and self._begun:
            raise MediaError(
                f"{self.info.name}: a live source is read once: save it to a file to read it again"
            )
        self._begun = True
        return self._pictures()

    def first(self, count: int) -> Video:
        """The same clip, ended after `count` pictures. Raises `MediaError` unless `count` is at least 1."""
        if count < 1:
            raise MediaError(f"{self.info.name}: {count} frames asked for: ask for 1 or more")
        known = None if self.info.frames is None else min(count, self.info.frames)
        return Video(
            replace(self.info, frames=known),
            lambda: islice(self._pictures(), count),
            once=self._once,
            close=self._close,
        )

    def close(self) -> None:
        """Let go of the source; harmless when repeated."""
        if self._close is not None:
            self._close()
            self._close = None

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        info = self.info
        size = f"{info.width}x{info.height}"
        return f"Video({info.name!r}, {size}, {float(info.fps):.3f} fps, {info.frames} frames)"


def sha256_of(*paths: str | os.PathLike[str]) -> str:
    """Hexadecimal SHA-256 of the files' bytes, one after the other. Raises OSError."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def reason(error: Exception) -> str:
    """What the system or FFmpeg says in an error, in one line without numbers and paths."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
