"""A streaming code: parity sent with frame i covers the packets of the last tau frames, i among them.

Each frame brings parity of its own, so a loss may be mended by the very next packets and at the latest by those
of frame i + tau - 1; windows overlap, so that what one frame has to spare helps its neighbours. In the spirit of
Tambur (Rudow et al., NSDI'23), without its classes of symbols: parity is a random linear combination of the
window's shards over GF(256) (polynomial 0x11D, coefficients 1 to 255 from a hash of both packets' numbers), and
the receiver solves what linear algebra can solve, as packets arrive. As many equations as unknowns fail to give
a solution in about 1 of 255 cases; otherwise this is the best that any decoder could do with these packets.

Redundancy is kept by account, not rounded up frame by frame: at 0.25, frames of one packet each send one parity
packet every fourth frame. In front of parity go 6 bytes: number of the first covered media packet, how many
(2 bytes each), number of the parity packet.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
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

HEADER = struct.Struct(">HHH")
LONGEST = 4096
"""Media packets of a window at most: solving takes the cube of it."""


def _field() -> tuple[np.ndarray, np.ndarray]:
    """Products (256, 256) and inverses (256,) of GF(256)."""
    powers, logs = np.zeros(510, np.uint8), np.zeros(256, np.int64)
    value = 1
    for i in range(255):
        powers[i] = powers[i + 255] = value
        logs[value] = i
        value = value << 1 ^ (0x11D if value & 0x80 else 0)
    products = powers[logs[:, None] + logs[None, :]]
    products[0] = products[:, 0] = 0
    inverses = powers[255 - logs]
    inverses[0] = 0
    return products, inverses


PRODUCTS, INVERSES = _field()


def plan_parity(counts: Sequence[int], redundancies: Sequence[float], window: int) -> list[Parity]:
    """All parity packets in sending order.

    counts: media packets of each frame. redundancies: parity packets for each media packet, frame by frame.
    """
    starts = np.concatenate([[0], np.cumsum(counts, dtype=int)])
    plan: list[Parity] = []
    owed = 0.0
    for i in range(len(counts)):
        owed += counts[i] * redundancies[i]
        base = int(starts[max(0, i - window + 1)])
        count = int(starts[i + 1]) - base
        if count > LONGEST:
            raise FecError(
                f"{count} packets in {window} frames are too many for a streaming code: take fewer"
            )
        if count:
            plan += [Parity(i, base, 1, count, row) for row in range(len(plan), parity_packets(owed))]
    return plan


@njit(cache=True, nogil=True, inline="always")
def _coefficient(row, number):
    """Of media packet `number` in parity packet `row`: 1 to 255; both count modulo 2^16."""
    x = np.uint64((row & 0xFFFF) << 16 | (number & 0xFFFF))
    # splitmix64 (Steele, Lea, Flood, OOPSLA 2014): neighbouring numbers give unrelated ones.
    x = (x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return np.int64(x % np.uint64(255)) + 1


@njit(cache=True, nogil=True, inline="always")
def _add(target, factor, source):
    """target += factor * source, bytes of GF(256)."""
    products = PRODUCTS[factor]
    for i in range(len(target)):
        target[i] ^= products[source[i]]


@njit(cache=True, nogil=True)
def _combine(windows, shards):
    """Parity (P, L) uint8. windows: (P, 3) base, count, row. shards: (M, L) uint8."""
    parity = np.zeros((len(windows), shards.shape[1]), np.uint8)
    for p in range(len(windows)):
        base, count, row = windows[p]
        for number in range(base, base + count):
            _add(parity[p], _coefficient(row, number), shards[number])
    return parity


@njit(cache=True, nogil=True)
def _solve(windows, parity, shards, known, times):
    """Solves for lost packets as parity arrives.

    windows: (P, 4) frame, base, count, row of the parity packets that arrived, in order. parity: (P, L) uint8,
    L = 0 to learn only what can be solved. shards: (M, L), known: (M,) bool, times: (M,): completed in place.

    Rows of the system are kept reduced, each with the oldest unknown it holds as its pivot. Later parity never
    holds unknowns older than its window, so rows whose pivot has left the window are of no more use, and the
    system stays as small as a window.
    """
    size = 1
    for p in range(len(windows)):
        size = max(size, windows[p, 2])
    length = shards.shape[1]
    # Unknown `number` has column `number % size`: no two of a window share one.
    system = np.zeros((size + 1, size), np.uint8)
    values = np.zeros((size + 1, length), np.uint8)
    pivots = np.zeros(size + 1, np.int64)
    rows = 0
    for p in range(len(windows)):
        frame, base, count, row = windows[p]
        r = 0
        while r < rows:
            if pivots[r] < base:
                rows -= 1
                pivots[r], system[r], values[r] = pivots[rows], system[rows], values[rows]
            else:
                r += 1
        unknowns = count - known[base : base + count].sum()
        if unknowns == 0:
            continue
        new, value = system[rows], values[rows]
        new[:] = 0
        value[:] = parity[p]
        for number in range(base, base + count):
            if known[number]:
                _add(value, _coefficient(row, number), shards[number])
            else:
                new[number % size] = _coefficient(row, number)
        for r in range(rows):
            factor = new[pivots[r] % size]
            if factor:
                _add(new, factor, system[r])
                _add(value, factor, values[r])
        pivot = -1
        for number in range(base, base + count):
            if new[number % size]:
                pivot = number
                break
        if pivot < 0:
            continue
        inverse = INVERSES[new[pivot % size]]
        for i in range(size):
            new[i] = PRODUCTS[inverse, new[i]]
        for i in range(length):
            value[i] = PRODUCTS[inverse, value[i]]
        for r in range(rows):
            factor = system[r, pivot % size]
            if factor:
                _add(system[r], factor, new)
                _add(values[r], factor, value)
        pivots[rows] = pivot
        rows += 1
        r = 0
        while r < rows:
            if np.count_nonzero(system[r]) == 1:
                number = pivots[r]
                shards[number] = values[r]
                known[number] = True
                times[number] = frame
                rows -= 1
                pivots[r], system[r], values[r] = pivots[rows], system[rows], values[rows]
            else:
                r += 1


def encode(shards: Sequence[bytes], plan: Sequence[Parity]) -> list[bytes]:
    """Payload of each parity packet. shards: of all media packets, not padded."""
    if not plan:
        return []
    length = max(map(len, shards))
    windows = np.array([(p.base, p.count, p.index) for p in plan])
    bodies = _combine(windows, _matrix(shards, length))
    sizes = [max(len(shard) for shard in shards[p.base : p.base + p.count]) for p in plan]
    return [
        HEADER.pack(p.base & 0xFFFF, p.count, p.index & 0xFFFF) + body[:size].tobytes()
        for p, body, size in zip(plan, bodies, sizes)
    ]


def decode(arrivals: Iterable[Arrival]) -> dict[int, Rescued]:
    """Lost media packets that can be computed in time from what arrived, by packet number."""
    media: list[Arrival] = []
    windows: list[tuple[int, int, int, int]] = []
    parity: list[bytes] = []
    newest = 0
    for arrival in arrivals:
        if arrival.number is not None:
            newest = arrival.number
            media.append(arrival)
        else:
            low, count, row = HEADER.unpack_from(arrival.data)
            windows.append((arrival.frame, unwrap(low, newest), count, row))
            parity.append(arrival.data[HEADER.size :])
    if not parity:
        return {}
    end = max(newest + 1, max(base + count for _, base, count, _ in windows))
    known, times = np.zeros(end, bool), np.full(end, -1)
    held = [b""] * end
    for packet in media:
        held[packet.number] = make_shard(packet.data, packet.frame)
        known[packet.number] = True
    length = max(map(len, parity + held))
    shards = _matrix(held, length)
    _solve(np.array(windows), _matrix(parity, length), shards, known, times)
    return {
        int(n): Rescued(*open_shard(shards[n].tobytes(), int(times[n])), int(times[n]))
        for n in np.flatnonzero(times >= 0)
    }


@dataclass(frozen=True, eq=False)
class Counting:
    """Knows when lost packets can be computed, by the same elimination as `decode`, without their bytes."""

    media_at: np.ndarray
    """(M,) int: places of media packets in sending order."""
    parity_at: np.ndarray
    """(P,) int: places of parity packets."""
    windows: np.ndarray
    """(P, 4) int: frame, base, count, row of each parity packet."""

    @classmethod
    def of(cls, media_at: np.ndarray, parity_at: np.ndarray, plan: Sequence[Parity]) -> Counting:
        """media_at, parity_at: places of media and parity packets in sending order."""
        windows = np.array([(p.frame, p.base, p.count, p.index) for p in plan], int).reshape(-1, 4)
        return cls(media_at, parity_at, windows)

    def times(self, lost: np.ndarray) -> np.ndarray:
        """Frame that brings what is missing for each media packet to be computed, -1 for never.

        lost: (S, N) bool. Returns (S, M) int, without meaning for packets that arrived.
        """
        known = ~lost[:, self.media_at]
        times = np.full(known.shape, -1)
        no_shards = np.zeros((known.shape[1], 0), np.uint8)
        for s in np.flatnonzero(~known.all(axis=1)):
            came = self.windows[~lost[s, self.parity_at]]
            _solve(came, np.zeros((len(came), 0), np.uint8), no_shards, known[s], times[s])
        return times


def _matrix(rows: Sequence[bytes], length: int) -> np.ndarray:
    """(rows, length) uint8, each row filled up with zeros."""
    return (
        np.frombuffer(b"".join(row.ljust(length, b"\0") for row in rows), np.uint8).reshape(-1, length).copy()
    )
