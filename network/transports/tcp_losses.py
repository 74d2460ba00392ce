"""What TCP's sender has on its way, and how it tells that a segment is lost.

Two ways, both over a scoreboard of what SACK blocks (RFC 2018) told:

``rfc6675``  a segment is lost when three segments above it have arrived; one sent again is not judged anew and
             left to the timeout
``rack``     time decides (RFC 8985, Linux' default): a segment is lost when one sent later has arrived and its own
             acknowledgement is overdue by the reordering window (a quarter of the least round trip, none once three
             segments above arrived or recovery runs). Finds lost retransmissions too
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

THRESHOLD = 3
"""Segments above that must have arrived (DupThresh)."""


@dataclass(eq=False)
class Flying:
    """A segment sent and not yet acknowledged in order."""

    start: int
    data: bytes
    sent: float
    """When it left last."""
    order: int
    """Counts sendings: tells which of two left later."""
    sends: int = 1
    arrived: bool = False
    """A SACK block told so."""
    lost: bool = False
    """Taken for lost, and not sent again yet."""

    @property
    def end(self) -> int:
        return self.start + len(self.data)


@dataclass
class Scoreboard:
    """Segments on their way, in order of the stream."""

    rule: str = "rack"
    segments: deque[Flying] = field(default_factory=deque)
    least_round_trip: float = math.inf
    """Seconds."""
    check_at: float = math.inf
    """When a segment becomes overdue, in ``rack``."""

    def __post_init__(self) -> None:
        self.in_flight = 0
        """Segments believed to be on their way: RFC 6675's pipe."""
        self._lost = 0
        self._arrived = 0
        self._sends = 0
        self._sent = -1
        """Order of the latest sending known to have arrived, and its round trip."""
        self._round_trip = 0.0

    def add(self, start: int, data: bytes, now: float) -> None:
        """A new segment leaves."""
        self._sends += 1
        self.in_flight += 1
        self.segments.append(Flying(start, data, now, self._sends))

    def again(self, segment: Flying, now: float) -> None:
        """A segment leaves once more."""
        self._sends += 1
        if segment.lost:
            self._lost -= 1
            self.in_flight += 1
        segment.sent, segment.order, segment.lost = now, self._sends, False
        segment.sends += 1

    @property
    def first_lost(self) -> Flying | None:
        """The next one to send again."""
        return next((segment for segment in self.segments if segment.lost), None) if self._lost else None

    @property
    def sacked(self) -> bool:
        """Whether something above a gap has arrived."""
        return self._arrived > 0

    def acknowledge(
        self, ack: int, blocks: tuple[tuple[int, int], ...], now: float
    ) -> tuple[list[Flying], float | None]:
        """Takes an acknowledgement: segments newly known to have arrived, and a round trip, if one can be told.

        Segments sent more than once tell none (Karn's rule).
        """
        news: list[Flying] = []
        while self.segments and self.segments[0].end <= ack:
            segment = self.segments.popleft()
            if segment.arrived:
                self._arrived -= 1
            else:
                self._leave(segment)
                news.append(segment)
        for low, high in blocks:
            for segment in self.segments:
                if segment.start >= high:
                    break
                if segment.start >= low and segment.end <= high and not segment.arrived:
                    self._leave(segment)
                    segment.arrived, segment.lost = True, False
                    self._arrived += 1
                    news.append(segment)
        sample = None
        for segment in news:
            took = now - segment.sent
            if segment.sends == 1:
                sample = took if sample is None else max(sample, took)
                self.least_round_trip = min(self.least_round_trip, took)
            elif took < self.least_round_trip:
                continue  # what arrived was an earlier copy
            if segment.order > self._sent:
                self._sent, self._round_trip = segment.order, took
        return news, sample

    def detect(self, recovering: bool, now: float) -> int:
        """Marks what is lost; how many segments newly so."""
        if self.rule == "rack":
            return self._overdue(recovering, now)
        if self._arrived < THRESHOLD:
            return 0
        marked = above = 0
        for segment in reversed(self.segments):
            if segment.arrived:
                above += 1
            elif above >= THRESHOLD and segment.sends == 1 and not segment.lost:
                self._lose(segment)
                marked += 1
        return marked

    def _overdue(self, recovering: bool, now: float) -> int:
        self.check_at = math.inf
        window = 0.0 if recovering or self._arrived >= THRESHOLD else self.least_round_trip / 4
        marked = 0
        for segment in self.segments:
            if segment.order > self._sent:
                if segment.sends == 1:
                    break  # all that follow were sent later still
                continue
            if segment.arrived or segment.lost:
                continue
            due = segment.sent + self._round_trip + window
            if due <= now:
                self._lose(segment)
                marked += 1
            else:
                self.check_at = min(self.check_at, due)
        return marked

    def all_lost(self) -> int:
        """A timeout: everything that has not arrived is taken for lost; how many."""
        marked = 0
        for segment in self.segments:
            if not segment.arrived and not segment.lost:
                self._lose(segment)
                marked += 1
        self.check_at = math.inf
        return marked

    def _leave(self, segment: Flying) -> None:
        """A segment is no longer on its way, or no longer lost: it arrived."""
        if segment.lost:
            self._lost -= 1
        else:
            self.in_flight -= 1

    def _lose(self, segment: Flying) -> None:
        segment.lost = True
        self._lost += 1
        self.in_flight -= 1
