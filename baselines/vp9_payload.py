"""VP9 in packets (RFC 9628): one byte of payload descriptor, then a part of the frame.

Flexible mode, layers and picture numbers are left out: the smallest descriptor that the format allows.
"""

from __future__ import annotations

from t4vcodec.baselines.fragments import Format, Part, PayloadError, equal_parts

_INTER, _BEGIN, _END = 0x40, 0x08, 0x04
_UNKNOWN = 0xFF & ~(_INTER | _BEGIN | _END)
"""Descriptor flags that would announce more descriptor bytes, or are reserved."""


def is_key(frame: bytes) -> bool:
    """Whether decoding can start with this frame of profile 0 (VP9 bitstream, 6.2)."""
    return bool(frame) and frame[0] & 0x0C == 0


def _cut(frame: bytes, limit: int, key: bool) -> list[bytes]:
    parts = equal_parts(frame, limit - 1)
    flags = [0 if key else _INTER] * len(parts)
    flags[0] |= _BEGIN
    flags[-1] |= _END
    return [bytes([flag]) + part for flag, part in zip(flags, parts)]


def _parse(payload: bytes) -> Part:
    if len(payload) < 2:
        raise PayloadError("a payload has at least 2 bytes")
    if payload[0] & _UNKNOWN:
        raise PayloadError("a payload descriptor with fields that are not read")
    return Part(bool(payload[0] & _BEGIN), bool(payload[0] & _END), payload[1:])


FORMAT = Format(_cut, _parse)
"""A frame in equal parts."""
