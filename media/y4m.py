"""YUV4MPEG2: uncompressed video in a file or a pipe.

A text line with the size and format, then for each picture a line that begins with FRAME and the planes as
bytes (y4m(5) of mjpegtools; the marks for more than 8 bits, `mono` and XCOLORRANGE are FFmpeg's). Read are
4:2:0, 4:2:2, 4:4:4, 4:4:0 and mono of 8 to 16 bits. Written is 8-bit 4:2:0, bit for bit; XMATRIX is our own
mark for the colour matrix, which the format has no word for and other readers pass over.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from t4vcodec.media.errors import MediaError
from t4vcodec.media.frames import (
    LUMA_WEIGHTS,
    Colour,
    Frame,
    check_size,
    chroma_shape,
    shrink_chroma,
    usual_colour,
)
from t4vcodec.media.source import Video, VideoInfo, reason, sha256_of

MAX_LINE = 1024
"""Longest header line that is read, in bytes; FFmpeg allows 128."""
DEFAULT_FPS = Fraction(25)
_MAGIC = b"YUV4MPEG2"
_CHROMA = re.compile(r"(420|422|444|440|mono)(jpeg|mpeg2|paldv|p?(9|10|12|14|16))?")


@dataclass(frozen=True)
class Y4mHeader:
    """The first line of a y4m stream."""

    width: int
    height: int
    fps: Fraction
    chroma: str
    """"420", "422", "444", "440" or "mono"."""
    depth: int
    """Bits of a sample, 8 to 16; more than 8 travel as two bytes, low one first."""
    colour: Colour

    def plane_shapes(self) -> list[tuple[int, int]]:
        """(rows, columns) of the planes in the stream."""
        rows, columns = chroma_shape(self.height, self.width)
        luma = (self.height, self.width)
        chroma = {
            "420": (rows, columns),
            "422": (self.height, columns),
            "444": luma,
            "440": (rows, self.width),
        }
        return [luma] if self.chroma == "mono" else [luma, chroma[self.chroma], chroma[self.chroma]]


def parse_header(line: bytes, name: str) -> Y4mHeader:
    """The header in a stream's first line, its line feed included or not.

    Raises `MediaError`, beginning with `name`, for anything that is not a header of a format that is read
    here.
    """
    words = line.rstrip(b"\n").split(b" ")
    if words[0] != _MAGIC:
        raise MediaError(f"{name}: not a y4m stream (it does not begin with YUV4MPEG2): make one with ffmpeg")
    try:
        fields = [word.decode("ascii") for word in words[1:] if word]
    except UnicodeDecodeError:
        raise MediaError(
            f"{name}: damaged y4m header (bytes outside of ASCII): make the file again"
        ) from None
    first = {"W": "", "H": "", "F": "0:0", "C": "420"}
    first.update({field[0]: field[1:] for field in fields if field[0] in first})
    extra = dict(field[1:].split("=", 1) for field in fields if field[0] == "X" and "=" in field)
    size = re.fullmatch(r"(\d{1,9})x(\d{1,9})", f"{first['W']}x{first['H']}", re.ASCII)
    rate = re.fullmatch(r"(\d{1,9}):(\d{1,9})", first["F"], re.ASCII)
    if size is None or rate is None:
        raise MediaError(f"{name}: damaged y4m header (size or rate cannot be read): make the file again")
    width, height = int(size[1]), int(size[2])
    check_size(width, height, name)
    chroma = _CHROMA.fullmatch(first["C"])
    if chroma is None:
        raise MediaError(
            f"{name}: y4m colour format {first['C']!r} is not read: convert with -pix_fmt yuv420p"
        )
    usual = usual_colour(width, height)
    matrix = extra.get("MATRIX", usual.matrix)
    return Y4mHeader(
        width,
        height,
        Fraction(int(rate[1]), int(rate[2])) if int(rate[1]) and int(rate[2]) else DEFAULT_FPS,
        chroma[1],
        int(chroma[3] or 8),
        Colour(matrix if matrix in LUMA_WEIGHTS else usual.matrix, extra.get("COLORRANGE") == "FULL"),
    )


def header_line(width: int, height: int, fps: Fraction, colour: Colour) -> bytes:
    """The first line of a progressive 8-bit 4:2:0 stream with square samples."""
    siting, span = ("420jpeg", "FULL") if colour.full_range else ("420mpeg2", "LIMITED")
    return (
        f"YUV4MPEG2 W{width} H{height} F{fps.numerator}:{fps.denominator} Ip A1:1 "
        f"C{siting} XCOLORRANGE={span} XMATRIX={colour.matrix}\n"
    ).encode("ascii")


def frame_bytes(frame: Frame) -> bytes:
    """One picture of an 8-bit 4:2:0 stream, its FRAME line included."""
    return b"".join((b"FRAME\n", frame.y.tobytes(), frame.u.tobytes(), frame.v.tobytes()))


def read_pictures(stream: BinaryIO, header: Y4mHeader, name: str) -> Iterator[Frame]:
    """The pictures after the header. A last one that is cut off is left out.

    Raises `MediaError` where a picture should begin and something else stands, and if there is no whole
    picture.
    """
    kind = np.dtype(np.uint8 if header.depth == 8 else "<u2")
    shapes = header.plane_shapes()
    sizes = [rows * columns for rows, columns in shapes]
    count = 0
    while line := stream.readline(MAX_LINE):
        if not (line == b"FRAME\n" or line.startswith(b"FRAME ")):
            if not line.endswith(b"\n") and b"FRAME".startswith(line[:5]):
                break  # the file ends within a FRAME line
            raise MediaError(f"{name}: damaged after {count} pictures (no FRAME line): make the file again")
        data = stream.read(sum(sizes) * kind.itemsize)
        if len(data) < sum(sizes) * kind.itemsize:
            break
        samples = _eight_bits(np.frombuffer(data, kind), header.depth)
        planes = [
            part.reshape(shape)
            for part, shape in zip(np.split(samples, np.cumsum(sizes)[:-1]), shapes, strict=True)
        ]
        if header.chroma == "mono":
            grey = np.full(chroma_shape(header.height, header.width), 128, np.uint8)
            planes += [grey, grey.copy()]
        u, v = (shrink_chroma(plane, header.height, header.width) for plane in planes[1:])
        yield Frame(planes[0], u, v, float(count / header.fps), header.colour)
        count += 1
    if count == 0:
        raise MediaError(f"{name}: holds no whole picture: make the file again")


def _eight_bits(samples: np.ndarray, depth: int) -> np.ndarray:
    """Samples of `depth` bits rounded to 8, in memory of their own."""
    if depth == 8:
        return samples.copy()
    rounded = (samples.astype(np.uint32) + (1 << (depth - 9))) >> (depth - 8)
    return np.minimum(rounded, 255).astype(np.uint8)


def open_y4m_file(path: Path) -> Video:
    """A y4m file as a `Video` that can be read again and again. Raises `MediaError`."""
    name = str(path)

    def pictures() -> Iterator[Frame]:
        try:
            with open(path, "rb") as stream:
                yield from read_pictures(stream, parse_header(stream.readline(MAX_LINE), name), name)
        except OSError as error:
            raise MediaError(f"{name}: cannot be read: {reason(error)}") from None

    try:
        with open(path, "rb") as stream:
            header = parse_header(stream.readline(MAX_LINE), name)
            begin = stream.tell()
            next(read_pictures(stream, header, name))  # a file without pictures is refused here, not later
            each = stream.tell() - begin
        count = (path.stat().st_size - begin) // each
        digest = sha256_of(path)
    except OSError as error:
        raise MediaError(f"{name}: cannot be read: {reason(error)}") from None
    info = VideoInfo(path.stem, header.width, header.height, header.fps, count, digest, header.colour)
    return Video(info, pictures)


def open_y4m_pipe(stream: BinaryIO, name: str) -> Video:
    """A y4m stream that comes once, such as standard input. Raises `MediaError`."""
    try:
        header = parse_header(stream.readline(MAX_LINE), name)
    except OSError as error:
        raise MediaError(f"{name}: cannot be read: {reason(error)}") from None
    info = VideoInfo(name, header.width, header.height, header.fps, None, None, header.colour)
    return Video(info, lambda: read_pictures(stream, header, name), once=True, close=stream.close)


def open_standard_input() -> Video:
    """The y4m stream on standard input. Raises `MediaError` where that is a keyboard."""
    if sys.stdin is None or sys.stdin.isatty():
        raise MediaError(
            "-: nothing is piped in: ffmpeg -i FILE -pix_fmt yuv420p -f yuv4mpegpipe - | t4vcodec ..."
        )
    return open_y4m_pipe(sys.stdin.buffer, "stdin")
