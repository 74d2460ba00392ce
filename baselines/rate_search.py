"""Finding the quality that gives a number of bytes, offline, as opponents may.

Qualities lie on a grid of about 1 % of the bytes. What was encoded for one target brackets the next, so that
targets of one clip and one configuration cost about two encodes each.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from fractions import Fraction

from t4vcodec.baselines.coded import CodedClip, encode_source
from t4vcodec.baselines.encoders import Source
from t4vcodec.baselines.settings import CODECS, CodecSettings
from t4vcodec.media.frames import Frame
from t4vcodec.network.stream import MAX_PAYLOAD

_FIRST_GUESS = 0.6
"""Where on the scale of qualities a search begins that knows nothing."""
_ENCODES = 12
"""At most, for one target."""


class RateSearch:
    """One clip in one configuration; keeps the last `keep` encodes and frames that were scaled."""

    def __init__(
        self,
        frames: Sequence[Frame],
        fps: Fraction,
        settings: CodecSettings,
        max_payload: int = MAX_PAYLOAD,
        keep: int = 12,
    ) -> None:
        self.settings, self._fps, self._max_payload, self._keep = settings, Fraction(fps), max_payload, keep
        self._source = Source(frames, settings)
        self._codec = CODECS[settings.codec]
        self._last = math.floor((self._codec.highest - self._codec.lowest) / self._codec.step)
        self._known: OrderedDict[int, CodedClip] = OrderedDict()

    def encode(self, at: int) -> CodedClip:
        """The clip at step `at` of the grid, 0 being the best quality."""
        if at not in self._known:
            quality = self._codec.lowest + at * self._codec.step
            self._known[at] = encode_source(
                self._source, self._fps, self.settings, round(quality, 4), self._max_payload
            )
            if len(self._known) > self._keep:
                self._known.popitem(last=False)
        self._known.move_to_end(at)
        return self._known[at]

    def encode_to(
        self, total_bytes_of: Callable[[CodedClip], int], target: int, tolerance: float = 0.02
    ) -> CodedClip | None:
        """The encode whose `total_bytes_of` comes nearest to `target` bytes; None outside of the tolerance.

        total_bytes_of: all bytes that sending the clip takes, protection and headers included.
        """
        totals = {at: total_bytes_of(clip) for at, clip in self._known.items()}
        for _ in range(_ENCODES):
            near = min((_miss(total, target) for total in totals.values()), default=math.inf)
            at = self._next(totals, target)
            if at is None and near > tolerance:
                at = self._beside(totals, target)
            if at is None or near <= tolerance / 3:
                break
            totals[at] = total_bytes_of(self.encode(at))
        best = min(totals, key=lambda at: _miss(totals[at], target))
        return self.encode(best) if _miss(totals[best], target) <= tolerance else None

    def _next(self, totals: dict[int, int], target: int) -> int | None:
        """The step to try next; None where the grid has none between what is known."""
        if not totals:
            return round(_FIRST_GUESS * self._last)
        above = max((at for at, total in totals.items() if total >= target), default=-1)
        below = min(
            (at for at, total in totals.items() if total < target and at > above), default=self._last + 1
        )
        if below - above <= 1:
            return None
        if above >= 0 and below <= self._last:
            part = math.log(totals[above] / target) / math.log(totals[above] / totals[below])
            # Away from the ends, lest a bent curve be approached from one side only.
            guess = above + min(max(part, 0.15), 0.85) * (below - above)
        else:
            known = above if above >= 0 else below
            steps = math.log2(totals[known] / target) * self._codec.doubling / self._codec.step
            guess = known + steps
        # Whole qualities first: those between them need not lie in order with their neighbours'.
        whole = self._codec.between
        if below // whole > above // whole + 1:
            low, high = above // whole + 1, -(-below // whole) - 1
            return whole * min(max(round(guess / whole), low), high)
        return min(max(round(guess), above + 1), below - 1)

    def _beside(self, totals: dict[int, int], target: int) -> int | None:
        """An untried step near the best: short clips don't always get smaller from step to step."""
        if not min(totals.values()) < target < max(totals.values()):
            return None
        best = min(totals, key=lambda at: _miss(totals[at], target))
        around = (best + sign * distance for distance in (1, 2) for sign in (1, -1))
        return next((at for at in around if 0 <= at <= self._last and at not in totals), None)


def _miss(got: float, wanted: float) -> float:
    return abs(got / wanted - 1)


def encode_to(
    frames: Sequence[Frame],
    fps: Fraction,
    settings: CodecSettings,
    total_bytes_of: Callable[[CodedClip], int],
    target: int,
    tolerance: float = 0.02,
    max_payload: int = MAX_PAYLOAD,
) -> CodedClip | None:
    """One search of its own; `RateSearch` is cheaper for several targets of one clip."""
    return RateSearch(frames, fps, settings, max_payload).encode_to(total_bytes_of, target, tolerance)
