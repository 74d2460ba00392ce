"""Between the project's frames and libav's pictures: even sizes, padding, cropping, scaling."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import Interpolation
from t4vcodec.media.frames import Frame, chroma_shape

_EXACT = Interpolation.ACCURATE_RND | Interpolation.BITEXACT  # the same samples on any processor
DOWN = Interpolation.LANCZOS | _EXACT
UP = Interpolation.LANCZOS | _EXACT

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Y, U, V as `Frame` has them."""


def padded_side(side: int, least: int = 2) -> int:
    """`side` samples made even, and `least` (even) at the least."""
    return max(least, side + side % 2)


def coded_side(side: int, scale: Fraction, least: int) -> int:
    """Samples that are coded of a side of `side`."""
    return max(least, 2 * round(padded_side(side) * scale / 2))


def to_picture(frame: Frame, width: int, height: int) -> av.VideoFrame:
    """The frame as yuv420p of an even size at least its own: the last row and column are repeated."""
    samples = np.empty((height * 3 // 2, width), np.uint8)
    flat = samples.reshape(-1)
    luma, chroma = width * height, width * height // 4
    for plane, start, rows, columns in (
        (frame.y, 0, height, width),
        (frame.u, luma, height // 2, width // 2),
        (frame.v, luma + chroma, height // 2, width // 2),
    ):
        missing = ((0, rows - plane.shape[0]), (0, columns - plane.shape[1]))
        whole = np.pad(plane, missing, mode="edge") if (missing[0][1] or missing[1][1]) else plane
        flat[start : start + rows * columns] = whole.reshape(-1)
    return av.VideoFrame.from_ndarray(samples, format="yuv420p")


def to_planes(picture: av.VideoFrame, width: int, height: int) -> Planes | None:
    """The upper left of a yuv420p picture; None if it has another format or is smaller."""
    if picture.format.name != "yuv420p" or picture.width < width or picture.height < height:
        return None
    full = (picture.height, picture.width)
    flat = picture.to_ndarray().reshape(-1)
    planes, at = [], 0
    for shape, (rows, columns) in (
        (full, (height, width)),
        (chroma_shape(*full), chroma_shape(height, width)),
        (chroma_shape(*full), chroma_shape(height, width)),
    ):
        size = shape[0] * shape[1]
        planes.append(flat[at : at + size].reshape(shape)[:rows, :columns].copy())
        at += size
    return planes[0], planes[1], planes[2]


def resize(picture: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """The picture at an even size."""
    how = DOWN if width < picture.width else UP
    return picture.reformat(width, height, interpolation=how, threads=1)
