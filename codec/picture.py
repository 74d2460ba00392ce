"""A decoded picture as the codec keeps it: planes padded to whole positions, 8-bit values in float tensors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from t4vcodec.codec.compensation import interpolate
from t4vcodec.codec.sample_kernels import bordered, phases8
from t4vcodec.media.frames import Colour, Frame

GREY = 128.0


@dataclass(frozen=True, eq=False)
class Picture:
    """y: (H, W), u and v: (H/2, W/2) tensors of whole values 0 to 255; H and W are multiples of 16.

    damage: how much of it is guessed, see `damage.py`; None where nothing is. Immutable and shared between states;
    the interpolated phases are made once, when first wanted.
    """

    y: torch.Tensor
    u: torch.Tensor
    v: torch.Tensor
    damage: np.ndarray | None = None

    @classmethod
    def grey(cls, height: int, width: int, dtype: torch.dtype = torch.float32) -> Picture:
        half = torch.full((height // 2, width // 2), GREY, dtype=dtype)
        return cls(torch.full((height, width), GREY, dtype=dtype), half, half)

    @cached_property
    def phases(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The 16 quarter-sample phases of each plane, (16, H + 2 B, W + 2 B)."""
        return (
            interpolate(self.y, chroma=False),
            interpolate(self.u, chroma=True),
            interpolate(self.v, chroma=True),
        )

    @cached_property
    def luma_phases8(self) -> np.ndarray:
        """The luma phases rounded to (16, H + 2 B, W + 2 B) uint8, for the encoder's search."""
        return phases8(self.luma8)

    @cached_property
    def bordered(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The planes with a border, for the prediction without gradient."""
        return tuple(bordered(plane) for plane in (self.y, self.u, self.v))

    @property
    def plain(self) -> bool:
        """Whether the samples are float32 and no gradient is asked for."""
        planes = (self.y, self.u, self.v)
        return all(p.dtype == torch.float32 and not p.requires_grad for p in planes)

    @cached_property
    def luma8(self) -> np.ndarray:
        return self.y.float().to(torch.uint8).numpy()

    def to(self, dtype: torch.dtype) -> Picture:
        """The same in another precision."""
        if self.y.dtype == dtype:
            return self
        return Picture(self.y.to(dtype), self.u.to(dtype), self.v.to(dtype), self.damage)

    def forget_phases(self) -> None:
        """Free the phases, 25 times the size of the picture; they are made again when wanted."""
        for name in ("phases", "luma_phases8", "bordered"):
            self.__dict__.pop(name, None)

    @classmethod
    def from_frame(cls, frame: Frame, height: int, width: int) -> Picture:
        """Pad a frame to (height, width) by repeating its border."""
        planes = []
        for plane, div in ((frame.y, 1), (frame.u, 2), (frame.v, 2)):
            h, w = height // div, width // div
            padded = np.pad(plane, ((0, h - plane.shape[0]), (0, w - plane.shape[1])), mode="edge")
            planes.append(torch.from_numpy(padded.astype(np.float32)))
        return cls(*planes)

    def to_frame(self, height: int, width: int, time: float, colour: Colour) -> Frame:
        """Crop to the frame's size."""
        half = ((height + 1) // 2, (width + 1) // 2)
        planes = [
            plane[:h, :w].float().round().clamp(0, 255).to(torch.uint8).numpy()
            for plane, (h, w) in zip((self.y, self.u, self.v), ((height, width), half, half))
        ]
        return Frame(*planes, time=time, colour=colour)

    def halved(self, height: int, width: int) -> Picture:
        """Half the size by the mean of 2x2 samples, padded to (height, width)."""
        planes = []
        for plane, div in ((self.y, 1), (self.u, 2), (self.v, 2)):
            small = F.avg_pool2d(plane[None, None], 2, ceil_mode=True)
            h, w = height // div, width // div
            small = small[..., :h, :w]
            pad = (0, w - small.shape[3], 0, h - small.shape[2])
            planes.append(F.pad(small, pad, mode="replicate")[0, 0].round())
        return Picture(*planes)

    def enlarged(self, height: int, width: int) -> Picture:
        """Twice the size by bicubic interpolation, cropped or padded to (height, width)."""
        planes = []
        for plane, div in ((self.y, 1), (self.u, 2), (self.v, 2)):
            h, w = height // div, width // div
            fine = plane[None, None].to(torch.promote_types(plane.dtype, torch.float32))
            large = F.interpolate(fine, scale_factor=2, mode="bicubic", align_corners=False)
            large = large[..., :h, :w].clamp(0, 255)
            pad = (0, w - large.shape[3], 0, h - large.shape[2])
            planes.append(F.pad(large, pad, mode="replicate")[0, 0])
        return Picture(*planes)

    def __repr__(self) -> str:
        return f"Picture(y={tuple(self.y.shape)}, u={tuple(self.u.shape)}, {self.y.dtype})"
