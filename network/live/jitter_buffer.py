"""The receiver's two waits: until a frame's packets are all there, and until it is time to show its picture.

No clock and no codec: times are passed in as seconds that never go back, a frame is a number, packets are its
parts. `FrameBuffer` hands a frame out once it is whole or no more of it comes; what comes later is handed out with
the next one. `Playout` says when to show: pictures follow each other as they were taken, as late as is needed for
nearly all of them to be decoded by then.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

CAPACITY = 64
"""With more frames than this the oldest is handed out early."""
MOST_HELD = 2 * CAPACITY
"""Packets of further frames are dropped if nobody takes what is ready."""
LATE_KEPT = 256
RECENT = 256
"""Packets, or pictures, that something is learnt from."""
SHARE = 0.95
"""Of the recent ones that are to be in time."""
ENOUGH = 8
QUIET_LEAST, QUIET_MOST = 0.02, 0.2
"""Bounds of the wait for more of a frame, seconds."""
DELAY_LEAST, DELAY_MOST = 0.01, 0.5
"""Bounds of the wait for the time to show, seconds."""
MARGIN = 0.005
JUMP = 2.0
"""A way that differs by more from the usual one, in seconds, says that a clock was set."""


@dataclass(frozen=True)
class ReadyFrame:
    """A frame to decode. parts: what arrived, by index. stamp: seconds on the sender's clock. since: when it
    became ready, on this side's clock. late: packets of frames that were handed out before."""

    number: int
    parts: tuple[bytes, ...]
    stamp: float
    since: float
    late: tuple[bytes, ...]


@dataclass
class _OpenFrame:
    count: int
    stamp: float
    latest: float
    """When the last of its packets came."""
    parts: dict[int, bytes] = field(default_factory=dict)


class FrameBuffer:
    """Packets by frame. Frame numbers count from 0; at most `MOST_HELD` frames are held."""

    def __init__(self) -> None:
        self._gaps: deque[float] = deque(maxlen=RECENT)
        self._quiet: float | None = None
        self.restart()

    def restart(self) -> None:
        """Another session: numbers start at 0 again, what is held is dropped."""
        self.next = 0
        """Number of the frame that is handed out next, unless it is lost whole."""
        self.late = 0
        """Packets that came after their frame was handed out."""
        self._open: dict[int, _OpenFrame] = {}
        self._late: deque[bytes] = deque(maxlen=LATE_KEPT)

    def __len__(self) -> int:
        return len(self._open)

    def put(self, number: int, index: int, count: int, stamp: float, data: bytes, now: float) -> None:
        """Take part `index` of `count` of frame `number`."""
        if number < self.next:
            self.late += 1
            self._late.append(data)
            return
        frame = self._open.get(number)
        if frame is None:
            if len(self._open) >= MOST_HELD:
                return
            frame = self._open[number] = _OpenFrame(count, stamp, now)
        elif index in frame.parts:
            return
        else:
            self._gaps.append(max(now - frame.latest, 0.0))
            self._quiet = None
        frame.latest = now
        frame.parts[index] = data

    @property
    def quiet(self) -> float:
        """Seconds without a packet of a frame after which no more of it is waited for."""
        if self._quiet is None:
            usual = _high(self._gaps) if self._gaps else 0.0
            self._quiet = min(max(2 * usual + MARGIN, QUIET_LEAST), QUIET_MOST)
        return self._quiet

    def next_deadline(self) -> float:
        """When `take` has something to hand out; infinity if nothing is held."""
        first = min(self._open, default=None)
        if first is None:
            return math.inf
        frame = self._open[first]
        if (first == self.next and len(frame.parts) >= frame.count) or len(self._open) > CAPACITY:
            return frame.latest
        return frame.latest + self.quiet

    def take(self, now: float) -> ReadyFrame | None:
        """The next frame that is whole or of which no more comes, in order; None if there is none."""
        since = self.next_deadline()
        if since > now:
            return None
        first = min(self._open)
        frame = self._open.pop(first)
        self.next = first + 1
        late, self._late = tuple(self._late), deque(maxlen=LATE_KEPT)
        parts = tuple(frame.parts[i] for i in sorted(frame.parts))
        return ReadyFrame(first, parts, frame.stamp, since, late)


class Playout:
    """When to show pictures. A way is the time from a picture's stamp to its being decoded, on two clocks."""

    def __init__(self) -> None:
        self._ways: deque[float] = deque(maxlen=RECENT)
        self._known: tuple[float, float] | None = None

    def restart(self) -> None:
        """Another sender's clock."""
        self._ways.clear()
        self._known = None

    def note(self, stamp: float, decoded: float) -> None:
        """A picture taken at `stamp`, on the sender's clock, was decoded at `decoded`, on this side's."""
        way = decoded - stamp
        if self._ways and abs(way - self._ways[-1]) > JUMP:
            self._ways.clear()
        self._ways.append(way)
        self._known = None

    @property
    def spread(self) -> tuple[float, float]:
        """Least way lately (seconds, of an unknown origin), and the delay on top of it (seconds)."""
        if self._known is None:
            if len(self._ways) < ENOUGH:
                self._known = (min(self._ways, default=0.0), DELAY_LEAST)
            else:
                least = min(self._ways)
                wanted = _high(self._ways) - least + MARGIN
                self._known = (least, min(max(wanted, DELAY_LEAST), DELAY_MOST))
        return self._known

    def due(self, stamp: float, decoded: float) -> float:
        """When to show that picture: never before it is decoded, nor much later whatever the clocks do."""
        least, delay = self.spread
        return min(max(stamp + least + delay, decoded), decoded + delay)


def _high(values: deque[float]) -> float:
    ordered = sorted(values)
    return ordered[min(int(SHARE * len(ordered)), len(ordered) - 1)]
