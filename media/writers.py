"""Pictures out: video files, y4m (also on standard output), folders of PNG pictures.

Everything is written under a hidden temporary name beside the target and renamed by `Writer.close`, so a name
either holds a whole video or what it held before.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from t4vcodec.media.errors import MediaError
from t4vcodec.media.frames import Colour, Frame, check_size, grow_chroma, recolour, to_rgb
from t4vcodec.media.source import reason
from t4vcodec.media.y4m import frame_bytes, header_line

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

CONTAINERS = {".mp4": "mp4", ".mkv": "matroska"}
X264_OPTIONS = {"crf": "10", "preset": "veryfast"}
"""Nearly without visible loss: what is written here is a result to look at."""
_TICKS = 10_000  # at least so many ticks a second, so that times of variable rate survive
_AV_SPACES = {"bt601": 6, "bt709": 1, "bt2020": 9}  # AVColorSpace
_AV_PRIMARIES = {"bt601": 6, "bt709": 1, "bt2020": 9}  # AVColorPrimaries
_AV_TRANSFERS = {"bt601": 6, "bt709": 1, "bt2020": 14}  # AVColorTransferCharacteristic


def open_writer(path: str | Path, width: int, height: int, fps: Fraction, colour: Colour) -> Writer:
    """A writer of one clip; what it writes is chosen by the name.

    - *.mp4, *.mkv: H.264 (x264, CRF 10) with the pictures' own times; odd sizes go as 4:4:4, the size stays.
    - *.y4m, "-": the samples as they are, at a constant rate of `fps`; "-" is standard output.
    - a name without an ending, or with a "/" at the end: a folder of PNG pictures 00000.png, 00001.png, ...

    Frames of another colour are converted. Raises `MediaError` for other endings, for sizes outside of
    1..8192 and where the place cannot be written.
    """
    text = os.fspath(path)
    check_size(width, height, text)
    if fps <= 0:
        raise MediaError(f"{text}: {fps} pictures a second: give a rate above 0")
    clip = _Clip(width, height, Fraction(fps).limit_denominator(100_000), colour)
    if text == "-":
        return _StandardOutput(clip)
    target = Path(text)
    if text.endswith(("/", os.sep)) or not target.suffix:
        return _PictureFolder(target, clip)
    if target.suffix.lower() == ".y4m":
        return _Y4mFile(target, clip)
    if target.suffix.lower() in CONTAINERS:
        return _VideoFile(target, clip)
    endings = ", ".join([*CONTAINERS, ".y4m"])
    raise MediaError(
        f"{text}: cannot write {target.suffix} files: use {endings} or a folder name for pictures"
    )


@dataclass(frozen=True)
class _Clip:
    """What all pictures of a target have in common."""

    width: int
    height: int
    fps: Fraction
    colour: Colour


class Writer(ABC):
    """Takes the pictures of one clip in order. Left by an exception or never closed, it leaves nothing."""

    def __init__(self, name: str, clip: _Clip) -> None:
        self._name = name
        self._clip = clip
        self._count = 0
        self._open = True

    def write(self, frame: Frame) -> None:
        """Add a picture. Raises `MediaError` if it has another size or cannot be written."""
        if not self._open:
            raise MediaError(f"{self._name}: is closed: open a new writer")
        if (frame.width, frame.height) != (self._clip.width, self._clip.height):
            raise MediaError(
                f"{self._name}: picture {self._count} is {frame.width}x{frame.height}, expected "
                f"{self._clip.width}x{self._clip.height}: one file holds one size"
            )
        with self._explaining():
            self._put(recolour(frame, self._clip.colour))
        self._count += 1

    def close(self) -> None:
        """Finish the clip and give it its name. Raises `MediaError`, also if there are no pictures."""
        if not self._open:
            return
        if self._count == 0:
            self.discard()
            raise MediaError(f"{self._name}: no pictures were written: there is nothing to keep")
        with self._explaining():
            self._finish()
        self._open = False

    def discard(self) -> None:
        """Throw away what was written so far; nothing is left under the final name."""
        if self._open:
            self._open = False
            self._drop()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """On any error drop what was written; those of system and encoder become `MediaError`."""
        import av

        try:
            yield
        except BaseException as error:
            self.discard()
            if isinstance(error, (OSError, av.FFmpegError)):
                raise _unwritable(self._name, error) from None
            raise

    @abstractmethod
    def _put(self, frame: Frame) -> None:
        """Write one picture of the right size and colour."""

    @abstractmethod
    def _finish(self) -> None:
        """Complete the target under its final name."""

    @abstractmethod
    def _drop(self) -> None:
        """Remove what there is, without raising."""

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        if getattr(self, "_open", False):
            self.discard()


def _unwritable(name: str, error: Exception) -> MediaError:
    return MediaError(f"{name}: cannot be written: {reason(error)}: choose another place or make room")


def _temporary(target: Path) -> Path:
    """A hidden name beside the target that nobody else uses."""
    return target.parent / f".{target.name}.{secrets.token_hex(4)}.part"


class _StandardOutput(Writer):
    """y4m on standard output, flushed after each picture so that a player can follow."""

    def __init__(self, clip: _Clip) -> None:
        super().__init__("standard output", clip)
        with self._explaining():
            sys.stdout.buffer.write(header_line(clip.width, clip.height, clip.fps, clip.colour))

    def _put(self, frame: Frame) -> None:
        sys.stdout.buffer.write(frame_bytes(frame))
        sys.stdout.buffer.flush()

    def _finish(self) -> None:
        sys.stdout.buffer.flush()

    def _drop(self) -> None:
        return None


class _FileWriter(Writer):
    """One file, written under a temporary name."""

    def __init__(self, target: Path, clip: _Clip) -> None:
        if target.is_dir():
            raise MediaError(f"{target}: is a folder: give the name of a file")
        self._target = target
        self._part = _temporary(target)
        try:
            self._file: BinaryIO = open(self._part, "xb")  # noqa: SIM115 (kept until close)
        except OSError as error:
            raise _unwritable(str(target), error) from None
        super().__init__(str(target), clip)

    def _finish(self) -> None:
        self._file.close()
        os.replace(self._part, self._target)

    def _drop(self) -> None:
        with suppress(OSError):  # closing flushes, and the disk may be full
            self._file.close()
        with suppress(OSError):
            os.unlink(self._part)


class _Y4mFile(_FileWriter):
    """Samples as they are."""

    def __init__(self, target: Path, clip: _Clip) -> None:
        super().__init__(target, clip)
        self._start = header_line(clip.width, clip.height, clip.fps, clip.colour)

    def _put(self, frame: Frame) -> None:
        self._file.write(self._start + frame_bytes(frame))
        self._start = b""


class _VideoFile(_FileWriter):
    """H.264 in MP4 or Matroska. Odd sizes as 4:4:4, because a 4:2:0 H.264 picture has even sides."""

    def __init__(self, target: Path, clip: _Clip) -> None:
        super().__init__(target, clip)
        import av

        self._format = "yuv444p" if clip.width % 2 or clip.height % 2 else "yuv420p"
        rate = clip.fps.numerator
        self._tick = Fraction(1, rate * -(-_TICKS // rate))
        self._last = -1
        with self._explaining():
            # PyAV hands errors of a Python file on as they are; of a path it keeps silent at the end.
            self._container = av.open(self._file, "w", format=CONTAINERS[target.suffix.lower()])
            self._stream = self._container.add_stream("libx264", rate=clip.fps, options=X264_OPTIONS)
            context: VideoCodecContext = self._stream.codec_context
            context.width, context.height, context.pix_fmt = clip.width, clip.height, self._format
            context.time_base = self._tick
            matrix = clip.colour.matrix
            context.colorspace = _AV_SPACES[matrix]
            context.color_primaries = _AV_PRIMARIES[matrix]
            context.color_trc = _AV_TRANSFERS[matrix]
            context.color_range = 2 if clip.colour.full_range else 1

    def _put(self, frame: Frame) -> None:
        import av

        picture = av.VideoFrame(frame.width, frame.height, self._format)
        planes = [frame.y, frame.u, frame.v]
        if self._format == "yuv444p":
            planes[1:] = [grow_chroma(plane, frame.height, frame.width) for plane in planes[1:]]
        for plane, samples in zip(picture.planes, planes, strict=True):
            lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            lines[:, : plane.width] = samples
        # x264 needs rising times; two pictures of one time become neighbours.
        self._last = max(self._last + 1, round(frame.time / self._tick))
        picture.pts = self._last
        picture.time_base = self._tick
        for packet in self._stream.encode(picture):
            self._container.mux(packet)

    def _finish(self) -> None:
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()
        super()._finish()

    def _drop(self) -> None:
        container = getattr(self, "_container", None)
        if container is not None:
            with suppress(Exception):  # the trailer of a file that is thrown away
                container.close()
        super()._drop()


class _PictureFolder(Writer):
    """00000.png and so on, 8-bit R'G'B'."""

    def __init__(self, target: Path, clip: _Clip) -> None:
        self._target = target
        self._part = _temporary(target)
        try:
            if target.exists() and (not target.is_dir() or any(target.iterdir())):
                raise MediaError(f"{target}: is there already and not an empty folder: choose a new name")
            self._part.mkdir()
        except OSError as error:
            raise _unwritable(str(target), error) from None
        super().__init__(str(target), clip)

    def _put(self, frame: Frame) -> None:
        import av

        encoder = av.CodecContext.create("png", "w")
        encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "rgb24"
        encoder.time_base = Fraction(1, 25)  # FFmpeg insists on one
        picture = av.VideoFrame.from_ndarray(to_rgb(frame), format="rgb24")
        data = b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
        (self._part / f"{self._count:05d}.png").write_bytes(data)

    def _finish(self) -> None:
        os.replace(self._part, self._target)

    def _drop(self) -> None:
        shutil.rmtree(self._part, ignore_errors=True)
