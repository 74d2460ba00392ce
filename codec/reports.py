"""Reports: what a receiver tells its sender, one small packet a frame, lost and late like any other.

    byte 0      version (2 bits) = 2, frames told of - 1 (6 bits)
    byte 1, 2   number of the frame closed last, low 16 bits
    byte 3..6   hash of the state after it
    then for each frame told of, from the last one back:
                packets of the frame (1 byte, 0: none of it ever came), and a bit for each, 1 = arrived,
                from the highest bit of the first byte on
    last 2      check sum: CRC-16/CCITT over session salt and everything before

A report repeats the frames before it, so that lost reports do no harm as long as one of `TOLD` gets through.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from t4vcodec.codec.packet_map import MAX_PACKETS
from t4vcodec.codec.setup import Setup
from t4vcodec.errors import T4VError

VERSION = 2  # packets of video have 1: neither is taken for the other
TOLD = 16
MOST_TOLD = 64
MAX_REPORT = 9 + MOST_TOLD * (1 + MAX_PACKETS // 8)


class ReportError(T4VError):
    """Bytes that are no report of this session."""


@dataclass(frozen=True)
class Report:
    """number: of the frame closed last, 0 to 65,535 on the wire. hash: of the state after it, 32 bits.

    arrived: for that frame and those before it, latest first, which of its packets arrived, a tuple of bools;
    empty where nothing of the frame did (the receiver then does not know how many it had).
    """

    number: int
    hash: int
    arrived: tuple[tuple[bool, ...], ...]
    salt: int = 0

    def __post_init__(self) -> None:
        if not 1 <= len(self.arrived) <= MOST_TOLD:
            raise ValueError(f"a report tells of 1 to {MOST_TOLD} frames, got {len(self.arrived)}")

    def __bytes__(self) -> bytes:
        body = bytearray((VERSION << 6 | (len(self.arrived) - 1),))
        body += (self.number & 0xFFFF).to_bytes(2, "big") + self.hash.to_bytes(4, "big")
        for mask in self.arrived:
            body.append(len(mask))
            bits = bytearray(-(-len(mask) // 8))
            for i, bit in enumerate(mask):
                bits[i // 8] |= bit << (7 - i % 8)
            body += bits
        return bytes(body) + binascii.crc_hqx(bytes(body), self.salt).to_bytes(2, "big")

    @classmethod
    def parse(cls, data: bytes, setup: Setup) -> Report:
        """Check and read a report of the session `setup`. Raises ReportError, nothing else."""
        if not 10 <= len(data) <= MAX_REPORT:
            raise ReportError(f"{len(data)} bytes are no report: it has 10 to {MAX_REPORT}")
        if data[0] >> 6 != VERSION:
            raise ReportError("not a report, or one of another version")
        if binascii.crc_hqx(data[:-2], setup.salt) != int.from_bytes(data[-2:], "big"):
            raise ReportError("check sum does not match: damaged, or of another session")
        masks = []
        at = 7
        for _ in range((data[0] & 63) + 1):
            count = data[at] if at < len(data) - 2 else MAX_PACKETS + 1
            size = -(-count // 8)
            if count > MAX_PACKETS or at + 1 + size > len(data) - 2:
                raise ReportError("a report that ends too early, or tells of too many packets")
            bits = data[at + 1 : at + 1 + size]
            masks.append(tuple(bool(bits[i // 8] >> (7 - i % 8) & 1) for i in range(count)))
            at += 1 + size
        if at != len(data) - 2:
            raise ReportError("a report with bytes too many")
        return cls(
            int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:7], "big"), tuple(masks), setup.salt
        )
