"""Congestion windows of TCP, in segments: Reno (RFC 5681) and Cubic (RFC 9438).

Both double each round trip in slow start and grow one segment, or along a cubic, in congestion avoidance. As in
Linux, a window shrinks from what it is, not from what is in flight (RFC 5681 takes the latter), to a whole
number of segments, rounded down (of 5 segments Cubic leaves 3: at the small windows of video that decides), and
one that was not used is not grown (`tcp` asks only where it was).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

FIRST_WINDOW = 10
"""Segments (RFC 6928)."""
LEAST_THRESHOLD = 2.0


@dataclass
class Reno:
    """Adds one segment each round trip, halves at a loss."""

    window: float = FIRST_WINDOW
    """Segments that may be on their way."""
    threshold: float = math.inf
    """Slow start ends here."""

    def grow(self, acked: int, round_trip: float, now: float) -> None:
        """`acked` segments were acknowledged while the window was in use."""
        if self.window < self.threshold:
            started = self.window
            self.window = min(self.window + acked, max(self.threshold, started))
            acked -= math.ceil(self.window - started)
        if acked > 0:
            self._avoid(acked, round_trip, now)

    def shrink(self, now: float) -> float:
        """A loss, once a round trip: sets and returns the new threshold; the window is the caller's to lower."""
        self.threshold = max(LEAST_THRESHOLD, math.floor(self.window) // 2)
        return self.threshold

    def timed_out(self, now: float, first: bool) -> None:
        """A timeout: one segment, slow start; the threshold falls at the first of a series."""
        if first:
            self.shrink(now)
        self.window = 1.0

    def idle(self, used: float) -> None:
        """The sender had too little to send for a timeout's time, using `used` segments (RFC 2861)."""
        used = max(used, FIRST_WINDOW)
        if used < self.window:
            self.threshold = max(self.threshold, 0.75 * self.window)
            self.window = (self.window + used) / 2

    def _avoid(self, acked: int, round_trip: float, now: float) -> None:
        self.window += acked / self.window


@dataclass
class Cubic(Reno):
    """W(t) = C (t - K)^3 + W_max, K = cbrt(W_max (1 - beta) / C), never below what Reno would have (RFC 9438)."""

    C = 0.4
    BETA = 0.7

    most: float = field(default=0.0, init=False)
    """W_max: window at the last loss."""
    _epoch: float | None = field(default=None, init=False)
    _prior: float = field(default=0.0, init=False)
    _reno: float = field(default=0.0, init=False)
    _origin: float = field(default=0.0, init=False)
    _delay: float = field(default=0.0, init=False)

    def shrink(self, now: float) -> float:
        # Fast convergence: a window that shrinks below its last maximum leaves room for others.
        self._prior = self.window
        falling = self.window < self.most
        self.most = self.window * (1 + self.BETA) / 2 if falling else self.window
        self._epoch = None
        self.threshold = max(LEAST_THRESHOLD, math.floor(math.floor(self.window) * self.BETA))
        return self.threshold

    def _avoid(self, acked: int, round_trip: float, now: float) -> None:
        if self._epoch is None:
            self._epoch = now
            self._reno = self.window
            self._origin = max(self.most, self.window)
            self._delay = math.cbrt((self._origin - self.window) / self.C)
        time = now - self._epoch + round_trip
        target = self.C * (time - self._delay) ** 3 + self._origin
        target = min(max(target, self.window), 1.5 * self.window)
        slope = 3 * (1 - self.BETA) / (1 + self.BETA) if self._reno < self._prior else 1.0
        self._reno += slope * acked / self.window
        self.window += (target - self.window) * min(1.0, acked / self.window)
        self.window = max(self.window, self._reno)


WINDOWS = {"reno": Reno, "cubic": Cubic}
