"""What of a frame is there when packets are missing: one code for the wire and for training.

`assemble` puts the packets that arrived into a frame; `PacketErasure` erases packets from a whole frame by the
same map. Losing packets and erasing them give the same symbols, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from t4vcodec.codec.packet_map import PacketMap
from t4vcodec.codec.packets import PacketSymbols
from t4vcodec.codec.symbols import FrameSymbols


@dataclass(frozen=True, eq=False)
class Received:
    """A frame as it arrived. symbols: the positions that came in full, or as a copy; LOST elsewhere.

    coarse: (P,) bool, which of them are copies only. copies: every copy that came, LOST elsewhere; None where
    the frame has none.
    """

    symbols: FrameSymbols
    coarse: np.ndarray
    copies: FrameSymbols | None = None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Received)
            and self.symbols == other.symbols
            and np.array_equal(self.coarse, other.coarse)
            and self.copies == other.copies
        )

    __hash__ = None


def assemble(columns: int, rows: int, packets: Iterable[PacketSymbols]) -> Received:
    """Order of the packets does not matter; what came in full wins over its copy."""
    symbols = FrameSymbols.lost(columns, rows)
    coarse = np.zeros(columns * rows, bool)
    packets = list(packets)
    copies = None
    if any(p.packet.header.copy_offset for p in packets):
        copies = FrameSymbols.lost(columns, rows)
        for p in packets:
            for mine, theirs in zip(copies.arrays, p.copied):
                mine[p.copied_positions] = theirs
            coarse[p.copied_positions] = True
        symbols = copies.copy()
    for p in packets:
        for mine, theirs in zip(symbols.arrays, p.own):
            mine[p.positions] = theirs
        coarse[p.positions] = False
    return Received(symbols, coarse, copies)


class PacketErasure:
    """Erases packets from frames of symbols: the layer between encoder and decoder in training.

    loss: probability that a packet is erased. seed: of the draws.
    """

    def __init__(self, loss: float, seed: int = 0) -> None:
        if not 0 <= loss <= 1:
            raise ValueError(f"loss must be from 0 to 1, got {loss}")
        self.loss = loss
        self._random = np.random.Generator(np.random.PCG64(seed))

    def draw(self, count: int) -> np.ndarray:
        """(count,) bool, which packets of the next frame are lost."""
        return self._random.random(count) < self.loss

    @staticmethod
    def erase(
        symbols: FrameSymbols,
        copies: FrameSymbols | None,
        packets: PacketMap,
        lost: Sequence[bool],
        offset: int,
    ) -> Received:
        """What is left of a frame when the packets `lost` (count,) do not arrive.

        offset: `FrameHeader.copy_offset`.
        """
        lost = np.asarray(lost, bool)
        if lost.shape != (packets.count,):
            raise ValueError(f"lost: expected shape ({packets.count},), got {lost.shape}")
        out = FrameSymbols.lost(packets.columns, packets.rows)
        gone = lost[packets.packet]
        out.take(symbols, np.flatnonzero(~gone))
        coarse = np.zeros(gone.size, bool)
        left = None
        if copies is not None and offset > 0 and not lost.all():
            # The copies of packet i travel in packet i - offset.
            carriers_lost = np.roll(lost, offset)[packets.packet]
            coarse = gone & ~carriers_lost
            out.take(copies, np.flatnonzero(coarse))
            left = FrameSymbols.lost(packets.columns, packets.rows)
            left.take(copies, np.flatnonzero(~carriers_lost))
        return Received(out, coarse, left)

    def __call__(
        self, symbols: FrameSymbols, copies: FrameSymbols | None, packets: PacketMap, offset: int
    ) -> Received:
        return self.erase(symbols, copies, packets, self.draw(packets.count), offset)
