"""Packets as they are, without recovery; and what all transports over datagrams build on.

`UdpSender` numbers and sends; `UdpReceiver` delivers each packet the moment it arrives, once. With
`report_delay` the receiver reports, which a controller of the rate (`congestion`) and the other transports
need.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from t4vcodec.network.link import IP_UDP_BYTES
from t4vcodec.network.shards import unwrap
from t4vcodec.network.transports.base import (
    Delivered,
    MediaFrame,
    MediaPacket,
    Receiver,
    Sender,
    media_packets,
)
from t4vcodec.network.transports.congestion import DelayController
from t4vcodec.network.transports.feedback import ArrivalLog, News, SentLog
from t4vcodec.network.transports.wire import (
    HEAD_BYTES,
    REPORT,
    Piece,
    WireError,
    kind_of,
    read_piece,
    read_place,
    read_report,
    short_deadline,
    write_piece,
    write_place,
)

REPORT_DELAY = 0.005
"""Seconds between an arrival and its report, where reports are wanted."""
REMEMBERED = 2048
"""Media packets that a receiver remembers, to know copies and to decode with."""


@dataclass
class UdpSender(Sender):
    """Sends every packet once."""

    controller: DelayController | None = None
    """Listens to the reports and says `target_kbps`."""
    log: SentLog = field(default_factory=SentLog)

    def __post_init__(self) -> None:
        self._outbox: deque[tuple[Piece, Any]] = deque()
        self._numbered = 0

    def send(self, frame: MediaFrame, now: float) -> None:
        self.clock.tick(now)
        for packet in media_packets(frame):
            self._put(self._number(), packet)

    def handle(self, datagram: bytes, now: float) -> None:
        now = self.clock.tick(now)
        try:
            if kind_of(datagram) != REPORT:
                raise WireError("a sender hears reports")
            report = read_report(datagram, max(0, self.log.newest), now)
        except WireError:
            self.foreign += 1
            return
        news = self.log.take(report, now)
        if self.controller is not None:
            self.controller.take(news, now)
        self._learn(news, now)

    def poll(self, now: float) -> list[bytes]:
        now = self.clock.tick(now)
        datagrams = []
        while self._outbox:
            piece, tag = self._outbox.popleft()
            size = HEAD_BYTES + len(piece.body) + IP_UDP_BYTES
            datagrams.append(write_piece(piece, self.log.note(now, size, tag)))
        return datagrams

    def next_wakeup(self) -> float:
        return self.clock.now if self._outbox else math.inf

    @property
    def target_kbps(self) -> float | None:
        return None if self.controller is None else self.controller.target_kbps

    def _number(self) -> int:
        """The next media packet's number."""
        self._numbered += 1
        return self._numbered - 1

    def _put(self, number: int, packet: MediaPacket, tag: Any = None, again: bool = False) -> None:
        """Puts a media packet where `poll` takes it."""
        deadline = short_deadline(packet.deadline)
        place = write_place(packet.index, packet.count, packet.key)
        piece = Piece(False, number, packet.frame, deadline, place, packet.data, again)
        self._outbox.append((piece, tag))

    def _learn(self, news: News, now: float) -> None:
        """What a transport makes of a report; nothing here."""


def delivered(frame: int, place: bytes, data: bytes, now: float) -> Delivered:
    """A packet with its place read; raises `WireError` on an impossible place."""
    index, count, key = read_place(place)
    return Delivered(frame, index, count, data, now, key)


@dataclass
class UdpReceiver(Receiver):
    """Delivers what arrives."""

    report_delay: float | None = None
    """Seconds from an arrival to the report of it; None: no reports."""

    def __post_init__(self) -> None:
        self._arrivals = ArrivalLog(math.inf if self.report_delay is None else self.report_delay)
        self._delivered: list[Delivered] = []
        self._held: dict[int, Delivered] = {}
        self._started = False
        self._newest = self._newest_frame = 0

    def handle(self, datagram: bytes, now: float) -> None:
        now = self.clock.tick(now)
        try:
            sequence, piece = read_piece(datagram)
        except WireError:
            self.foreign += 1
            return
        self._arrivals.note(sequence, now)
        if not self._started:
            # Whoever joins late takes the numbers as they stand.
            self._started, self._newest, self._newest_frame = True, piece.number, piece.frame
        frame = unwrap(piece.frame, self._newest_frame)
        number = unwrap(piece.number, self._newest)
        if piece.parity:
            self._take_parity(number, frame, piece, now)
            return
        self._take_media(number, frame, piece, now)

    def poll(self, now: float) -> list[bytes]:
        now = self.clock.tick(now)
        return [self._arrivals.report(now)] if now >= self._arrivals.next_report() else []

    def next_wakeup(self) -> float:
        return self._arrivals.next_report()

    def take(self) -> list[Delivered]:
        taken, self._delivered = self._delivered, []
        return taken

    def _take_media(self, number: int, frame: int, piece: Piece, now: float) -> None:
        """A media packet arrived."""
        self._deliver(number, delivered(frame, piece.layout, piece.body, now))

    def _take_parity(self, number: int, frame: int, piece: Piece, now: float) -> None:
        """A parity packet arrived, of use to transports with error correction only."""

    def _deliver(self, number: int, packet: Delivered) -> bool:
        """Hands out a packet unless it is a copy or older than memory; whether it did."""
        if number in self._held or number <= self._newest - REMEMBERED:
            return False
        if number > self._newest:
            for old in range(
                max(self._newest - REMEMBERED, number - 2 * REMEMBERED), number - REMEMBERED + 1
            ):
                self._forget(old)
            self._newest = number
        self._newest_frame = max(self._newest_frame, packet.frame)
        self._held[number] = packet
        self._delivered.append(packet)
        return True

    def _forget(self, number: int) -> None:
        """Drops what is held of a media packet."""
        self._held.pop(number, None)
