"""Clips of any length, rate and size, cut into the windows that a network takes.

Everything here is differentiable in the pixels: frames are picked, repeated and scaled, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from t4vcodec.recognition.errors import RecognitionError

Clip = torch.Tensor | np.ndarray
"""(T, 3, H, W) float tensor in 0..1, or (T, H, W, 3) uint8 array; R'G'B'."""


def as_clip(frames: Clip) -> torch.Tensor:
    """`frames` as a (T, 3, H, W) float tensor in 0..1; a float tensor is passed through with its gradient.

    Raises RecognitionError for any other shape or type, or no frame.
    """
    if isinstance(check_clip(frames), torch.Tensor):
        return frames
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255


def check_clip(frames: Clip) -> Clip:
    """`frames`, which is a clip; raises RecognitionError if it is none."""
    shaped = isinstance(frames, np.ndarray | torch.Tensor) and frames.ndim == 4 and len(frames) > 0
    if shaped and isinstance(frames, np.ndarray) and frames.dtype == np.uint8 and frames.shape[3] == 3:
        return frames
    if shaped and isinstance(frames, torch.Tensor) and frames.is_floating_point() and frames.shape[1] == 3:
        return frames
    kind = f"{tuple(frames.shape)} {frames.dtype}" if hasattr(frames, "shape") else type(frames).__name__
    raise RecognitionError(
        f"a clip must be a (frames, height, width, 3) uint8 array or a (frames, 3, height, width) "
        f"float tensor with one frame or more, got {kind}"
    )


@dataclass(frozen=True)
class Windows:
    """What a network takes."""

    fps: float
    """Frames per second that it was trained with."""
    frames: int
    """Frames of a window."""
    hop: int
    """Frames from the beginning of a window to that of the next."""

    def picks(self, count: int, fps: float) -> np.ndarray:
        """Which of `count` frames at `fps` are shown, one row a window: (windows, frames) integers.

        The nearest frame is taken; a clip shorter than a window holds its last frame; the last window ends with
        the clip. Raises RecognitionError unless count and fps are above 0.
        """
        if count < 1 or not fps > 0:
            raise RecognitionError(
                f"a clip of {count} frames at {fps} a second has nothing to recognize: check it"
            )
        length = max(1, int(np.floor((count - 1) * self.fps / fps + 1e-6)) + 1)
        starts = list(range(0, max(1, length - self.frames + 1), self.hop))
        if length > self.frames and starts[-1] + self.frames < length:
            starts.append(length - self.frames)
        wanted = np.array(starts)[:, None] + np.arange(self.frames)[None, :]
        nearest = np.floor(np.minimum(wanted, length - 1) * (fps / self.fps) + 0.5).astype(int)
        return np.minimum(nearest, count - 1)


def scaled_size(height: int, width: int, short: int, multiple: int, longest: float = 2.0) -> tuple[int, int]:
    """Height and width with `short` as the shorter side and about the same aspect, both multiples of `multiple`.

    Pictures longer than `longest` times their short side are squeezed.
    """
    ratio = min(longest, max(height, width) / min(height, width))
    long = max(short, round(short * ratio / multiple) * multiple)
    return (short, long) if width >= height else (long, short)


def scale(frames: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(T, 3, H, W) to (T, 3, height, width), bilinear, low-pass filtered where it shrinks."""
    if frames.shape[2:] == (height, width):
        return frames
    return F.interpolate(frames, (height, width), mode="bilinear", antialias=True, align_corners=False)
