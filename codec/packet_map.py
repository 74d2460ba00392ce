"""Which position travels in which packet, and which earlier positions of its packet it may look at.

This is wire format: encoder, decoder and `PacketErasure` share it. Positions (16x16 luma) are dealt out by a
lattice, position (x, y) of frame f into packet (x + k y + f) mod n, with k such that two positions of one
packet lie as far apart as n allows: for n = 2 a chess board, for n = 5 the knight's move. A lost packet then
leaves holes whose neighbours arrived, and the same place travels in another packet in the next frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit

MAX_PACKETS = 128


@lru_cache(maxsize=MAX_PACKETS)
def lattice_step(n: int) -> int:
    """The k of the lattice with the largest least distance between two positions of one packet."""

    def least(k: int) -> int:
        """Squared length of the shortest vector of the lattice, by Gauss's reduction of its basis."""
        a, b = (n, 0), (-k, 1)
        while True:
            if a[0] ** 2 + a[1] ** 2 < b[0] ** 2 + b[1] ** 2:
                a, b = b, a
            d = b[0] ** 2 + b[1] ** 2
            m = round((a[0] * b[0] + a[1] * b[1]) / d)
            if m == 0:
                return d
            a = (a[0] - m * b[0], a[1] - m * b[1])

    return max(range(n), key=lambda k: (least(k), -k)) if n > 1 else 0


@dataclass(frozen=True, eq=False)
class PacketMap:
    """The map of one frame.

    packet: (positions,) uint8, the packet of each position (raster order).
    order: tuple of n int32 arrays, the positions of each packet in coding order (raster).
    near: (positions, 3) int32, the three nearest earlier positions of the same packet, -1 where there is none.
    """

    columns: int
    rows: int
    count: int
    packet: np.ndarray
    order: tuple[np.ndarray, ...]
    near: np.ndarray

    def __repr__(self) -> str:
        return f"PacketMap({self.columns}x{self.rows} positions in {self.count} packets)"


@njit(cache=True)
def _nearest_earlier(packet, columns, rows, offsets, near):
    for y in range(rows):
        for x in range(columns):
            p = y * columns + x
            found = 0
            for i in range(offsets.shape[0]):
                u = x + offsets[i, 0]
                v = y + offsets[i, 1]
                if u < 0 or u >= columns or v < 0:
                    continue
                q = v * columns + u
                if packet[q] == packet[p]:
                    near[p, found] = q
                    found += 1
                    if found == 3:
                        break


@lru_cache(maxsize=8)
def _offsets(reach: int) -> np.ndarray:
    rows = [
        (dx * dx + dy * dy, -dy, dx)
        for dy in range(-reach, 1)
        for dx in range(-reach, reach + 1)
        if dy < 0 or dx < 0
    ]
    return np.array([(dx, -ndy) for _, ndy, dx in sorted(rows)], dtype=np.int32)


@lru_cache(maxsize=256)
def _map(columns: int, rows: int, count: int, shift: int) -> PacketMap:
    y, x = np.mgrid[0:rows, 0:columns]
    packet = ((x + lattice_step(count) * y + shift) % count).astype(np.uint8).ravel()
    order = tuple(np.flatnonzero(packet == i).astype(np.int32) for i in range(count))
    near = np.full((rows * columns, 3), -1, dtype=np.int32)
    _nearest_earlier(packet, columns, rows, _offsets(min(12, 2 + int(2 * count**0.5))), near)
    for array in (packet, near, *order):
        array.setflags(write=False)
    return PacketMap(columns, rows, count, packet, order, near)


def packet_map(columns: int, rows: int, count: int, frame: int) -> PacketMap:
    """The map of frame number `frame` with `count` packets (1 to min(128, positions))."""
    if not 1 <= count <= min(MAX_PACKETS, columns * rows):
        raise ValueError(f"a frame of {columns}x{rows} positions can not have {count} packets")
    return _map(columns, rows, count, frame % count)
