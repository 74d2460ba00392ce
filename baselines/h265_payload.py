"""H.265 in packets (RFC 7798), and the repair that lets a decoder go on after lost frames.

A frame is one slice: a NAL unit alone, or in equal parts (FU). Parameter sets belong to the session's set-up
(RFC 7798, 7.1).

The repair: pictures are numbered by `slice_pic_order_cnt_lsb`, and references are named by their distance in that
number. libavcodec replaces a reference that it doesn't have by plain grey, which an infinite GOP then keeps.
`continue_picture_order` numbers what arrived without gaps, so that the decoder predicts from the last pictures
that it has: what repeating the last picture means by concealment, and the same that is done for H.264.
"""

from __future__ import annotations

from dataclasses import dataclass

from t4vcodec.baselines.fragments import Format, Part, PayloadError, equal_parts
from t4vcodec.baselines.nal_units import Bits, escape, unescape

VPS, SPS, PPS, FU = 32, 33, 34, 49
_FIRST_OF_NO_SLICE = 32
_IRAP, _IDR = range(16, 24), (19, 20)
_SLICE_HEADER = 24
"""Bytes at a slice's head that surely hold its picture number."""


def nal_type(nal: bytes) -> int:
    """Type of a NAL unit, 0 to 63."""
    return nal[0] >> 1 & 63


def is_slice(nal: bytes) -> bool:
    """Whether it holds part of a picture."""
    return nal_type(nal) < _FIRST_OF_NO_SLICE


def is_key(nal: bytes) -> bool:
    """Whether it starts anew (IDR)."""
    return nal_type(nal) in _IDR


def _cut(nal: bytes, limit: int, key: bool) -> list[bytes]:
    if len(nal) <= limit:
        return [nal]
    head, kind = bytes([nal[0] & 0x81 | FU << 1, nal[1]]), nal_type(nal)
    parts = equal_parts(nal[2:], limit - 3)
    ends = [0x80, *[0] * (len(parts) - 2), 0x40]
    return [head + bytes([end | kind]) + part for end, part in zip(ends, parts)]


def _parse(payload: bytes) -> Part:
    if len(payload) < 3:
        raise PayloadError("a payload has at least 3 bytes")
    kind = nal_type(payload)
    if kind == FU:
        first, last = bool(payload[2] & 0x80), bool(payload[2] & 0x40)
        head = bytes([payload[0] & 0x81 | (payload[2] & 63) << 1, payload[1]]) if first else b""
        return Part(first, last, head + payload[3:])
    if kind < FU - 1:
        return Part(True, True, payload)
    raise PayloadError(f"unknown payload type {kind}")


FORMAT = Format(_cut, _parse)
"""One NAL unit a frame: alone, or in equal parts (FU)."""


@dataclass(frozen=True)
class SliceLayout:
    """What the parameter sets say about where a slice header holds its picture number."""

    number_bits: int
    """Width of slice_pic_order_cnt_lsb."""
    reserved_bits: int
    """num_extra_slice_header_bits."""
    output_flag: bool


def slice_layout(sps: bytes, pps: bytes) -> SliceLayout:
    """Reads the parameter sets (H.265, 7.3.2.2 and 7.3.2.3). Raises `PayloadError`."""
    bits = Bits(unescape(sps[2:]))
    bits.fixed(4)
    if bits.fixed(3):
        raise PayloadError("parameter sets with temporal layers are not read")
    bits.fixed(1 + 96)  # nesting; profile, tier and level
    bits.golomb()
    if bits.golomb() == 3:
        raise PayloadError("parameter sets of 4:4:4 are not read")
    bits.golomb()
    bits.golomb()
    if bits.fixed(1):
        for _ in range(4):
            bits.golomb()
    bits.golomb()
    bits.golomb()
    number_bits = 4 + bits.golomb()
    if number_bits > 16:
        raise PayloadError("picture numbers have at most 16 bits")
    bits = Bits(unescape(pps[2:]))
    bits.golomb()
    bits.golomb()
    bits.fixed(1)
    output_flag = bool(bits.fixed(1))
    return SliceLayout(number_bits, bits.fixed(3), output_flag)


def continue_picture_order(nal: bytes, layout: SliceLayout, number: int) -> bytes:
    """The slice `nal`, first of its picture and no IDR, with picture number `number` modulo 2^bits.

    Raises `PayloadError` on anything else.
    """
    raw = unescape(nal[2:])
    head = raw[:_SLICE_HEADER]
    bits = Bits(head)
    if not is_slice(nal) or is_key(nal) or not bits.fixed(1):
        raise PayloadError("not the first slice of a picture with a number")
    if nal_type(nal) in _IRAP:
        bits.fixed(1)
    bits.golomb()
    bits.fixed(layout.reserved_bits)
    bits.golomb()
    bits.fixed(layout.output_flag)
    bits.fixed(layout.number_bits)
    return nal[:2] + escape(bits.replaced(layout.number_bits, number) + raw[len(head) :])
