"""Reed-Solomon over blocks of frames: any k of a block's n packets give all of it back.

n - k = k * redundancy, rounded up; the arithmetic is zfec's, whose longest code has 256 packets. A block that
needs more is dealt out, packet by packet in turn, to as few codes as do, so that a burst hits all of them alike.
Parity leaves with the block's last frame. In front of it go 5 bytes: number of the first covered media packet
(2), distance between neighbours (1), k (1), row (1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import zfec
from t4vcodec.network.shards import (
    Arrival,
    FecError,
    Parity,
    Rescued,
    make_shard,
    open_shard,
    parity_packets,
    unwrap,
)

HEADER = struct.Struct(">HBBB")
LONGEST = 256
"""Packets of one code at most: points of the field with 256 elements."""


def blocks(frames: int, block: int) -> list[range]:
    """The frames of each block, in order; the last may be shorter."""
    return [range(start, min(start + block, frames)) for start in range(0, frames, block)]


def plan_parity(counts: Sequence[int], redundancies: Sequence[float], block: int) -> list[Parity]:
    """All parity packets in sending order.

    counts: media packets of each frame. redundancies: (n - k) / k that each frame asks for; a block gets the
    most that one of its frames asks for.
    """
    plan: list[Parity] = []
    base = 0
    for members in blocks(len(counts), block):
        media = sum(counts[i] for i in members)
        redundancy = max(redundancies[i] for i in members)
        codes = _codes(media, redundancy)
        rows = []
        for code in range(codes):
            k = len(range(code, media, codes))
            rows += [
                Parity(members[-1], base + code, codes, k, k + row)
                for row in range(parity_packets(k * redundancy))
            ]
        plan += sorted(rows, key=lambda parity: parity.index - parity.count)
        base += media
    return plan


def _codes(media: int, redundancy: float) -> int:
    """How many codes share a block of `media` packets."""
    if not media:
        return 0
    for codes in range(1, LONGEST):  # their number is the distance of neighbours, which has one byte
        largest = -(-media // codes)
        if largest + parity_packets(largest * redundancy) <= LONGEST:
            return codes
    raise FecError(
        f"a block of {media} packets with {redundancy:g} of redundancy is too much for Reed-Solomon:"
        " take fewer frames in a block"
    )


@lru_cache(maxsize=LONGEST)
def _encoder(k: int) -> zfec.Encoder:
    return zfec.Encoder(k, LONGEST)


@lru_cache(maxsize=LONGEST)
def _decoder(k: int) -> zfec.Decoder:
    return zfec.Decoder(k, LONGEST)


def encode(shards: Sequence[bytes], plan: Sequence[Parity]) -> list[bytes]:
    """Payload of each parity packet. shards: of all media packets, not padded."""
    codes: dict[tuple[int, int, int], list[int]] = {}
    for parity in plan:
        codes.setdefault((parity.base, parity.stride, parity.count), []).append(parity.index)
    made: dict[tuple[int, int], bytes] = {}
    for (base, stride, k), rows in codes.items():
        members = shards[base : base + stride * k : stride]
        size = max(map(len, members))
        padded = tuple(shard.ljust(size, b"\0") for shard in members)
        for row, body in zip(rows, _encoder(k).encode(padded, tuple(rows))):
            made[base, row] = HEADER.pack(base & 0xFFFF, stride, k, row) + body
    return [made[parity.base, parity.index] for parity in plan]


def decode(arrivals: Iterable[Arrival]) -> dict[int, Rescued]:
    """Lost media packets that can be computed from what arrived, by packet number."""
    media: dict[int, Arrival] = {}
    codes: dict[tuple[int, int, int], list[tuple[int, bytes]]] = {}
    times: dict[tuple[int, int, int], int] = {}
    newest = 0
    for arrival in arrivals:
        if arrival.number is not None:
            newest = arrival.number
            media[newest] = arrival
        else:
            low, stride, k, row = HEADER.unpack_from(arrival.data)
            code = (unwrap(low, newest), stride, k)
            codes.setdefault(code, []).append((row, arrival.data[HEADER.size :]))
            times[code] = arrival.frame
    rescued: dict[int, Rescued] = {}
    for code, parity in codes.items():
        base, stride, k = code
        numbers = range(base, base + stride * k, stride)
        present = [j for j, number in enumerate(numbers) if number in media]
        needed = k - len(present)
        if not 0 < needed <= len(parity):
            continue
        size = len(parity[0][1])
        held = [media[numbers[j]] for j in present]
        known = [make_shard(packet.data, packet.frame).ljust(size, b"\0") for packet in held]
        known += [body for _, body in parity[:needed]]
        rows = (*present, *(row for row, _ in parity[:needed]))
        whole = _decoder(k).decode(tuple(known), rows)
        for j in set(range(k)).difference(present):
            rescued[numbers[j]] = Rescued(*open_shard(whole[j], times[code]), times[code])
    return rescued


@dataclass(frozen=True, eq=False)
class Counting:
    """Knows when lost packets can be computed, by counting alone."""

    code_of_packet: np.ndarray
    """(N,) int: number of each packet's code, in sending order; -1 for packets without."""
    code_of_media: np.ndarray
    """(M,) int."""
    room: np.ndarray
    """(codes,) int: losses that each survives, n - k."""
    ends: np.ndarray
    """(codes,) int: frame that brings the parity."""

    @classmethod
    def of(cls, media_at: np.ndarray, parity_at: np.ndarray, plan: Sequence[Parity]) -> Counting:
        """media_at, parity_at: places of media and parity packets in sending order."""
        numbers: dict[int, int] = {}
        code = np.full(len(media_at) + len(parity_at), -1)
        ends: list[int] = []
        for at, parity in zip(parity_at, plan):
            if parity.base not in numbers:
                numbers[parity.base] = len(ends)
                code[media_at[parity.base : parity.covered[-1] + 1 : parity.stride]] = len(ends)
                ends.append(parity.frame)
            code[at] = numbers[parity.base]
        room = np.bincount(code[parity_at], minlength=len(ends))
        return cls(code, code[media_at], room, np.array(ends, int))

    def times(self, lost: np.ndarray) -> np.ndarray:
        """Frame that brings what is missing for each media packet to be computed, -1 for never.

        lost: (S, N) bool. Returns (S, M) int, without meaning for packets that arrived.
        """
        codes = len(self.room)
        seeds, packets = np.nonzero(lost[:, self.code_of_packet >= 0])
        place = seeds * codes + self.code_of_packet[self.code_of_packet >= 0][packets]
        losses = np.bincount(place, minlength=len(lost) * codes).reshape(len(lost), codes)
        # A last column stands for packets without a code: their -1 finds it.
        ends = np.full((len(lost), codes + 1), -1)
        ends[:, :codes] = np.where(losses <= self.room, self.ends, -1)
        return ends[:, self.code_of_media]
