"""Frames that share packets: at low rates, 40 bytes of headers a frame are much.

A group's frames stand one after the other, each behind its length, and the whole is cut into equal parts. In
front of each part two bytes say which frame is the first to begin in it, and where, so that frames behind a
lost packet are found again. (RFC 6184's MTAP does as much with 5 bytes a frame.)
"""

from __future__ import annotations

from collections.abc import Sequence

from t4vcodec.baselines.av1_payload import leb128, read_leb128
from t4vcodec.baselines.fragments import PayloadError, equal_parts

_NONE = 15
"""In place of a frame's position: none begins in this part."""
_OFFSET_BITS = 12


def share(units: Sequence[bytes], limit: int) -> list[bytes]:
    """Payloads of at most `limit` bytes (below 4,096) that hold these frames' data, at most 15 of them."""
    whole, starts = bytearray(), []
    for unit in units:
        starts.append(len(whole))
        whole += leb128(len(unit)) + unit
    payloads, at = [], 0
    for part in equal_parts(bytes(whole), limit - 2):
        begins = [(i, start - at) for i, start in enumerate(starts) if at <= start < at + len(part)]
        position, offset = begins[0] if begins else (_NONE, 0)
        payloads.append((position << _OFFSET_BITS | offset).to_bytes(2, "big") + part)
        at += len(part)
    return payloads


def unshare(payloads: Sequence[bytes | None]) -> dict[int, bytes]:
    """Frames by position in their group that are whole in these payloads, in sending order, None where lost.

    Raises `PayloadError` on bytes that are no such payload.
    """
    found: dict[int, bytes] = {}
    position: int | None = None  # of the frame whose record starts at `rest`
    rest = b""
    for payload in payloads:
        if payload is None:
            position, rest = None, b""
            continue
        if len(payload) < 3:
            raise PayloadError("a payload has at least 3 bytes")
        head, part = int.from_bytes(payload[:2], "big"), payload[2:]
        if position is None:
            position, offset = head >> _OFFSET_BITS, head & (1 << _OFFSET_BITS) - 1
            if position == _NONE:
                position = None
                continue
            rest = part[offset:]
        else:
            rest += part
        while rest and position < _NONE:
            try:
                size, start = read_leb128(rest, 0)
            except PayloadError:
                if len(rest) >= 5:
                    raise
                break  # the length itself is cut
            if start + size > len(rest):
                break
            found[position] = rest[start : start + size]
            position, rest = position + 1, rest[start + size :]
    return found
