"""Who got what: the receiver's log of arrivals, the sender's log of what it sent, and reports between them.

A report speaks of the last datagrams up to the newest that arrived, so that the next one repairs what a lost
one would have told; arrival times are given for what is new (as transport-wide congestion control does, draft-
holmer-rmcat-transport-wide-cc-extensions). The sender learns from it the round trip, the way there (both sides
share a clock), the loss, and which datagrams are gone: numbers below one that arrived. A datagram taken for
lost that turns up in a later report was only late, and is told as arrived then.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, NamedTuple

from t4vcodec.network.shards import unwrap
from t4vcodec.network.transports.wire import Report, write_report

WINDOW = 256
"""Datagrams that a report looks back."""
KEPT = 4096
"""Datagrams that a sender remembers."""
_MASK = (1 << WINDOW) - 1
LOSS_HORIZON = 200
"""Datagrams over which the loss is averaged, exponentially."""


@dataclass
class ArrivalLog:
    """The receiver's side."""

    delay: float
    """Seconds between an arrival and the report of it at most."""
    newest: int = 0
    """Highest datagram number seen."""

    def __post_init__(self) -> None:
        self._first: int | None = None
        self._bits = 0
        """Bit i: whether `newest` - i arrived."""
        self._times: dict[int, float] = {}
        self._oldest_fresh: int | None = None
        self._due = math.inf

    def note(self, sequence: int, now: float) -> int:
        """Takes a datagram's 16-bit number; returns the whole one."""
        number = unwrap(sequence, self.newest)
        if self._first is None:
            # Whoever joins late must not report all that was sent before as lost.
            self._first = 0 if 0 <= number < WINDOW else number
            self.newest = number
        if number > self.newest:
            self._bits = (self._bits << min(number - self.newest, WINDOW)) & _MASK
            self.newest = number
        bit = 1 << (self.newest - number)
        if number > self.newest - WINDOW and not self._bits & bit:
            self._bits |= bit
            self._times[number] = now
            self._oldest_fresh = min(number, number if self._oldest_fresh is None else self._oldest_fresh)
            self._due = min(self._due, now + self.delay)
        if len(self._times) > 2 * WINDOW:
            low = self.newest - WINDOW
            self._times = {n: time for n, time in self._times.items() if n > low}
        return number

    def next_report(self) -> float:
        """When a report is due; infinity if nothing new arrived."""
        return self._due

    def report(self, now: float) -> bytes:
        """The report that is due, as a datagram."""
        count = min(WINDOW, self.newest - (self._first or 0) + 1)
        report = Report(self.newest, count, self._bits & ((1 << count) - 1), (), now)
        fresh = self.newest + 1 if self._oldest_fresh is None else self._oldest_fresh
        times = tuple(self._times[n] for n in takewhile(lambda n: n >= fresh, report.arrived()))
        self._oldest_fresh = None
        self._due = math.inf
        return write_report(replace(report, times=times))


class Sent(NamedTuple):
    """One datagram as its sender remembers it."""

    number: int
    time: float
    """When it left, seconds."""
    size: int
    """Bytes, headers of IP and UDP included."""
    tag: Any
    """Whatever the transport attached to it."""


@dataclass
class News:
    """What a report told that was not known."""

    arrived: list[tuple[Sent, float | None]] = field(default_factory=list)
    """With the arrival time where the report gives it."""
    lost: list[Sent] = field(default_factory=list)


@dataclass
class SentLog:
    """The sender's side."""

    newest: int = -1
    """Number of the last datagram sent."""
    round_trip: float | None = None
    """Smoothed, seconds; None before the first report."""
    variation: float = 0.0
    """Of the round trip: smoothed distance from its average, seconds."""
    way_there: float | None = None
    """Smoothed time from sending to arrival, seconds."""
    loss: float = 0.0
    """Share of datagrams lost lately, 0 to 1."""

    def __post_init__(self) -> None:
        self._sent: dict[int, Sent] = {}
        self._open: dict[int, bool] = {}
        """Datagrams not known to have arrived, ascending, and whether they are taken for lost."""

    def note(self, now: float, size: int, tag: Any = None) -> int:
        """Takes a datagram about to leave; returns its number."""
        self.newest += 1
        self._sent[self.newest] = Sent(self.newest, now, size, tag)
        self._open[self.newest] = False
        old = self.newest - KEPT
        self._sent.pop(old, None)
        self._open.pop(old, None)
        return self.newest

    def take(self, report: Report, now: float) -> News:
        """What `report`, which arrived at `now`, adds."""
        news = News()
        if report.newest > self.newest:
            return news  # of another session
        times = dict(zip(report.arrived(), report.times))
        low = report.newest - report.count
        for number in list(takewhile(lambda n: n <= report.newest, self._open)):
            if number <= low:
                del self._open[number]  # no report will speak of it
                continue
            sent = self._sent[number]
            if report.bits >> (report.newest - number) & 1:
                if not self._open.pop(number):
                    self._count(0)
                time = times.get(number)
                if time is not None and time < sent.time:
                    time = None
                news.arrived.append((sent, time))
                if time is not None:
                    self.way_there = _smooth(self.way_there, time - sent.time)
                continue
            if not self._open[number]:
                news.lost.append(sent)
                self._count(1)
                self._open[number] = True
        newest = self._sent.get(report.newest)
        if newest is not None and report.times:
            held = report.sent - report.times[0]
            took = max(0.0, now - newest.time - held)
            if self.round_trip is not None:
                self.variation += (abs(took - self.round_trip) - self.variation) / 4
            self.round_trip = _smooth(self.round_trip, took)
        return news

    def _count(self, lost: int) -> None:
        self.loss += (lost - self.loss) / LOSS_HORIZON


def _smooth(old: float | None, new: float) -> float:
    """Average with the weight of RFC 6298's smoothed round trip."""
    return new if old is None else old + (new - old) / 8
