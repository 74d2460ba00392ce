"""Rate control: which quality index the next frame gets, so that the sent bytes follow the target.

A frame of class c (key, long-term, plain) at quality q takes about a_c 2^(-slope q / 9) bits; a_c follows what
frames took. The plain frames' quality is chosen so that the frames of the next `HORIZON` bring what was sent
back to the target line; key and long-term frames are finer by fixed offsets. No look-ahead.
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
TOLERANCE = 1.25  # a key frame off its target by more than this factor is coded again

_FOLLOW = {KEY_FRAME: 1.0, LONG_FRAME: 0.7, PLAIN_FRAME: 0.4}


def _relative(quality: float) -> float:
    return float(2.0 ** (-SLOPE * quality / OCTAVE))


@dataclass
class RateControl:
    """bits_per_frame: the target, headers included. period: frames from one long-term reference to the next.

    level: the quality index of plain frames, not rounded. owed: bits sent beyond the target so far.
    """

    bits_per_frame: float
    period: int
    level: float = 30.0
    owed: float = 0.0
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
            horizon = min(max(self.period, 12), 25)
            longs = horizon / self.period
            whole = (horizon - longs) * self._scale[PLAIN_FRAME]
            whole += longs * self._scale[LONG_FRAME] * _relative(-FINER[LONG_FRAME])
            budget = horizon * self.bits_per_frame
            wanted = OCTAVE / SLOPE * np.log2(whole / max(budget - self.owed, 0.3 * budget))
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
