"""What both error-correcting codes share: shards of equal length made of payloads, and who covers whom.

Media packets travel untouched (the codes are systematic). For the arithmetic a payload becomes a *shard*: two
bytes in front, which are protected along with it, then zeros up to the longest in question. The two bytes hold
what RTP's header would tell of a packet that never came: 5 bits of its frame number, 11 bits of its length.

Media packets are numbered in sending order, as RTP's sequence numbers are; parity packets, as a stream of their
own would be (RFC 8627), are told apart from them by what the 40 counted bytes of headers hold.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from t4vcodec.errors import T4VError

PREFIX_BYTES = 2
"""In front of each payload, under the code's protection; counted because parity packets carry them."""

MAX_BLOCK = 32
"""Frames that a parity packet covers at most: 5 bits of a frame number must tell them apart."""

_WRAP = 1 << 16


class FecError(T4VError):
    """A protection that makes no sense, or payloads that leave it no room."""


class Parity(NamedTuple):
    """One parity packet: it covers media packets `base`, `base` + `stride`, ... (`count` of them)."""

    frame: int
    """Frame with which it is sent."""
    base: int
    stride: int
    count: int
    index: int
    """Which of the code's rows it is."""

    @property
    def covered(self) -> range:
        """Numbers of the media packets."""
        return range(self.base, self.base + self.stride * self.count, self.stride)


class Arrival(NamedTuple):
    """One packet at the receiver."""

    frame: int
    """From RTP's time stamp."""
    number: int | None
    """Of a media packet, from RTP's sequence number; None says parity."""
    data: bytes


class Rescued(NamedTuple):
    """A media packet that was lost, and computed."""

    frame: int
    payload: bytes
    time: int
    """Number of the frame with which the last packet came that was needed."""


def make_shard(payload: bytes, frame: int) -> bytes:
    """`PREFIX_BYTES` and the payload; the caller pads with zeros."""
    return (frame % MAX_BLOCK << 11 | len(payload)).to_bytes(PREFIX_BYTES, "big") + payload


def open_shard(shard: bytes, newest: int) -> tuple[int, bytes]:
    """(frame number, payload) of a computed shard, from a parity packet sent with frame `newest`."""
    head = int.from_bytes(shard[:PREFIX_BYTES], "big")
    age = (newest - (head >> 11)) % MAX_BLOCK
    return newest - age, bytes(shard[PREFIX_BYTES : PREFIX_BYTES + (head & 0x7FF)])


def unwrap(low: int, near: int) -> int:
    """The packet number with these low 16 bits that lies nearest to `near`."""
    return near + (low - near + _WRAP // 2) % _WRAP - _WRAP // 2


def parity_packets(share: float) -> int:
    """`share` rounded up, what floating point adds to 10 * 1.1 forgiven."""
    return math.ceil(round(share, 9))
