"""The built-in recognizer's network: a residual network of pictures whose channels are shifted in time.

    window (24 frames) --> 12 steps of (R'G'B' of a frame, change of luma since the frame before and to the next)
      --> space to depth --> 3x3 conv --> residual blocks, channels shifted by a step --> mean and maximum over the
      picture --> 1-d conv over time --> mean over time --> classes

The shift is that of the Temporal Shift Module (Lin, Gan, Han: "TSM", ICCV 2019), which gives pictures' networks a
sense of order at no cost; changes of luma carry fast motion past the coarse steps, as in TEA and TDN.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from t4vcodec.recognition.windows import Windows
from torch import nn

WINDOWS = Windows(fps=12.5, frames=24, hop=6)
MULTIPLE = 16
_CHANGE_GAIN = 3.0
_LEAST_DEVIATION = 0.03
"""Of a window's samples: below it (a black picture) noise is not blown up further."""
_LUMA = (0.299, 0.587, 0.114)  # BT.601-7 section 2.5.1


@dataclass(frozen=True)
class Shape:
    """widths: channels at 1/4, 1/8 and 1/16 of the size. blocks: residual blocks there.

    dropout: before the classes. short_side: of pictures, in samples, a multiple of 16.
    """

    widths: tuple[int, int, int] = (32, 64, 160)
    blocks: tuple[int, int, int] = (1, 2, 2)
    dropout: float = 0.4
    short_side: int = 80

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def shifted(x: torch.Tensor, steps: int) -> torch.Tensor:
    """(N * steps, C, H, W) with a quarter of the channels from the step before and a quarter from the one after.

    Zeros come in at the ends.
    """
    x = x.unflatten(0, (-1, steps))
    quarter = x.shape[2] // 4
    before, after, rest = x[:, :, :quarter], x[:, :, quarter : 2 * quarter], x[:, :, 2 * quarter :]
    before = F.pad(before[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
    after = F.pad(after[:, 1:], (0, 0, 0, 0, 0, 0, 0, 1))
    return torch.cat([before, after, rest], 2).flatten(0, 1)


class _Block(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.past = None
        if stride != 1 or before != width:
            self.past = nn.Sequential(nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width))
        self.stride = stride
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, x: torch.Tensor, steps: int) -> torch.Tensor:
        y = F.relu(self.first_norm(self.first(shifted(x, steps))))
        y = self.second_norm(self.second(y))
        if self.past is not None:
            x = self.past(F.avg_pool2d(x, self.stride) if self.stride > 1 else x)
        return F.relu(x + y)


class ActionNetwork(nn.Module):
    """Windows of frames to one score (before softmax) a class."""

    def __init__(self, classes: int, shape: Shape = Shape()) -> None:
        super().__init__()
        self.shape = shape
        first, second, third = shape.widths
        self.stem = nn.Conv2d(5 * 4, first, 3, 2, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(first)
        self.fine = nn.ModuleList(self._stage(first, first, shape.blocks[0], 1))
        self.middle = nn.ModuleList(self._stage(first, second, shape.blocks[1], 2))
        self.coarse = nn.ModuleList(self._stage(second, third, shape.blocks[2], 2))
        self.over_time = nn.Conv1d(2 * third, third, 3, padding=1, bias=False)
        self.time_norm = nn.BatchNorm1d(third)
        self.dropout = nn.Dropout(shape.dropout)
        self.classes = nn.Linear(third, classes)

    @staticmethod
    def _stage(before: int, width: int, blocks: int, stride: int) -> list[_Block]:
        return [_Block(before if i == 0 else width, width, stride if i == 0 else 1) for i in range(blocks)]

    @property
    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """(N, 24, 3, H, W) in 0..1, H and W multiples of 16, to (N, classes)."""
        return self.classes(self.dropout(self.features(windows)))

    def features(self, windows: torch.Tensor) -> torch.Tensor:
        """(N, 24, 3, H, W) in 0..1 to (N, C), what the classes are told from."""
        x = steps_of(windows)
        steps = x.shape[1]
        x = F.pixel_unshuffle(x.flatten(0, 1), 2).contiguous(memory_format=torch.channels_last)
        x = F.relu(self.stem_norm(self.stem(x)))
        for block in (*self.fine, *self.middle):
            x = block(x, steps)
        # Half as many steps from here on.
        x = x.unflatten(0, (-1, steps // 2, 2)).mean(2).flatten(0, 1)
        x = x.contiguous(memory_format=torch.channels_last)
        for block in self.coarse:
            x = block(x, steps // 2)
        x = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1).unflatten(0, (-1, steps // 2)).transpose(1, 2)
        return F.relu(self.time_norm(self.over_time(x))).mean(2)


def steps_of(windows: torch.Tensor) -> torch.Tensor:
    """(N, T, 3, H, W) in 0..1 to (N, T / 2, 5, H, W): colours and changes, free of the window's brightness and
    contrast."""
    mean = windows.mean((1, 2, 3, 4), keepdim=True)
    deviation = windows.flatten(1).std(1).clamp_min(_LEAST_DEVIATION)[:, None, None, None, None]
    x = (windows - mean) / deviation
    luma = sum(weight * x[:, :, i] for i, weight in enumerate(_LUMA))
    here, after = luma[:, 0::2], luma[:, 1::2]
    before = torch.cat([here[:, :1], after[:, :-1]], 1)
    changes = _CHANGE_GAIN * torch.stack([here - before, after - here], 2)
    return torch.cat([x[:, 0::2], changes], 2)
