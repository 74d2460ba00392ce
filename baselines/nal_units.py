"""What H.264 and H.265 have in common below their syntax: NAL units, Annex B, escaping, Exp-Golomb codes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from t4vcodec.baselines.fragments import PayloadError


def split_annex_b(stream: bytes) -> list[bytes]:
    """NAL units of an Annex B byte stream, without start codes and trailing zeros."""
    return [nal.rstrip(b"\0") for nal in re.split(rb"\x00\x00\x01", stream) if nal.strip(b"\0")]


def join_annex_b(nals: Sequence[bytes]) -> bytes:
    """The byte stream of these NAL units."""
    return b"".join(b"\0\0\0\1" + nal for nal in nals)


def unescape(data: bytes) -> bytes:
    """Raw payload of a NAL unit: emulation prevention bytes taken out."""
    return data.replace(b"\0\0\3", b"\0\0")


def escape(data: bytes) -> bytes:
    """The inverse of `unescape`."""
    return re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\0\0\3", data)


class Bits:
    """Reads bits, most significant first, from a NAL unit's raw payload."""

    def __init__(self, data: bytes) -> None:
        self.value = int.from_bytes(data, "big")
        self.size = 8 * len(data)
        self.at = 0

    def fixed(self, bits: int) -> int:
        """u(n). Raises `PayloadError` at the end of the data."""
        if self.at + bits > self.size:
            raise PayloadError("a header ends early")
        self.at += bits
        return self.value >> (self.size - self.at) & ((1 << bits) - 1)

    def golomb(self) -> int:
        """ue(v), H.264 9.1 and H.265 9.2. Raises `PayloadError` where there is none."""
        zeros = 0
        while not self.fixed(1):
            zeros += 1
            if zeros > 32:
                raise PayloadError("no Exp-Golomb code")
        return (1 << zeros) - 1 + self.fixed(zeros)

    def replaced(self, bits: int, number: int) -> bytes:
        """All data, with the `bits` just read replaced by `number` modulo 2^bits."""
        shift, mask = self.size - self.at, (1 << bits) - 1
        value = self.value & ~(mask << shift) | (number & mask) << shift
        return value.to_bytes(self.size // 8, "big")
