"""The yardstick: what x264 reaches when nothing is lost, at any number of bytes.

x264 `veryfast`, `zerolatency`, infinite GOP, constant rate factor, one thread, payloads of at most 1,200
bytes, decoded again; all bytes counted, 40 of headers for each packet. Qualities between two rate factors
are interpolated linearly in the logarithm of the bytes.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from t4vcodec.baselines.x264 import CRF_RANGE, X264Receiver, X264Stream
from t4vcodec.media.frames import Frame
from t4vcodec.network.stream import SentPacket

Score = Callable[[Sequence[Frame], Sequence[Frame]], tuple[float, float]]
"""(source, shown) -> (SSIM dB, luma PSNR) of the clip."""

SPACING = 1.0
"""Neighbouring rate factors of a bracket differ by at most this much (about 12 % of rate)."""


@dataclass(frozen=True)
class Point:
    """One encode of the clip."""

    crf: float
    bytes: int
    """Sent in total, headers included."""
    ssim_db: float
    psnr_y: float


@dataclass(frozen=True)
class Encoded:
    """Packets of a whole clip and what a receiver must know of them."""

    crf: float
    packets: tuple[SentPacket, ...]
    parameter_sets: tuple[bytes, ...]
    seconds: float
    """Wall time that encoding took."""

    @property
    def bytes(self) -> int:
        return sum(packet.wire_bytes for packet in self.packets)


def encode(frames: Sequence[Frame], fps: Fraction, crf: float, preset: str = "veryfast") -> Encoded:
    """All packets of `frames` at a constant rate factor."""
    start = time.perf_counter()
    stream = X264Stream(frames[0].width, frames[0].height, fps, crf=crf, preset=preset)
    packets = [packet for frame in frames for packet in stream.send(frame)]
    packets += stream.finish()
    return Encoded(crf, tuple(packets), stream.parameter_sets, time.perf_counter() - start)


class ReferenceCurve:
    """Quality over bytes of one clip; encodes what it is asked for and remembers it.

    `known` holds points measured before (of the same clip), so that a cache can be put around.
    """

    def __init__(
        self, frames: Sequence[Frame], fps: Fraction, score: Score, known: Sequence[Point] = ()
    ) -> None:
        self._frames, self._fps, self._score = frames, fps, score
        self._points = {point.crf: point for point in known}

    @property
    def points(self) -> list[Point]:
        """What was measured, in ascending bytes."""
        return sorted(self._points.values(), key=lambda point: (point.bytes, -point.crf))

    def measure(self, crf: float) -> Point:
        """The clip encoded at `crf` and decoded without loss."""
        if crf not in self._points:
            encoded = encode(self._frames, self._fps, crf)
            first = self._frames[0]
            receiver = X264Receiver(
                first.width, first.height, self._fps, encoded.parameter_sets, first.colour
            )
            payloads: dict[int, list[bytes]] = {}
            for packet in encoded.packets:
                payloads.setdefault(packet.frame, []).append(packet.data)
            shown = [receiver.receive(payloads.get(i, []), i) for i in range(len(self._frames))]
            self._points[crf] = Point(crf, encoded.bytes, *self._score(self._frames, shown))
        return self._points[crf]

    def quality_at(self, total_bytes: float) -> Point | None:
        """Quality at exactly `total_bytes`, between two encodes; None if no rate factor reaches them.

        The point's `crf` is interpolated like its qualities, its bytes are those asked for.
        """
        bracket = self._bracket(total_bytes)
        if bracket is None:
            return None
        low, high = bracket
        part = _position(total_bytes, low.bytes, high.bytes)
        return Point(
            low.crf + part * (high.crf - low.crf),
            round(total_bytes),
            low.ssim_db + part * (high.ssim_db - low.ssim_db),
            low.psnr_y + part * (high.psnr_y - low.psnr_y),
        )

    def encode_to(self, total_bytes: float, tolerance: float = 0.02) -> Encoded | None:
        """The encode that comes nearest to `total_bytes`; None if it isn't within the relative tolerance."""
        guess = self.quality_at(total_bytes)
        if guess is None:
            return None
        low, high = CRF_RANGE[1], CRF_RANGE[0]  # as bytes go: a high rate factor gives few
        crf, best = guess.crf, None
        for _ in range(12):
            encoded = encode(self._frames, self._fps, crf)
            if best is None or _miss(encoded.bytes, total_bytes) < _miss(best.bytes, total_bytes):
                best = encoded
            if _miss(best.bytes, total_bytes) <= tolerance / 4:
                break
            # One step by the rule of thumb (6 rate factors double the rate), kept within what is known.
            low, high = (min(low, crf), high) if encoded.bytes < total_bytes else (low, max(high, crf))
            step = crf + 6 * math.log2(encoded.bytes / total_bytes)
            crf = step if high < step < low else (low + high) / 2
        return best if _miss(best.bytes, total_bytes) <= tolerance else None

    def _bracket(self, total_bytes: float) -> tuple[Point, Point] | None:
        low = self.measure(40.0)
        high = self.measure(22.0)
        while low.bytes > total_bytes:
            if low.crf >= CRF_RANGE[1]:
                return None
            low = self.measure(min(low.crf + 6, CRF_RANGE[1]))
        while high.bytes < total_bytes:
            if high.crf <= CRF_RANGE[0]:
                return None
            high = self.measure(max(high.crf - 6, CRF_RANGE[0]))
        known = [p for p in self.points if high.crf <= p.crf <= low.crf]
        at = min(max(bisect_left([p.bytes for p in known], total_bytes), 1), len(known) - 1)
        low, high = known[at - 1], known[at]
        while low.crf - high.crf > SPACING:
            # Halves of whole numbers: neighbouring byte counts then share their encodes.
            middle = self.measure(round(low.crf + high.crf) / 2)
            low, high = (low, middle) if middle.bytes >= total_bytes else (middle, high)
        return low, high


def _position(value: float, low: float, high: float) -> float:
    """Where `value` lies between `low` (0) and `high` (1), in the logarithm."""
    return math.log(value / low) / math.log(high / low) if high > low else 0.0


def _miss(got: float, wanted: float) -> float:
    return abs(got / wanted - 1)
