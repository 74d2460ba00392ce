"""One picture: three planes of bytes, the time at which it is shown, and how its samples map to colours.

Every source is brought to this one form (YCbCr, 4:2:0, 8 bit) and every sink takes it. Samples of a source
that is already of this form are never touched, full-range ones included: `Colour` says what they mean.

Chroma planes of odd pictures are rounded up; a chroma sample stands for a 2x2 cell of luma, of which the
right and lower neighbours may lie outside. Conversions average and repeat over that cell and nothing beyond,
so that `from_rgb(to_rgb(frame))` keeps the chroma where rounding and clipping allow it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from t4vcodec.media.errors import MediaError

MAX_SIDE = 8192
"""Largest width and height, in samples, of a picture that is read or written."""

LUMA_WEIGHTS: dict[str, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
"""Weights (K_R, K_B) of red and blue: BT.601-7 section 2.5.1, BT.709-6 item 3.2, BT.2020-2 table 4."""


@dataclass(frozen=True)
class Colour:
    """What the samples of a picture mean.

    Raises `MediaError` for a matrix that is not known.
    """

    matrix: str = "bt601"
    """One of `LUMA_WEIGHTS`: "bt601", "bt709", "bt2020" (non-constant luminance)."""
    full_range: bool = False
    """False: luma 16..235, chroma 16..240. True: 0..255, as in JPEG."""

    def __post_init__(self) -> None:
        if self.matrix not in LUMA_WEIGHTS:
            raise MediaError(
                f"colour matrix {self.matrix!r} is not known: use one of {', '.join(LUMA_WEIGHTS)}"
            )


def usual_colour(width: int, height: int, full_range: bool = False) -> Colour:
    """The colour that players (mpv) assume where a stream names no matrix: BT.709 for high definition."""
    return Colour("bt709" if width >= 1280 or height > 576 else "bt601", full_range)


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture, YCbCr 4:2:0, 8 bit.

    Raises `MediaError` if a plane has another shape or type than the luma plane asks for.
    """

    y: np.ndarray
    """(H, W) uint8, H and W in 1..8192."""
    u: np.ndarray
    """(ceil(H / 2), ceil(W / 2)) uint8, Cb."""
    v: np.ndarray
    """(ceil(H / 2), ceil(W / 2)) uint8, Cr."""
    time: float
    """Seconds since the first picture of the clip."""
    colour: Colour = Colour()

    def __post_init__(self) -> None:
        if self.y.ndim != 2:
            raise MediaError(f"luma plane: expected two dimensions (height, width), got shape {self.y.shape}")
        check_size(self.width, self.height, "frame")
        expected = chroma_shape(*self.y.shape)
        for name, plane, shape in (
            ("y", self.y, self.y.shape),
            ("u", self.u, expected),
            ("v", self.v, expected),
        ):
            if plane.shape != shape or plane.dtype != np.uint8:
                raise MediaError(f"plane {name}: expected {shape} uint8, got {plane.shape} {plane.dtype}")
        if not math.isfinite(self.time):
            raise MediaError(f"frame time: expected a finite number of seconds, got {self.time}")

    @property
    def height(self) -> int:
        """Rows of luma."""
        return self.y.shape[0]

    @property
    def width(self) -> int:
        """Columns of luma."""
        return self.y.shape[1]

    def __repr__(self) -> str:
        colour = f"{self.colour.matrix}{' full range' if self.colour.full_range else ''}"
        return (
            f"Frame(y {self.y.shape}, u {self.u.shape}, v {self.v.shape}, time {self.time:.3f} s, {colour})"
        )


def check_size(width: int, height: int, what: str) -> None:
    """Raise `MediaError`, beginning with `what`, unless both sides are in 1..MAX_SIDE."""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise MediaError(
            f"{what}: {width}x{height} is outside of 1x1 to {MAX_SIDE}x{MAX_SIDE}: scale the video first"
        )


def chroma_shape(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of a chroma plane: halves, rounded up."""
    return (height + 1) // 2, (width + 1) // 2


def shrink_chroma(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """A chroma plane of a (height, width) picture at 4:4:4, 4:2:2 or 4:4:0, averaged down to 4:2:0; same
    type.

    A cell that the picture's edge cuts is averaged over what is inside. Raises `MediaError` for any other
    shape.
    """
    rows, columns = chroma_shape(height, width)
    if plane.shape[0] not in (height, rows) or plane.shape[1] not in (width, columns):
        raise MediaError(f"chroma plane of a {width}x{height} picture: got shape {plane.shape}")
    total = plane.astype(np.uint32)
    cells = 1
    if total.shape[0] != rows:
        total = np.pad(total, ((0, height % 2), (0, 0)), mode="edge")
        total = total[0::2] + total[1::2]
        cells *= 2
    if total.shape[1] != columns:
        total = np.pad(total, ((0, 0), (0, width % 2)), mode="edge")
        total = total[:, 0::2] + total[:, 1::2]
        cells *= 2
    return ((total + cells // 2) // cells).astype(plane.dtype)


def grow_chroma(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """A 4:2:0 chroma plane repeated to (height, width); the inverse of `shrink_chroma`, bit for bit."""
    return plane.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]


def _ranges(colour: Colour) -> tuple[float, float, float]:
    """Luma of black, luma black to white, chroma - 1/2 to + 1/2 (BT.601-7 section 2.5.3; JFIF 1.02)."""
    return (0.0, 255.0, 255.0) if colour.full_range else (16.0, 219.0, 224.0)


def to_rgb(frame: Frame) -> np.ndarray:
    """The picture as (H, W, 3) uint8 R'G'B' of full range, clipped."""
    kr, kb = LUMA_WEIGHTS[frame.colour.matrix]
    black, luma_range, chroma_range = _ranges(frame.colour)
    y = (frame.y.astype(np.float32) - black) * (255.0 / luma_range)
    cb, cr = (
        grow_chroma((plane.astype(np.float32) - 128.0) * (255.0 / chroma_range), frame.height, frame.width)
        for plane in (frame.u, frame.v)
    )
    red = y + (2 - 2 * kr) * cr
    blue = y + (2 - 2 * kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return _to_bytes(np.stack((red, green, blue), axis=-1))


def from_rgb(rgb: np.ndarray, time: float, colour: Colour) -> Frame:
    """The picture of (H, W, 3) uint8 R'G'B' of full range. Raises `MediaError` for another shape or type."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise MediaError(f"rgb picture: expected (height, width, 3) uint8, got {rgb.shape} {rgb.dtype}")
    kr, kb = LUMA_WEIGHTS[colour.matrix]
    black, luma_range, chroma_range = _ranges(colour)
    red, green, blue = (rgb[..., i].astype(np.float32) / 255.0 for i in range(3))
    y = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = []
    for primary, weight in ((blue, kb), (red, kr)):
        difference = (primary - y) / (2 - 2 * weight)
        height, width = difference.shape
        padded = np.pad(difference, ((0, height % 2), (0, width % 2)), mode="edge")
        mean = (padded[0::2, 0::2] + padded[0::2, 1::2] + padded[1::2, 0::2] + padded[1::2, 1::2]) / 4
        chroma.append(_to_bytes(128.0 + chroma_range * mean))
    return Frame(_to_bytes(black + luma_range * y), chroma[0], chroma[1], time, colour)


def recolour(frame: Frame, colour: Colour) -> Frame:
    """The same picture with samples of another meaning; the frame itself where the meaning is the same."""
    return frame if frame.colour == colour else from_rgb(to_rgb(frame), frame.time, colour)


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
