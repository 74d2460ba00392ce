"""What both sides know before the first packet: size, frame rate, model. Everything a packet may lean on."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from fractions import Fraction

from t4vcodec.codec.packet_map import MAX_PACKETS
from t4vcodec.errors import T4VError

MAX_SIDE = 4096
DEFAULT_MODEL = "t4v-classic"


class SetupError(T4VError):
    """A session that can not be: its size, rate or model is out of range."""


@dataclass(frozen=True)
class Grid:
    """Positions of a coded picture: `columns` x `rows` of 16x16 luma samples."""

    columns: int
    rows: int

    @property
    def positions(self) -> int:
        return self.columns * self.rows

    @property
    def most_packets(self) -> int:
        return min(MAX_PACKETS, self.positions)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in luma samples."""
        return self.rows * 16, self.columns * 16


@dataclass(frozen=True)
class Setup:
    """width, height: 1 to 4,096 luma samples. fps: frames per second. model: a name in `pretrained` or a file.

    Raises SetupError.
    """

    width: int
    height: int
    fps: Fraction = Fraction(25)
    model: str = DEFAULT_MODEL

    def __post_init__(self) -> None:
        if not (1 <= self.width <= MAX_SIDE and 1 <= self.height <= MAX_SIDE):
            raise SetupError(
                f"a picture of {self.width}x{self.height} can not be coded: sides go from 1 to {MAX_SIDE}; "
                "scale it first"
            )
        try:
            fps = Fraction(self.fps).limit_denominator(100_000)
        except (ValueError, OverflowError):
            fps = Fraction(0)
        if not 0 < fps <= 1000:
            raise SetupError(
                f"a frame rate of {self.fps} is out of range: above 0 and at most 1000 per second"
            )
        object.__setattr__(self, "fps", fps)

    def grid(self, half: bool) -> Grid:
        """Positions at full size, or at half size (each side halved, rounded up)."""
        w, h = ((self.width + 1) // 2, (self.height + 1) // 2) if half else (self.width, self.height)
        return Grid(-(-w // 16), -(-h // 16))

    @property
    def salt(self) -> int:
        """16 bits that set the packets of this session apart from those of others."""
        model = self.model.rsplit("/", 1)[-1].removesuffix(".safetensors")
        return zlib.crc32(f"{self.width}x{self.height}@{self.fps}:{model}".encode()) & 0xFFFF
