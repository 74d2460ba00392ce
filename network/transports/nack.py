"""Selective retransmission with a deadline.

The receiver asks for what is missing: numbers below one that arrived, and the rest of a frame that it knows to
be longer, once the gap since its last packet is unusual. It asks at once, then every round trip, as long as the
answer can still come in time: now + round trip <= deadline. Of a packet that never came it knows no deadline;
that of the next one above is an upper bound.

The sender answers if the packet can still arrive: now + way there <= deadline, the way there as reports show it
(before the first of them: half of the time since the packet was sent, which is a round trip or more). Among
those it sends the most useful first: by utility per byte, and none below `threshold`; a `budget` of bytes for
each request makes the choice greedy under a constraint.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from t4vcodec.network.link import IP_UDP_BYTES
from t4vcodec.network.transports.base import (
    Delivered,
    MediaFrame,
    MediaPacket,
    Utility,
    media_packets,
    stated_utility,
)
from t4vcodec.network.transports.fec_adaptive import AdaptiveFecSender
from t4vcodec.network.transports.fec_static import FecReceiver
from t4vcodec.network.transports.udp import REMEMBERED, REPORT_DELAY, UdpSender
from t4vcodec.network.transports.wire import (
    HEAD_BYTES,
    MAX_REQUESTED,
    REQUEST,
    Piece,
    WireError,
    kind_of,
    long_deadline,
    read_place,
    read_request,
    write_request,
)

FIRST_ROUND_TRIP = 0.1
"""Seconds assumed before anything was measured."""
LEAST_PAUSE = 0.010
"""Seconds between two requests for the same packet at least."""
ROUND_TRIPS = 16
"""Latest round trips of which the least is believed."""
MOST_MISSING = 512
"""Missing packets that a receiver keeps asking for; the oldest are given up first."""


@dataclass
class Resender:
    """The sender's memory of packets that may be asked for again."""

    utility: Utility = stated_utility
    threshold: float = 0.0
    """Utility per byte (headers included) below which nothing is sent again."""
    budget: float = math.inf
    """Bytes for each request, headers included."""

    def __post_init__(self) -> None:
        self._kept: dict[int, tuple[MediaPacket, float]] = {}
        self._again: dict[int, float] = {}

    def keep(self, number: int, packet: MediaPacket, now: float) -> None:
        """Remembers a packet until its deadline, and among the last `REMEMBERED` only."""
        self._kept[number] = (packet, now)
        while self._kept:
            oldest = next(iter(self._kept))
            if number - oldest < REMEMBERED and self._kept[oldest][0].deadline >= now:
                break
            del self._kept[oldest]
            self._again.pop(oldest, None)

    def choose(
        self, numbers: Iterable[int], way_there: float | None, pause: float, now: float
    ) -> list[tuple[int, MediaPacket]]:
        """What to send again of `numbers`, the most useful per byte first.

        way_there: seconds that a packet takes, if known. A packet sent again less than `pause` ago is left out:
        that copy may still be on its way.
        """
        useful = []
        for number in dict.fromkeys(numbers):
            if number not in self._kept:
                continue
            packet, sent = self._kept[number]
            if now + ((now - sent) / 2 if way_there is None else way_there) > packet.deadline:
                continue
            if now - self._again.get(number, -math.inf) < pause:
                continue
            size = len(packet.data) + HEAD_BYTES + IP_UDP_BYTES
            density = self.utility(packet, now) / size
            if density >= self.threshold:
                useful.append((-density, number, size, packet))
        chosen, left = [], self.budget
        for _, number, size, packet in sorted(useful, key=lambda entry: entry[:2]):
            if size <= left:
                left -= size
                self._again[number] = now
                chosen.append((number, packet))
        return chosen


class _Answering(UdpSender):
    """What a sender needs to answer requests, whatever else it does."""

    resender: Resender

    def handle(self, datagram: bytes, now: float) -> None:
        if kind_of(datagram) != REQUEST:
            super().handle(datagram, now)
            return
        now = self.clock.tick(now)
        try:
            numbers = read_request(datagram, self._numbered)
        except WireError:
            self.foreign += 1
            return
        round_trip = FIRST_ROUND_TRIP if self.log.round_trip is None else self.log.round_trip
        for number, packet in self.resender.choose(numbers, self.log.way_there, round_trip / 2, now):
            self._put(number, packet, again=True)


@dataclass
class NackSender(_Answering):
    """Sends once, and again on request."""

    utility: Utility = stated_utility
    threshold: float = 0.0
    budget: float = math.inf

    def __post_init__(self) -> None:
        super().__post_init__()
        self.resender = Resender(self.utility, self.threshold, self.budget)

    def send(self, frame: MediaFrame, now: float) -> None:
        now = self.clock.tick(now)
        for packet in media_packets(frame):
            number = self._number()
            self.resender.keep(number, packet, now)
            self._put(number, packet)


@dataclass
class NackFecSender(_Answering, AdaptiveFecSender):
    """Adaptive parity and answers to requests together, as WebRTC runs them."""

    answers_requests: bool = True
    utility: Utility = stated_utility
    threshold: float = 0.0
    budget: float = math.inf

    def __post_init__(self) -> None:
        super().__post_init__()
        self.resender = Resender(self.utility, self.threshold, self.budget)

    def send(self, frame: MediaFrame, now: float) -> None:
        first = self._numbered
        super().send(frame, now)
        for number, packet in enumerate(media_packets(frame), first):
            self.resender.keep(number, packet, self.clock.now)


class _Missing(NamedTuple):
    """A packet that has not come."""

    due: float
    """When to ask (again)."""
    deadline: float
    """Upper bound, seconds."""


@dataclass
class NackReceiver(FecReceiver):
    """Delivers what arrives, computes what it can, asks for the rest."""

    report_delay: float | None = REPORT_DELAY

    def __post_init__(self) -> None:
        super().__post_init__()
        self.round_trip = FIRST_ROUND_TRIP
        """Seconds, from requests to answers."""
        self.requests = 0
        """Packets asked for, repetitions counted."""
        self._samples: deque[float] = deque(maxlen=ROUND_TRIPS)
        self._missing: dict[int, _Missing] = {}
        self._asked: dict[int, float] = {}
        self._expected = 0
        self._last: tuple[int, float] | None = None
        self._gap = 0.002
        self._tail: tuple[float, int, float] | None = None

    def poll(self, now: float) -> list[bytes]:
        now = self.clock.tick(now)
        if self._tail is not None and now >= self._tail[0]:
            _, end, deadline = self._tail
            self._tail = None
            self._expect(end, deadline, now)
        datagrams = super().poll(now)
        due = []
        for number, missing in list(self._missing.items()):
            if now + self.round_trip > missing.deadline:
                del self._missing[number]
                self._asked.pop(number, None)
            elif now >= missing.due:
                due.append(number)
        for start in range(0, len(due), MAX_REQUESTED):
            datagrams.append(write_request(due[start : start + MAX_REQUESTED]))
        self.requests += len(due)
        for number in due:
            self._asked.setdefault(number, now)
            pause = max(LEAST_PAUSE, 1.1 * self.round_trip)
            self._missing[number] = self._missing[number]._replace(due=now + pause)
        return datagrams

    def next_wakeup(self) -> float:
        tail = math.inf if self._tail is None else self._tail[0]
        asks = min((missing.due for missing in self._missing.values()), default=math.inf)
        return min(super().next_wakeup(), asks, tail)

    def _take_media(self, number: int, frame: int, piece: Piece, now: float) -> None:
        deadline = long_deadline(piece.deadline, now)
        asked = self._asked.pop(number, None)
        if asked is not None and piece.again and number in self._missing:
            # Some waited for a second request: the least of some samples is what one round takes.
            self._samples.append(now - asked)
            self.round_trip = min(self._samples)
        super()._take_media(number, frame, piece, now)
        if piece.again:
            return
        index, count, _ = read_place(piece.layout)
        if self._last is None and number >= MOST_MISSING:
            self._expected = number  # joined late
        self._expect(number, deadline, now)
        self._expected = max(self._expected, number + 1)
        if self._last is not None and self._last[0] == frame:
            self._gap += (now - self._last[1] - self._gap) / 8
        self._last = (frame, now)
        end = number + count - index
        self._tail = (now + 0.002 + 3 * self._gap, end, deadline) if end > number + 1 else None

    def _expect(self, end: int, deadline: float, now: float) -> None:
        """All numbers below `end` should be here."""
        for number in range(max(self._expected, end - MOST_MISSING), end):
            if number not in self._held:
                self._missing[number] = _Missing(now, deadline)
        self._expected = max(self._expected, end)
        while len(self._missing) > MOST_MISSING:
            oldest = next(iter(self._missing))
            del self._missing[oldest]
            self._asked.pop(oldest, None)

    def _deliver(self, number: int, packet: Delivered) -> bool:
        self._missing.pop(number, None)
        return super()._deliver(number, packet)

    def _forget(self, number: int) -> None:
        super()._forget(number)
        self._asked.pop(number, None)
