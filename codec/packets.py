"""Packets: the 8-byte header, and payloads to symbols and back. `docs/bitstream.md` is the reference.

    byte 0     version (2 bits), copies (1 bit), distance (5 bits)
    byte 1, 2  frame number, low 16 bits
    byte 3     packet index (7 bits), long-term flag (1 bit)
    byte 4     packet count - 1 (7 bits), half-size flag (1 bit)
    byte 5     quality index (6 bits), strength of the synthesis (2 bits)
    byte 6, 7  check sum: CRC-16/CCITT over session salt, bytes 0 to 5 and payload

`distance` is how many frames back the long-term reference lies; 0 makes the frame a key frame.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field

import numpy as np
from t4vcodec.codec.contexts import KEY_FRAME, LONG_FRAME, PLAIN_FRAME
from t4vcodec.codec.entropy import Coder
from t4vcodec.codec.packet_map import MAX_PACKETS, PacketMap, packet_map
from t4vcodec.codec.setup import Setup
from t4vcodec.codec.symbols import LOST, FrameSymbols
from t4vcodec.codec.syntax import PARTS, walk
from t4vcodec.codec.tables import Tables
from t4vcodec.errors import T4VError

VERSION = 1
HEADER = 8
MAX_PAYLOAD = 1200  # header included
MAX_DISTANCE = 31
_NO_COUNTS = np.zeros((1, 1), np.int64)
_NO_BITS = np.zeros(len(PARTS))


class PacketError(T4VError):
    """Bytes that are no packet of this session: the one error that a decoder raises for what it is fed."""


@dataclass(frozen=True)
class FrameHeader:
    """What every packet of a frame repeats.

    number: frame number, 0 to 65,535 on the wire. count: packets of the frame, 1 to 128. quality: 0 to 63.
    distance: frames back to the long-term reference, 1 to 31, or 0: a key frame. long: whether the frame
    becomes the long-term reference. copies: whether its packets carry copies. half: coded at half size.
    strength: of the synthesis network, 0 (off) to 3 (full).
    """

    number: int
    count: int
    quality: int
    distance: int
    long: bool = False
    copies: bool = False
    half: bool = False
    strength: int = 0

    @property
    def key(self) -> bool:
        return self.distance == 0

    @property
    def frame_class(self) -> int:
        """KEY_FRAME, LONG_FRAME or PLAIN_FRAME of `contexts`."""
        if self.key:
            return KEY_FRAME
        return LONG_FRAME if self.long else PLAIN_FRAME

    @property
    def copy_offset(self) -> int:
        """Packet i carries the copies of packet i + this (cyclically): half a frame away, so that a burst
        seldom takes both. 0 where packets carry none."""
        return self.count // 2 if self.copies else 0

    def map(self, setup: Setup) -> PacketMap:
        grid = setup.grid(self.half)
        return packet_map(grid.columns, grid.rows, self.count, self.number)


@dataclass(frozen=True)
class Packet:
    """One packet of a frame. `bytes(packet)` is what travels; `Packet.parse` is its inverse."""

    header: FrameHeader
    index: int
    payload: bytes = field(repr=False)
    salt: int = field(repr=False, default=0)

    @property
    def frame(self) -> int:
        return self.header.number

    @property
    def checksum(self) -> int:
        return self._checksum(self._front())

    def _front(self) -> bytes:
        h = self.header
        return bytes(
            (
                VERSION << 6 | h.copies << 5 | h.distance,
                h.number >> 8 & 0xFF,
                h.number & 0xFF,
                self.index << 1 | h.long,
                (h.count - 1) << 1 | h.half,
                h.quality << 2 | h.strength,
            )
        )

    def _checksum(self, front: bytes) -> int:
        return binascii.crc_hqx(self.payload, binascii.crc_hqx(front, self.salt))

    def __bytes__(self) -> bytes:
        front = self._front()
        return front + self._checksum(front).to_bytes(2, "big") + self.payload

    def __len__(self) -> int:
        return HEADER + len(self.payload)

    @classmethod
    def parse(cls, data: bytes, setup: Setup) -> Packet:
        """Check and split the bytes of a packet of the session `setup`. Raises PacketError, nothing else."""
        if not HEADER < len(data) <= MAX_PAYLOAD:
            raise PacketError(f"{len(data)} bytes are no packet: it has {HEADER + 1} to {MAX_PAYLOAD}")
        if data[0] >> 6 != VERSION:
            raise PacketError(f"packet of version {data[0] >> 6}; this decoder knows version {VERSION}")
        header = FrameHeader(
            number=data[1] << 8 | data[2],
            count=(data[4] >> 1) + 1,
            quality=data[5] >> 2,
            distance=data[0] & 31,
            long=bool(data[3] & 1),
            copies=bool(data[0] & 32),
            half=bool(data[4] & 1),
            strength=data[5] & 3,
        )
        packet = cls(header, data[3] >> 1, bytes(data[HEADER:]), setup.salt)
        if packet.checksum != data[6] << 8 | data[7]:
            raise PacketError("check sum does not match: damaged, or of another session")
        if packet.index >= header.count:
            raise PacketError(f"packet {packet.index} of a frame of {header.count}")
        if header.count > setup.grid(header.half).most_packets:
            raise PacketError(f"{header.count} packets for a frame of fewer positions")
        if header.key and not header.long:
            raise PacketError("a key frame that is no long-term reference")
        return packet


@dataclass(frozen=True, eq=False)
class PacketSymbols:
    """A packet parsed: the rows of `FrameSymbols` for its own positions, and for those it carries copies of.

    own, copied: seven arrays each, aligned with positions and copied_positions.
    """

    packet: Packet
    positions: np.ndarray
    own: tuple[np.ndarray, ...]
    copied_positions: np.ndarray
    copied: tuple[np.ndarray, ...]


def payload_capacity(positions: int) -> int:
    """More bytes than `positions` positions can ever take, for the encoder's buffer.

    384 levels of at most 16 (table) + 4 + 10 + 1 bits are 1,488 bytes.
    """
    return 64 + positions * 1600


def serialise(
    header: FrameHeader,
    symbols: FrameSymbols,
    copies: FrameSymbols | None,
    packets: PacketMap,
    tables: Tables,
    salt: int,
) -> list[Packet]:
    """All packets of a frame."""
    out = []
    t = (tables.cumulated, tables.row, tables.cost, _NO_COUNTS, _NO_BITS)
    for index in range(header.count):
        parts = list(_parts(header, symbols, copies, packets, index))
        coder = Coder.encoder(payload_capacity(sum(part_order.size for _, part_order, _ in parts)))
        for part, part_order, copy in parts:
            walk_part(coder, t, header, packets, part_order, copy, part)
        out.append(Packet(header, index, coder.finish(), salt))
    return out


def _parts(header: FrameHeader, symbols, copies, packets: PacketMap, index: int):
    """What a packet's payload holds, in order: (symbols, positions, whether they are copies)."""
    yield symbols, packets.order[index], False
    if header.copy_offset:
        yield copies, packets.order[(index + header.copy_offset) % header.count], True


def walk_part(
    coder: Coder,
    t: tuple,
    header: FrameHeader,
    packets: PacketMap,
    order: np.ndarray,
    copy: bool,
    part: FrameSymbols,
) -> None:
    """Encode, decode or count one part of a payload, as the coder is for; t as in `syntax.walk`."""
    distance = max(header.distance, 1)
    walk(
        coder.arrays,
        t,
        order,
        packets.near,
        copy,
        header.frame_class,
        header.quality,
        distance,
        part.arrays,
    )


def count_bits(
    header: FrameHeader,
    symbols: FrameSymbols,
    copies: FrameSymbols | None,
    packets: PacketMap,
    tables: Tables,
    counts: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    """Ideal bits (-log2 of the tables' probabilities) by part (`syntax.PARTS`), and those of the copies.

    counts: (CONTEXTS, 24) int64, symbols by context are added to it where given.
    """
    coder = Coder.counter()
    counts = np.zeros((tables.row.size, tables.frequencies.shape[1]), np.int64) if counts is None else counts
    own = np.zeros(len(PARTS))
    extra = np.zeros(len(PARTS))
    for index in range(header.count):
        for part, order, copy in _parts(header, symbols, copies, packets, index):
            t = (tables.cumulated, tables.row, tables.cost, counts, extra if copy else own)
            walk_part(coder, t, header, packets, order, copy, part)
    return own, float(extra.sum())


class PayloadParser:
    """Parses payloads of one session. Keeps two scratch frames, so one parser serves one thread."""

    def __init__(self, setup: Setup, tables: Tables) -> None:
        self._setup = setup
        self._tables = tables
        self._scratch: dict[bool, tuple[FrameSymbols, FrameSymbols]] = {}

    def parse(self, packet: Packet) -> PacketSymbols:
        """Raises PacketError where the payload does not end exactly where its symbols do."""
        header = packet.header
        if header.half not in self._scratch:
            grid = self._setup.grid(header.half)
            self._scratch[header.half] = tuple(FrameSymbols.lost(grid.columns, grid.rows) for _ in range(2))
        symbols, copies = self._scratch[header.half]
        packets = header.map(self._setup)
        tables = self._tables
        coder = Coder.decoder(packet.payload)
        t = (tables.cumulated, tables.row, tables.cost, _NO_COUNTS, _NO_BITS)
        taken: list[tuple[np.ndarray, ...]] = []
        orders = []
        for part, order, copy in _parts(header, symbols, copies, packets, packet.index):
            walk_part(coder, t, header, packets, order, copy, part)
            taken.append(tuple(a[order] for a in part.arrays))
            orders.append(order)
            for a in part.arrays:
                a[order] = 0
            part.kind[order] = LOST
        if not coder.ended_exactly():
            raise PacketError("the payload is longer or shorter than its symbols")
        copied = tuple(np.concatenate(rows) for rows in zip(*taken[1:]))
        copied_positions = np.concatenate(orders[1:]) if copied else np.zeros(0, np.int32)
        return PacketSymbols(packet, orders[0], taken[0], copied_positions, copied)


__all__ = [
    "HEADER",
    "MAX_DISTANCE",
    "MAX_PACKETS",
    "MAX_PAYLOAD",
    "FrameHeader",
    "Packet",
    "PacketError",
    "PacketSymbols",
    "PayloadParser",
    "count_bits",
    "serialise",
]
