"""Segments of the simulated TCP, and how packets of frames are written into its stream.

A segment's 24 bytes stand for what TCP's header (20) and its time stamps (12) have above UDP's (8), so that
with the link's 28 bytes it costs 52 bytes as on a real path; each acknowledgement adds 8 bytes for each SACK
block and 4 once (RFC 2018). In the stream a packet is a record: two bytes of length (RFC 4571), 12 bytes as
RTP's, payload.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from t4vcodec.network.transports.base import Delivered, MediaPacket
from t4vcodec.network.transports.wire import WireError

SEGMENT = 5
_HEAD = struct.Struct(">BBHII12x")
_BLOCK = struct.Struct(">II")
_RECORD = struct.Struct(">HIHHB3x")
_TURN = 1 << 32

SACK_BLOCKS = 3
"""Blocks that fit beside time stamps."""
WINDOW = 4 << 20
"""Bytes beyond the next expected that a receiver takes, and a sender sends."""
RECORD_BYTES = _RECORD.size


@dataclass(frozen=True)
class SegmentHead:
    """One datagram. Numbers are bytes since the start; read, they are whole again."""

    start: int
    """Of `data` in the stream."""
    ack: int
    """Next byte expected by who sends this."""
    sack: tuple[tuple[int, int], ...] = ()
    """Received beyond `ack`: [start, end), the latest first."""
    data: bytes = b""


def write_segment(segment: SegmentHead) -> bytes:
    """The datagram."""
    head = _HEAD.pack(
        SEGMENT, len(segment.sack), len(segment.data), segment.start % _TURN, segment.ack % _TURN
    )
    blocks = b"".join(_BLOCK.pack(start % _TURN, end % _TURN) for start, end in segment.sack)
    return head + (blocks + bytes(4) if blocks else b"") + segment.data


def read_segment(datagram: bytes, near_start: int, near_ack: int) -> SegmentHead:
    """What a datagram says, its numbers nearest to those given; raises `WireError`."""
    if len(datagram) < _HEAD.size or datagram[0] != SEGMENT:
        raise WireError("not a segment")
    _, blocks, size, start, ack = _HEAD.unpack_from(datagram)
    options = _BLOCK.size * blocks + 4 if blocks else 0
    if blocks > SACK_BLOCKS or len(datagram) != _HEAD.size + options + size:
        raise WireError("a segment of a wrong length")
    sack = []
    for i in range(blocks):
        low, high = _BLOCK.unpack_from(datagram, _HEAD.size + _BLOCK.size * i)
        first = _unwrap(low, near_ack)
        last = _unwrap(high, near_ack)
        if not first < last:
            raise WireError("an empty block")
        sack.append((first, last))
    data = datagram[_HEAD.size + options :]
    return SegmentHead(_unwrap(start, near_start), _unwrap(ack, near_ack), tuple(sack), data)


def _unwrap(low: int, near: int) -> int:
    return near + (low - near + _TURN // 2) % _TURN - _TURN // 2


def write_record(packet: MediaPacket) -> bytes:
    """A packet as the stream carries it."""
    head = _RECORD.pack(len(packet.data), packet.frame & 0xFFFFFFFF, packet.index, packet.count, packet.key)
    return head + packet.data


@dataclass
class RecordReader:
    """Cuts a stream into packets again."""

    buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes, now: float) -> Iterator[Delivered]:
        """Packets that `data`, the stream's next bytes, completes."""
        self.buffer += data
        at = 0
        while len(self.buffer) - at >= RECORD_BYTES:
            size, frame, index, count, key = _RECORD.unpack_from(self.buffer, at)
            end = at + RECORD_BYTES + size
            if len(self.buffer) < end:
                break
            payload = bytes(self.buffer[at + RECORD_BYTES : end])
            yield Delivered(frame, index, count, payload, now, bool(key))
            at = end
        del self.buffer[:at]
