"""Rate control: which quality index the next frame gets, so that the sent bytes follow the target.

A frame of class c (key, long-term, plain) at quality q takes about a_c 2^(-slope q / 9) bits; a_c follows what
frames took. The plain frames' quality is chosen so that the frames of the next `HORIZON` bring what was sent
back to the target line; key and long-term frames are finer by fixed offsets. No look-ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from t4vcodec.codec.contexts import KEY_FRAME, LONG_FRAME, PLAIN_FRAME

FINER = {KEY_FRAME: 8, LONG_FRAME: 3, PLAIN_FRAME: 0}
SLOPE = 1.05
OCTAVE = 9.0
MOST_CHANGE = 2.0


def _relative(quality: float) -> float:
    return float(2.0 ** (-SLOPE * quality / OCTAVE))


@dataclass
class RateControl:
    """bits_per_frame: the target, headers included. period: frames from one long-term reference to the next."""

    bits_per_frame: float
    period: int
    level: float | None = None
    owed: float = 0.0
    _scale: dict[int, float] = field(default_factory=dict)

    def first_key(self, pixels: int, activity: float) -> None:
        """Start from a guess of the first frame's complexity: `activity` is the mean |gradient| of its luma."""
        self._scale[KEY_FRAME] = pixels * max(activity, 0.5) * 0.55
        self._scale[PLAIN_FRAME] = self._scale[KEY_FRAME] * 0.10
        self._scale[LONG_FRAME] = self._scale[KEY_FRAME] * 0.22

    def expected(self, frame_class: int, level: float) -> float:
        """Bits of a frame if plain frames are coded at `level`."""
        return self._scale[frame_class] * _relative(level - FINER[frame_class])

    def _level_for(self, bits: float, classes: dict[int, float]) -> float:
        """The level at which frames (class: how many) take `bits` together."""
        whole = sum(n * self.expected(c, 0.0) for c, n in classes.items())
        return OCTAVE / SLOPE * float(np.log2(whole / max(bits, 1.0)))

    def choose(self, frame_class: int) -> int:
        """Quality index (0 to 63) of the next frame."""
        horizon = max(self.period, 12)
        longs = horizon / self.period if self.period < 1000 else 0.0
        classes = {PLAIN_FRAME: horizon - longs, LONG_FRAME: longs}
        budget = horizon * self.bits_per_frame
        if frame_class == KEY_FRAME:
            classes[KEY_FRAME] = 1.0
            budget *= 2.0  # a key frame is paid back over a second or so
        wanted = self._level_for(max(budget - self.owed, 0.15 * budget), classes)
        if self.level is None or frame_class == KEY_FRAME:
            self.level = wanted
        else:
            self.level += min(max(wanted - self.level, -MOST_CHANGE), MOST_CHANGE)
        self.level = min(max(self.level, 0.0), 63.0)
        return int(min(max(round(self.level - FINER[frame_class]), 0), 63))

    def update(self, frame_class: int, quality: int, bits: float) -> None:
        """Tell what the frame took, everything counted."""
        seen = bits / _relative(quality)
        old = self._scale.get(frame_class, seen)
        fresh = {KEY_FRAME: 1.0, LONG_FRAME: 0.7, PLAIN_FRAME: 0.35}[frame_class]
        self._scale[frame_class] = float(np.exp((1 - fresh) * np.log(old) + fresh * np.log(max(seen, 1.0))))
        self.owed += bits - self.bits_per_frame
