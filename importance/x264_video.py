"""x264 cut into slices that fit packets, without protection: what users of a standard codec have.

Decoded by libavcodec with its concealment (`baselines.x264`). There is no gradient through that decoder; influence
is measured by decoding, and to first order from pictures (`influence.first_order_of_pictures`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from t4vcodec.baselines.reference import Encoded, ReferenceCurve
from t4vcodec.baselines.x264 import X264Receiver
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.sent_video import check_set
from t4vcodec.media.frames import Colour, Frame, to_rgb
from t4vcodec.network.stream import HEADER_BYTES


@dataclass(frozen=True, eq=False)
class X264Shown:
    """What was shown. arrived: (packets,) bool."""

    arrived: np.ndarray
    pictures: tuple[Frame, ...]


@dataclass(frozen=True, eq=False)
class X264Video:
    """x264's stream of one video; an `AnyVideo`."""

    width: int
    height: int
    rate: Fraction
    encoded: Encoded
    frames: int
    colour: Colour

    @classmethod
    def encode(cls, frames: Sequence[Frame], fps: Fraction, total_bytes: float) -> X264Video:
        """The encode (`veryfast`, zerolatency, constant rate factor) of these bytes, 40 a packet included.

        Raises ImportanceError where no rate factor comes near.
        """
        curve = ReferenceCurve(frames, fps, lambda source, shown: (0.0, 0.0))
        encoded = curve.encode_to(total_bytes, tolerance=0.05)
        if encoded is None:
            raise ImportanceError(f"x264 has no rate factor for {total_bytes:.0f} bytes: take another rate")
        first = frames[0]
        return cls(first.width, first.height, Fraction(fps), encoded, len(frames), first.colour)

    @property
    def fps(self) -> float:
        return float(self.rate)

    @cached_property
    def payloads(self) -> tuple[tuple[bytes, ...], ...]:
        """By frame."""
        out: list[list[bytes]] = [[] for _ in range(self.frames)]
        for packet in self.encoded.packets:
            out[packet.frame].append(packet.data)
        return tuple(map(tuple, out))

    @cached_property
    def frame_of(self) -> np.ndarray:
        return np.repeat(np.arange(self.frames), [len(frame) for frame in self.payloads])

    @cached_property
    def sizes(self) -> np.ndarray:
        return np.array([len(payload) + HEADER_BYTES for frame in self.payloads for payload in frame])

    @property
    def everything(self) -> np.ndarray:
        """The set of all packets."""
        return np.ones(len(self.frame_of), bool)

    def play(self, arrived: np.ndarray, base: X264Shown | None = None) -> X264Shown:
        """Decodes what `arrived`; `base` spares nothing but a repetition."""
        arrived = check_set(arrived, len(self.frame_of))
        if base is not None and np.array_equal(base.arrived, arrived):
            return base
        receiver = X264Receiver(self.width, self.height, self.rate, self.encoded.parameter_sets, self.colour)
        here = iter(arrived)
        pictures = tuple(
            receiver.receive([payload for payload in frame if next(here)], number)
            for number, frame in enumerate(self.payloads)
        )
        return X264Shown(arrived, pictures)

    def rgb(self, shown: X264Shown, frames: Sequence[int] | None = None) -> np.ndarray:
        """(T, H, W, 3) uint8 R'G'B'; where `frames` are given, the others are left black."""
        out = np.zeros((self.frames, self.height, self.width, 3), np.uint8)
        for frame in range(self.frames) if frames is None else frames:
            out[frame] = to_rgb(shown.pictures[frame])
        return out

    def __repr__(self) -> str:
        return f"X264Video({self.width}x{self.height}, {self.frames} frames, {len(self.frame_of)} packets)"
