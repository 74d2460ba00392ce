"""Error correction at a fixed redundancy: Reed-Solomon over each frame, or over a block of frames.

The code is `reed_solomon`'s: n - k = redundancy x k parity packets, rounded up, sent with the block's last
frame. What its packets must say about their code stands in the header (`wire`), so a parity packet costs what
the longest payload that it covers costs, and 5 bytes: under the code's protection each payload carries its
length, frame and place. Nothing waits: media is sent and delivered at once, and a rescued packet the moment its
code has as many packets as it needs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from t4vcodec.network import reed_solomon
from t4vcodec.network.shards import MAX_BLOCK, PREFIX_BYTES, Arrival, FecError, make_shard, unwrap
from t4vcodec.network.stream import MAX_PAYLOAD
from t4vcodec.network.transports.base import (
    MediaFrame,
    MediaPacket,
    TransportError,
    media_packets,
)
from t4vcodec.network.transports.udp import REMEMBERED, UdpReceiver, UdpSender, delivered
from t4vcodec.network.transports.wire import PLACE_BYTES, Piece, WireError, short_deadline, write_place

MAX_PROTECTED = MAX_PAYLOAD - PREFIX_BYTES - PLACE_BYTES
"""Bytes of a media payload at most, so that parity is no larger than `MAX_PAYLOAD`."""

CODES_KEPT = 64
"""Unsolved codes that a receiver keeps."""


class Waiting(NamedTuple):
    """A media packet of the block that is being filled."""

    number: int
    packet: MediaPacket


def parity_pieces(
    block: Sequence[Waiting], redundancy: float, rows_used: int = 0, rows: int | None = None
) -> list[Piece]:
    """Parity of `block` (consecutive numbers), in sending order.

    rows: how many packets instead of redundancy x k (one code only). rows_used: of them already sent.
    """
    if not block or (rows is None and redundancy <= 0):
        return []
    base = block[0].number
    if rows is None:
        plan = reed_solomon.plan_parity([len(block)], [redundancy], 1)
    else:
        k = len(block)
        room = max(0, reed_solomon.LONGEST - k - rows_used)
        first = k + rows_used
        plan = [reed_solomon.Parity(0, 0, 1, k, row) for row in range(first, first + min(rows, room))]
    bodies = reed_solomon.encode([_shard(w.packet) for w in block], plan)
    last = block[-1].packet
    deadline = short_deadline(last.deadline)
    return [
        Piece(
            True,
            base + parity.base,
            last.frame,
            deadline,
            bytes((parity.stride, parity.count, parity.index)),
            body[reed_solomon.HEADER.size :],
        )
        for parity, body in zip(plan, bodies)
    ]


def _shard(packet: MediaPacket) -> bytes:
    return make_shard(write_place(packet.index, packet.count, packet.key) + packet.data, packet.frame)


def check_payloads(frame: MediaFrame) -> None:
    """Raises `TransportError` on payloads that leave parity no room."""
    longest = max(map(len, frame.packets), default=0)
    if longest > MAX_PROTECTED:
        raise TransportError(
            f"a payload of {longest} bytes leaves parity no room: cut packets to at most {MAX_PROTECTED} bytes"
        )


@dataclass
class FecSender(UdpSender):
    """Adds parity to each block."""

    redundancy: float = 0.5
    """Parity packets for each media packet."""
    block: int = 1
    """Frames that share parity; its delay is `block` - 1 frames."""
    key_factor: float = 2.0
    """How many times the redundancy a block with a key frame gets."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.block <= MAX_BLOCK or not 0 <= self.redundancy <= 20 or not self.key_factor >= 1:
            raise TransportError(
                f"expected blocks of 1 to {MAX_BLOCK} frames, a redundancy of 0 to 20, a key factor from 1"
            )
        self._filling: list[Waiting] = []
        self._frames_in_block = 0

    def send(self, frame: MediaFrame, now: float) -> None:
        now = self.clock.tick(now)
        check_payloads(frame)
        for packet in media_packets(frame):
            waiting = Waiting(self._number(), packet)
            self._put(waiting.number, packet)
            self._filling.append(waiting)
        self._frames_in_block += 1
        if self._frames_in_block >= self.block:
            try:
                pieces = parity_pieces(self._filling, self._redundancy_now())
            except FecError as error:
                raise TransportError(str(error)) from error
            self._outbox += [(piece, None) for piece in pieces]
            self._filling = []
            self._frames_in_block = 0

    def _redundancy_now(self) -> float:
        """For the block that is full."""
        key = any(waiting.packet.key for waiting in self._filling)
        return self.redundancy * (self.key_factor if key else 1)


@dataclass
class _Code:
    """A code with parity at hand but not enough."""

    frame: int
    rows: dict[int, bytes] = field(default_factory=dict)


@dataclass
class FecReceiver(UdpReceiver):
    """Delivers what arrives and what can be computed. Parity stays until solved, passed or crowded out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._codes: dict[tuple[int, int, int], _Code] = {}
        self._order: deque[tuple[int, int, int]] = deque()
        self._members: dict[int, list[tuple[int, int, int]]] = {}

    def _take_media(self, number: int, frame: int, piece: Piece, now: float) -> None:
        if self._deliver(number, delivered(frame, piece.layout, piece.body, now)):
            for code in self._members.pop(number, ()):
                self._try(code, now)

    def _take_parity(self, number: int, frame: int, piece: Piece, now: float) -> None:
        stride, k, row = piece.layout
        code = (number, stride, k)
        numbers = range(number, number + stride * k, stride)
        near = abs(number - self._newest) < REMEMBERED // 2 and numbers[-1] - self._newest < REMEMBERED // 2
        if not near or len(piece.body) <= PREFIX_BYTES:
            self.foreign += 1
            return
        if code not in self._codes:
            if all(n in self._held for n in numbers):
                return
            self._codes[code] = _Code(frame)
            self._order.append(code)
            for n in numbers:
                if n not in self._held:
                    self._members.setdefault(n, []).append(code)
            if len(self._order) > CODES_KEPT:
                self._drop(self._order.popleft())
        rows = self._codes[code].rows
        if all(len(body) == len(piece.body) for body in rows.values()):
            rows[row] = piece.body
            self._codes[code].frame = max(frame, self._codes[code].frame)
        self._try(code, now)

    def _try(self, code: tuple[int, int, int], now: float) -> None:
        """Solves a code if it can."""
        known = self._codes.get(code)
        if known is None:
            return
        base, stride, k = code
        numbers = range(base, base + stride * k, stride)
        held = [n for n in numbers if n in self._held]
        if len(held) + len(known.rows) < k:
            return
        self._drop(code)
        self._order.remove(code)
        if len(held) == k:
            return
        size = len(next(iter(known.rows.values())))
        arrivals = []
        for n in held:
            packet = self._held[n]
            data = write_place(packet.index, packet.count, packet.key) + packet.data
            arrivals.append(Arrival(packet.frame, n, data))
        if any(PREFIX_BYTES + len(arrival.data) > size for arrival in arrivals):
            self.foreign += 1  # parity that is not of these packets
            return
        header = reed_solomon.HEADER
        arrivals += [
            Arrival(known.frame, None, header.pack(base & 0xFFFF, stride, k, row) + body)
            for row, body in known.rows.items()
        ]
        for number, rescued in sorted(reed_solomon.decode(arrivals).items()):
            place, data = rescued.payload[:PLACE_BYTES], rescued.payload[PLACE_BYTES:]
            try:
                packet = delivered(rescued.frame, place, data, now)
            except WireError:
                self.foreign += 1
                continue
            # Numbers of a code none of whose media arrived are known modulo 65,536 only.
            self._deliver(unwrap(number & 0xFFFF, base), packet)

    def _drop(self, code: tuple[int, int, int]) -> None:
        base, stride, k = code
        self._codes.pop(code, None)
        for n in range(base, base + stride * k, stride):
            codes = self._members.get(n)
            if codes is not None:
                if code in codes:
                    codes.remove(code)
                if not codes:
                    del self._members[n]
