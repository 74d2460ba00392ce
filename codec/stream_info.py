"""What a `.t4v` file holds: frames, packets, and where its bits go, by parsing every packet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from t4vcodec.codec.container import ContainerReader
from t4vcodec.codec.entropy import Coder
from t4vcodec.codec.models import load_tables
from t4vcodec.codec.packets import HEADER, FrameHeader, Packet, PacketError, PacketSymbols, PayloadParser
from t4vcodec.codec.setup import Setup
from t4vcodec.codec.symbols import FrameSymbols
from t4vcodec.codec.syntax import PARTS, walk
from t4vcodec.codec.tables import Tables

TRANSPORT_HEADER = 40  # bytes of IP, UDP and RTP
ALL_PARTS = (*PARTS, "copies", "headers")


@dataclass
class StreamInfo:
    """Totals over a file's readable packets.

    frames, packets: counted. damaged: packets that do not parse. payload: bytes, our headers not included.
    bits: ideal bits by part; `headers` are ours and those of IP, UDP and RTP, 48 bytes a packet.
    qualities: of each frame that had a readable packet. classes: frames by KEY_FRAME, LONG_FRAME,
    PLAIN_FRAME. half: frames coded at half size. seconds: duration.
    """

    frames: int = 0
    packets: int = 0
    damaged: int = 0
    payload: int = 0
    bits: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ALL_PARTS, 0.0))
    qualities: list[int] = field(default_factory=list)
    classes: Counter[int] = field(default_factory=Counter)
    half: int = 0
    seconds: float = 0.0

    @property
    def kbps(self) -> float:
        """Everything sent, transport headers included, over the duration."""
        total = self.payload + (HEADER + TRANSPORT_HEADER) * self.packets
        return total * 8 / 1000 / self.seconds if self.seconds else 0.0

    @property
    def shares(self) -> dict[str, float]:
        """Share of each part in all bits, 0 to 1, in the order of `ALL_PARTS`."""
        total = sum(self.bits.values())
        return {part: self.bits[part] / total if total else 0.0 for part in ALL_PARTS}


class PacketCounter:
    """Counts symbols and ideal bits of parsed packets of one session.

    counts: (CONTEXTS, 24) int64, symbols by context so far. own, copies: ideal bits by `PARTS` so far.
    """

    def __init__(self, setup: Setup, tables: Tables) -> None:
        self._setup = setup
        self._tables = tables
        self.counts = np.zeros((tables.row.size, tables.frequencies.shape[1]), np.int64)
        self.own = np.zeros(len(PARTS))
        self.copies = np.zeros(len(PARTS))

    def add(self, parsed: PacketSymbols) -> None:
        header = parsed.packet.header
        packets = header.map(self._setup)
        tables = self._tables
        coder = Coder.counter()
        for positions, rows, is_copy in (
            (parsed.positions, parsed.own, False),
            (parsed.copied_positions, parsed.copied, True),
        ):
            if not rows:
                continue
            # Contexts look no further than the packet itself, so its own positions are all that is needed.
            symbols = FrameSymbols.lost(packets.columns, packets.rows)
            for mine, theirs in zip(symbols.arrays, rows):
                mine[positions] = theirs
            bits = self.copies if is_copy else self.own
            walk(
                coder.arrays,
                (tables.cumulated, tables.row, tables.cost, self.counts, bits),
                positions,
                packets.near,
                is_copy,
                header.frame_class,
                header.quality,
                max(header.distance, 1),
                symbols.arrays,
            )


def parse_packets(
    data: Iterable[bytes | Packet], setup: Setup, parser: PayloadParser
) -> Iterator[PacketSymbols | None]:
    """Each packet's symbols, None for one that does not parse."""
    for item in data:
        try:
            yield parser.parse(Packet.parse(bytes(item), setup))
        except PacketError:
            yield None


def read_info(reader: ContainerReader) -> StreamInfo:
    """Read a file to its end; `reader.damage` is known afterwards. Raises ContainerError."""
    setup = reader.setup
    tables = load_tables(setup.model)
    parser, counter = PayloadParser(setup, tables), PacketCounter(setup, tables)
    info = StreamInfo()
    last_time = -1.0
    for stored in reader:
        info.frames = stored.number + 1
        last_time = stored.time
        headers = _add_packets(info, stored.packets, setup, parser, counter)
        if headers:
            header, _ = Counter(headers).most_common(1)[0]
            info.qualities.append(header.quality)
            info.classes[header.frame_class] += 1
            info.half += header.half
    if info.frames:
        info.seconds = last_time + 1 / float(setup.fps)
    info.bits |= dict(zip(PARTS, map(float, counter.own)))
    info.bits["copies"] = float(counter.copies.sum())
    info.bits["headers"] = 8.0 * (HEADER + TRANSPORT_HEADER) * info.packets
    return info


def _add_packets(
    info: StreamInfo, data: Sequence[bytes], setup: Setup, parser: PayloadParser, counter: PacketCounter
) -> list[FrameHeader]:
    headers = []
    for parsed in parse_packets(data, setup, parser):
        if parsed is None:
            info.damaged += 1
            continue
        counter.add(parsed)
        info.packets += 1
        info.payload += len(parsed.packet.payload)
        headers.append(parsed.packet.header)
    return headers
