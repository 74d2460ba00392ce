"""Rate control: which quality index the next frame gets, so that the sent bytes follow the target.

A frame of class c (key, long-term, plain) at quality q takes about a_c 2^(-slope q / 9) bits; a_c follows what
frames took. The level (quality of plain frames) is the one at which the mean over a period, its long-term
frame included, meets the target; long-term and key frames are finer by fixed offsets. What was sent beyond the
target is compared with the saw tooth that a long-term frame in every period makes by itself, and the rest is
paid back within some frames. A key frame may take many frames' worth; what of that is not paid back after a
second is forgiven. No look-ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from t4vcodec.codec.contexts import KEY_FRAME, LONG_FRAME, PLAIN_FRAME

FINER = {KEY_FRAME: 5, LONG_FRAME: 5, PLAIN_FRAME: 0}
SLOPE = 1.05
OCTAVE = 9.0
MOST_CHANGE = 3.0
KEY_FRAMES = 10.0  # a key frame may take as much as this many frames; it is paid back within a second
GAIN = 2.0  # how much faster than over a period a deviation is paid back
TOLERANCE = 1.25  # a key frame off its target by more than this factor is coded again

_FOLLOW = {KEY_FRAME: 1.0, LONG_FRAME: 0.7, PLAIN_FRAME: 0.4}


def _relative(quality: float) -> float:
    return float(2.0 ** (-SLOPE * quality / OCTAVE))


@dataclass
class RateControl:
    """bits_per_frame: the target, headers included. period: mean frames from one long-term reference to the next.

    level: the quality index of plain frames, not rounded. owed: bits sent beyond the target, since_long and
    since_key: frames sent since such a frame.
    """

    bits_per_frame: float
    period: float
    fps: float
    level: float = 30.0
    owed: float = 0.0
    since_long: int = 0
    since_key: int = 0
    _scale: dict[int, float] = field(default_factory=dict)

    def expected(self, frame_class: int) -> float:
        """Bits of the next frame of a class at the present level."""
        return self._scale.get(frame_class, self.bits_per_frame) * _relative(self.level - FINER[frame_class])

    def choose(self, frame_class: int, activity: float) -> int:
        """Quality index (0 to 63) of the next frame.

        activity: guess of a key frame's bits at quality 0, used until one was coded.
        """
        if frame_class == KEY_FRAME:
            self._scale.setdefault(KEY_FRAME, activity)
            self.level = self._bounded(
                OCTAVE / SLOPE * np.log2(self._scale[KEY_FRAME] / (KEY_FRAMES * self.bits_per_frame))
                + FINER[KEY_FRAME]
            )
        else:
            # Frames before anything is known of their class: a share of the key frame's.
            for c, share in ((PLAIN_FRAME, 0.12), (LONG_FRAME, 0.3)):
                self._scale.setdefault(c, share * self._scale[KEY_FRAME])
            horizon = min(max(self.period, 12.0), 25.0)
            longs = horizon / self.period
            long = self._scale[LONG_FRAME] * _relative(-FINER[LONG_FRAME])
            whole = (horizon - longs) * self._scale[PLAIN_FRAME] + longs * long
            budget = horizon * self.bits_per_frame
            tooth = self.bits_per_frame * (horizon * long / whole - 1.0) if longs > 0.5 else 0.0
            deviation = self.owed - tooth * (0.5 - self.since_long / self.period)
            left = min(max(budget - GAIN * deviation, 0.4 * budget), 2.5 * budget)
            wanted = OCTAVE / SLOPE * np.log2(whole / left)
            self.level = self._bounded(self.level + min(max(wanted - self.level, -MOST_CHANGE), MOST_CHANGE))
        return int(min(max(round(self.level - FINER[frame_class]), 0), 63))

    @staticmethod
    def _bounded(level: float) -> float:
        return float(min(max(level, 0.0), 63.0))

    def off_target(self, frame_class: int, quality: int, bits: float) -> bool:
        """Whether a key frame just coded is worth coding again with the better estimate it gave."""
        if frame_class != KEY_FRAME:
            return False
        self._scale[KEY_FRAME] = bits / _relative(quality)
        ratio = bits / (KEY_FRAMES * self.bits_per_frame)
        return not 1 / TOLERANCE <= ratio <= TOLERANCE

    def update(self, frame_class: int, quality: int, bits: float) -> None:
        """Tell what the frame took, everything counted."""
        seen = max(bits, 1.0) / _relative(quality)
        old = self._scale.get(frame_class, seen)
        follow = _FOLLOW[frame_class]
        self._scale[frame_class] = float(old ** (1 - follow) * seen**follow)
        self.owed += bits - self.bits_per_frame
        self.since_key = 0 if frame_class == KEY_FRAME else self.since_key + 1
        self.since_long = 0 if frame_class != PLAIN_FRAME else self.since_long + 1
        if self.since_key == round(self.fps) - 1:
            self.owed = min(self.owed, 0.0)
