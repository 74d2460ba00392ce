"""Video files and cameras, through PyAV (FFmpeg's libraries).

Samples of 8-bit 4:2:0 sources are passed on as they were decoded. Other sources are brought there: more bits
are rounded by FFmpeg's scaler with sizes and range kept, denser chroma is averaged by `shrink_chroma`, R'G'B'
goes through `from_rgb`, grey gets neutral chroma. Rotation that the file asks for (in steps of 90 degrees) is
done; mirroring, sample aspect ratios and HDR transfer curves are not looked at.

A damaged file gives the pictures that decode; one that gives none is refused. `av` is imported at the first
call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from t4vcodec.media.errors import MediaError
from t4vcodec.media.frames import (
    Colour,
    Frame,
    check_size,
    chroma_shape,
    from_rgb,
    recolour,
    shrink_chroma,
    usual_colour,
)
from t4vcodec.media.source import Video, VideoInfo, reason, sha256_of

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

DEFAULT_FPS = Fraction(25)
_MATRICES = {1: "bt709", 4: "bt601", 5: "bt601", 6: "bt601", 7: "bt709", 9: "bt2020", 10: "bt2020"}
"""AVColorSpace (ITU-T H.273 table 4) to ours; SMPTE 240M is nearest to BT.709, FCC to BT.601."""
_LIMITED, _FULL = 1, 2  # AVColorRange
_TEXT_FORMATS = {"tty", "bin", "xbin", "adf", "idf"}  # FFmpeg "plays" text files as terminal pictures
_PLANAR = {(4, 4): "yuv420p", (4, 8): "yuv422p", (8, 8): "yuv444p", (8, 4): "yuv440p"}


def open_file(path: Path) -> Video:
    """A video file as a `Video` that can be read again and again. Raises `MediaError`."""
    name = str(path)

    def pictures() -> Iterator[Frame]:
        with _opened(f"file:{path}", name) as (container, stream):
            yield from _frames(container, stream, name)

    with _opened(f"file:{path}", name) as (container, stream):
        first = next(_frames(container, stream, name))
        fps, count = _rate(stream), stream.frames or None
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise MediaError(f"{name}: cannot be read: {reason(error)}") from None
    return Video(VideoInfo(path.stem, first.width, first.height, fps, count, digest, first.colour), pictures)


def open_camera(device: str) -> Video:
    """A Video4Linux camera such as /dev/video0, at the size and rate it is set to. Raises `MediaError`."""
    if not Path(device).exists():
        raise MediaError(f"{device}: there is no such camera: see which there are with ls /dev/video*")
    return open_live(device, device, format="v4l2")


def open_live(address: str, name: str, format: str | None = None) -> Video:
    """Whatever FFmpeg opens at `address`, kept open and read once, until it ends or is closed."""
    with ExitStack() as stack:
        container, stream = stack.enter_context(_opened(address, name, format))
        frames = _frames(container, stream, name)
        first = next(frames)
        kept = stack.pop_all()
    info = VideoInfo(Path(name).name, first.width, first.height, _rate(stream), None, None, first.colour)
    return Video(info, lambda: chain([first], frames), once=True, close=kept.close)


def first_picture(path: Path) -> Frame:
    """The first picture of a file at time 0, for still images. Raises `MediaError`."""
    with _opened(f"file:{path}", str(path)) as (container, stream):
        return next(_frames(container, stream, str(path)))


@contextmanager
def _opened(
    address: str, name: str, format: str | None = None
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container at `address` and its best video stream; closed at the end. Raises `MediaError`."""
    import av
    from av.stream import Disposition

    try:
        container = av.open(address, format=format, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        why = "it may be damaged, cut off or no video: give another file"
        raise MediaError(f"{name}: cannot be opened ({reason(error)}): {why}") from None
    with container:
        # FFmpeg opens a text file as pictures of a terminal: nobody means that.
        if container.format.name in _TEXT_FORMATS:
            raise MediaError(f"{name}: is a text file, not a video: give a video file")
        stream = container.streams.best("video")
        if stream is None or stream.disposition & Disposition.attached_pic:  # the cover of a sound file
            raise MediaError(f"{name}: has no video in it (sound only?): give a file with a video stream")
        if stream.codec_context is None:
            raise MediaError(f"{name}: its video codec is not known here: convert it with ffmpeg")
        check_size(max(stream.codec_context.width, 1), max(stream.codec_context.height, 1), name)
        yield container, stream


def _rate(stream: VideoStream) -> Fraction:
    """Average pictures per second, as far as the container knows."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= 1000:
            return Fraction(rate)
    return DEFAULT_FPS


def _frames(container: InputContainer, stream: VideoStream, name: str) -> Iterator[Frame]:
    """All pictures that decode. Raises `MediaError` if none does and if their size changes."""
    import av

    period = float(1 / _rate(stream))
    start = 0.0
    last: Frame | None = None
    for picture in _decoded(container, stream):
        try:
            y, u, v, colour = _samples(picture)
        except (av.FFmpegError, ValueError) as error:
            text = f"pixel format {picture.format.name} cannot be converted: {reason(error)}"
            raise MediaError(f"{name}: {text}: convert it with ffmpeg -pix_fmt yuv420p") from None
        check_size(y.shape[1], y.shape[0], name)
        time = picture.time
        if last is None:
            start = time or 0.0
            last = Frame(y, u, v, 0.0, colour)
        else:
            if y.shape != last.y.shape:
                raise MediaError(
                    f"{name}: the size changes from {last.width}x{last.height} to {y.shape[1]}x{y.shape[0]} "
                    f"at {last.time + period:.2f} s: split it there, or scale it to one size"
                )
            # Elementary streams have no times and damaged ones wrong times; times must rise.
            if time is None or time - start <= last.time:
                time = start + last.time + period
            last = recolour(Frame(y, u, v, time - start, colour), last.colour)
        yield last
    if last is None:
        raise MediaError(f"{name}: no picture in it can be decoded (empty or damaged?): give another file")


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """What the decoder gives, passing over packets that it refuses or that the file's end cuts."""
    import av

    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                continue
            try:
                pictures = packet.decode()
            except av.InvalidDataError:
                continue
            yield from pictures
    except (av.FFmpegError, OSError):
        # The file ends or breaks here; the decoder still holds the pictures before.
        try:
            pictures = stream.codec_context.decode(None)
        except av.FFmpegError:
            return
        yield from pictures


def _samples(picture: av.VideoFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, Colour]:
    """The planes (H, W), 2 x (ceil(H / 2), ceil(W / 2)) as shown, uint8, and their meaning."""
    layout = picture.format
    matrix = _MATRICES.get(int(picture.colorspace), usual_colour(picture.width, picture.height).matrix)
    if layout.is_rgb or layout.has_palette:
        frame = from_rgb(picture.to_ndarray(format="rgb24"), 0.0, usual_colour(picture.width, picture.height))
        planes, colour = [frame.y, frame.u, frame.v], frame.colour
    elif layout.name.startswith(("gray", "mono", "ya")):
        grey = picture if layout.name == "gray" else picture.reformat(format="gray")
        chroma = np.full(chroma_shape(picture.height, picture.width), 128, np.uint8)
        planes = [_plane(grey, 0), chroma, chroma.copy()]
        colour = Colour(matrix, int(picture.color_range) != _LIMITED)
    else:
        full = layout.name.startswith("yuvj") or int(picture.color_range) == _FULL
        planar = _PLANAR.get((layout.chroma_width(8), layout.chroma_height(8)), "yuv420p")
        if layout.name not in (planar, planar.replace("yuv", "yuvj")):
            span = _FULL if full else _LIMITED
            picture = _reformat(picture, planar, span)
        planes = [
            _plane(picture, 0),
            *(shrink_chroma(_plane(picture, i), picture.height, picture.width) for i in (1, 2)),
        ]
        colour = Colour(matrix, full)
    turns = round(picture.rotation / 90) % 4
    if turns:
        planes = [np.ascontiguousarray(np.rot90(plane, turns)) for plane in planes]
    return planes[0], planes[1], planes[2], colour


def _reformat(picture: av.VideoFrame, format: str, span: int) -> av.VideoFrame:
    """The picture in another pixel format, its range (an AVColorRange) kept."""
    from av.video.reformatter import VideoReformatter

    return VideoReformatter().reformat(picture, format=format, src_color_range=span, dst_color_range=span)


def _plane(picture: av.VideoFrame, index: int) -> np.ndarray:
    """A copy of one 8-bit plane, without the bytes that pad its lines."""
    plane = picture.planes[index]
    lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return lines[:, : plane.width].copy()
