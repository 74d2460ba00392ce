"""What the encoder keeps of the frame it coded last: its symbols, and what it took."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from t4vcodec.codec.packet_map import PacketMap
from t4vcodec.codec.packets import HEADER, FrameHeader, count_bits
from t4vcodec.codec.symbols import FrameSymbols
from t4vcodec.codec.syntax import PARTS
from t4vcodec.codec.tables import Tables


@dataclass(frozen=True, eq=False)
class CodedFrame:
    """The symbols behind the packets of a frame, for training and study."""

    header: FrameHeader
    symbols: FrameSymbols
    copies: FrameSymbols | None
    packets: PacketMap


@dataclass(frozen=True, eq=False)
class FrameStats:
    """What a frame took. bytes: sent, transport headers included. payload: without them."""

    number: int
    frame_class: int
    quality: int
    packets: int
    bytes: int
    payload: int
    coded: CodedFrame = field(repr=False)
    tables: Tables = field(repr=False)

    @cached_property
    def bits(self) -> dict[str, float]:
        """Ideal bits by part: types, motion, luma, chroma, copies, headers. Counted when first asked for."""
        c = self.coded
        own, extra = count_bits(c.header, c.symbols, c.copies, c.packets, self.tables)
        headers = 8.0 * (self.bytes - self.payload + HEADER * self.packets)
        return dict(zip(PARTS, map(float, own))) | {"copies": extra, "headers": headers}
