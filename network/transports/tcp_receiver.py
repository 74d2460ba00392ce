"""TCP's receiving side: reassembly in order, acknowledgements with SACK blocks, some of them delayed.

An acknowledgement leaves at once when more than one segment's bytes wait for it, when something is out of
order, a gap closes or a copy comes (RFC 5681, 2018), and for the first 16 segments, as Linux does it; otherwise
after 40 ms, Linux' least delay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from t4vcodec.network.transports.base import Delivered, Receiver
from t4vcodec.network.transports.tcp_wire import (
    SACK_BLOCKS,
    WINDOW,
    RecordReader,
    SegmentHead,
    read_segment,
    write_segment,
)
from t4vcodec.network.transports.wire import WireError

QUICK = 16
"""Segments acknowledged at once at the start, so that slow start is not slowed."""


@dataclass
class TcpReceiver(Receiver):
    """Delivers everything, in order."""

    ack_delay: float = 0.040
    """Seconds that an acknowledgement may wait."""

    def __post_init__(self) -> None:
        self._next = 0
        self._acked = 0
        self._segments = 0
        self._largest = 1
        self._due = math.inf
        self._early: list[tuple[int, int, bytes]] = []
        """Beyond `_next`, ascending, not overlapping."""
        self._latest: list[int] = []
        """Starts of segments out of order, the latest first: their blocks are told first."""
        self._reader = RecordReader()
        self._delivered: list[Delivered] = []

    def handle(self, datagram: bytes, now: float) -> None:
        now = self.clock.tick(now)
        try:
            segment = read_segment(datagram, self._next, 0)
        except WireError:
            self.foreign += 1
            return
        start, end = segment.start, segment.start + len(segment.data)
        if start == end or end > self._next + WINDOW:
            self.foreign += 1
            return
        self._segments += 1
        self._largest = max(self._largest, end - start)
        at_once = bool(self._early) or end <= self._next or start > self._next
        if end > self._next:
            self._keep(start, end, segment.data)
            self._release(now)
        at_once |= self._next - self._acked > self._largest or self._segments <= QUICK
        self._due = min(self._due, now if at_once else now + self.ack_delay)

    def poll(self, now: float) -> list[bytes]:
        now = self.clock.tick(now)
        if now < self._due:
            return []
        self._due = math.inf
        self._acked = self._next
        return [write_segment(SegmentHead(0, self._next, self._blocks()))]

    def next_wakeup(self) -> float:
        return self._due

    def take(self) -> list[Delivered]:
        taken, self._delivered = self._delivered, []
        return taken

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait for a gap to close."""
        return sum(end - start for start, end, _ in self._early)

    def _keep(self, start: int, end: int, data: bytes) -> None:
        """Adds what is new of a segment."""
        if start < self._next:
            data, start = data[self._next - start :], self._next
        if start > self._next:
            self._latest = [start, *(s for s in self._latest if s != start)][: 4 * SACK_BLOCKS]
        place = 0
        while place < len(self._early) and self._early[place][1] <= start:
            place += 1
        while start < end:
            if place < len(self._early) and self._early[place][0] <= start:
                skip = min(end, self._early[place][1]) - start
                data, start = data[skip:], start + skip
                place += 1
                continue
            until = min(end, self._early[place][0]) if place < len(self._early) else end
            self._early.insert(place, (start, until, data[: until - start]))
            data, start = data[until - start :], until
            place += 1

    def _release(self, now: float) -> None:
        """Hands on what is in order."""
        ready = 0
        while ready < len(self._early) and self._early[ready][0] == self._next:
            _, self._next, data = self._early[ready]
            self._delivered += self._reader.feed(data, now)
            ready += 1
        del self._early[:ready]

    def _blocks(self) -> tuple[tuple[int, int], ...]:
        """Runs of what is out of order, those that grew last first."""
        runs: list[list[int]] = []
        for start, end, _ in self._early:
            if runs and runs[-1][1] == start:
                runs[-1][1] = end
            else:
                runs.append([start, end])
        self._latest = [start for start in self._latest if start >= self._next]
        first: dict[tuple[int, int], None] = {}
        for start in self._latest:
            for low, high in runs:
                if low <= start < high:
                    first[low, high] = None
        for low, high in runs:
            first[low, high] = None
        return tuple(first)[:SACK_BLOCKS]
