"""Error correction and retransmission planned together over the rounds that are left before a deadline.

After Meng et al. (NSDI 2024); the plan is `hairpin_plan`'s. A frame is one Reed-Solomon code (large ones are
several): any k of the packets sent for it give all of it. The first round sends the frame and the planned
redundancy; when reports, or silence for longer than a round trip, tell what became of the round, the next one
sends what is missing and redundancy again. Missing media are sent anew, the most useful first (`utility`),
redundancy is parity never sent before. Nothing is sent that cannot arrive before the deadline.

rounds left = 1 + floor((deadline - now - way there) / (round trip + max(`ROUND_EXTRA`, 4 x its variation)))
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from t4vcodec.network.transports import hairpin_plan
from t4vcodec.network.transports.base import (
    MediaFrame,
    TransportError,
    Utility,
    media_packets,
    stated_utility,
)
from t4vcodec.network.transports.fec_static import Waiting, check_payloads, parity_pieces
from t4vcodec.network.transports.feedback import News
from t4vcodec.network.transports.udp import UdpSender
from t4vcodec.network.transports.wire import Piece

FIRST_ROUND_TRIP = 0.1
"""Seconds assumed before a report came."""
ROUND_EXTRA = 0.020
"""Seconds that a round takes beyond the round trip: sending, the receiver's wait before it reports, patience."""
LONGEST_CODE = hairpin_plan.MOST_MISSING
MOST_CODES = 256
"""Codes in the works; the oldest is given up first."""


class _Tag(NamedTuple):
    """What a datagram was, for when its fate is told."""

    code: int
    packet: int
    """Media index in the code, or k + row of parity."""


@dataclass
class _Code:
    """A frame, or a part of one, that is not known to be complete."""

    block: list[Waiting]
    deadline: float
    price: int
    rows_used: int = 0
    arrived: set[int] = field(default_factory=set)
    flying: dict[int, int] = field(default_factory=dict)
    """How often each packet is on its way."""
    silent_after: float = math.inf
    """When to take what is on its way for lost."""

    @property
    def missing(self) -> int:
        """Packets that the receiver lacks, as far as is known."""
        return max(0, len(self.block) - len(self.arrived))


@dataclass
class HairpinSender(UdpSender):
    """Plans each round. Its receiver is `fec_static.FecReceiver` with reports."""

    tolerated: float = 0.01
    """Probability that a frame misses its deadline, which redundancy aims at."""
    utility: Utility = stated_utility

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.tolerated < 1:
            raise TransportError("the tolerated probability of a miss lies between 0 and 1")
        self._codes: dict[int, _Code] = {}
        self._next_code = 0

    def send(self, frame: MediaFrame, now: float) -> None:
        now = self.clock.tick(now)
        check_payloads(frame)
        block = [Waiting(self._number(), packet) for packet in media_packets(frame)]
        parts = -(-len(block) // LONGEST_CODE)
        for i in range(parts):
            part = block[len(block) * i // parts : len(block) * (i + 1) // parts]
            rounds = self._rounds(frame.deadline, now)
            price = hairpin_plan.choose(self.log.loss, len(part), max(1, rounds), self.tolerated)
            code = _Code(part, frame.deadline, price)
            self._codes[self._next_code] = code
            if len(self._codes) > MOST_CODES:
                del self._codes[next(iter(self._codes))]
            for j, waiting in enumerate(part):
                self._fly(code, j)
                self._put(waiting.number, waiting.packet, _Tag(self._next_code, j))
            self._add_parity(self._next_code, code, max(1, rounds))
            self._next_code += 1

    def poll(self, now: float) -> list[bytes]:
        now = self.clock.tick(now)
        for name, code in list(self._codes.items()):
            if now > code.deadline:
                del self._codes[name]
            elif now >= code.silent_after:
                code.flying.clear()
                self._round(name, code, now)
        for _, tag in self._outbox:
            if tag is not None and tag.code in self._codes:
                self._codes[tag.code].silent_after = now + self._round_time()
        return super().poll(now)

    def next_wakeup(self) -> float:
        silences = (code.silent_after for code in self._codes.values())
        return min(super().next_wakeup(), min(silences, default=math.inf))

    def _learn(self, news: News, now: float) -> None:
        touched: set[int] = set()
        for sent, _ in news.arrived:
            self._land(sent.tag, arrived=True, touched=touched)
        for sent in news.lost:
            self._land(sent.tag, arrived=False, touched=touched)
        for name in sorted(touched):
            code = self._codes.get(name)
            if code is None:
                continue
            if not code.missing:
                del self._codes[name]
            elif not code.flying:
                self._round(name, code, now)

    def _land(self, tag: _Tag | None, arrived: bool, touched: set[int]) -> None:
        """One datagram's fate is known."""
        code = self._codes.get(tag.code) if tag is not None else None
        if code is None:
            return
        touched.add(tag.code)
        if arrived:
            code.arrived.add(tag.packet)
        copies = code.flying.get(tag.packet, 0) - 1
        if copies > 0:
            code.flying[tag.packet] = copies
        else:
            code.flying.pop(tag.packet, None)

    def _round(self, name: int, code: _Code, now: float) -> None:
        """Sends what is missing, and redundancy, if it can arrive in time."""
        code.silent_after = math.inf
        rounds = self._rounds(code.deadline, now)
        if not code.missing or rounds <= 0:
            del self._codes[name]
            return
        absent = [j for j in range(len(code.block)) if j not in code.arrived]
        absent.sort(key=lambda j: -self.utility(code.block[j].packet, now))
        for j in sorted(absent[: code.missing]):
            self._fly(code, j)
            self._put(code.block[j].number, code.block[j].packet, _Tag(name, j), again=True)
        self._add_parity(name, code, rounds)

    def _add_parity(self, name: int, code: _Code, rounds: int) -> None:
        """The planned redundancy for what is missing now."""
        rows = hairpin_plan.spare(self.log.loss, code.missing, rounds, code.price)
        pieces: list[Piece] = parity_pieces(code.block, 0, code.rows_used, rows)
        for piece in pieces:
            tag = _Tag(name, len(code.block) + code.rows_used)
            self._fly(code, tag.packet)
            self._outbox.append((piece, tag))
            code.rows_used += 1

    def _fly(self, code: _Code, packet: int) -> None:
        code.flying[packet] = code.flying.get(packet, 0) + 1

    def _round_time(self) -> float:
        round_trip = FIRST_ROUND_TRIP if self.log.round_trip is None else self.log.round_trip
        return round_trip + max(ROUND_EXTRA, 4 * self.log.variation)

    def _rounds(self, deadline: float, now: float) -> int:
        """Rounds left, one sent now included; 0 if nothing can arrive in time."""
        if deadline == math.inf:
            return hairpin_plan.MOST_ROUNDS
        round_trip = FIRST_ROUND_TRIP if self.log.round_trip is None else self.log.round_trip
        way_there = round_trip / 2 if self.log.way_there is None else self.log.way_there
        slack = deadline - now - way_there
        return 0 if slack < 0 else min(hairpin_plan.MOST_ROUNDS, 1 + math.floor(slack / self._round_time()))
