"""AV1 in packets (RTP Payload Format For AV1, Alliance for Open Media): an aggregation header of one byte, then
an OBU or a part of it.

A temporal unit of SVT-AV1 at low delay is a temporal delimiter, a sequence header where a key frame follows, and
one frame. Only the frame is sent: the delimiter is not (as the format says), the sequence header belongs to the
session's set-up as the parameter sets of H.264 and H.265 do; both are put back in front. The frame's own size
field is left out, since a packet knows its length.

`refreshes` tells whether anything may be predicted from a frame. Receivers learn that from the dependency
descriptor (appendix A of the format): losing a frame that nobody refers to ends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from t4vcodec.baselines.fragments import Format, Part, PayloadError, equal_parts
from t4vcodec.baselines.nal_units import Bits

SEQUENCE_HEADER, TEMPORAL_DELIMITER, FRAME = 1, 2, 6
_HAS_SIZE, _HAS_EXTENSION = 0x02, 0x04
_CONTINUES, _GOES_ON, _ONE_ELEMENT, _NEW_SEQUENCE = 0x80, 0x40, 0x10, 0x08
_UNKNOWN = 0xFF & ~(_CONTINUES | _GOES_ON | _ONE_ELEMENT | _NEW_SEQUENCE)
_KEY, _SWITCH = 0, 3


def leb128(number: int) -> bytes:
    """AV1, 4.10.5: 7 bits a byte, the least significant first."""
    data = bytearray()
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    return bytes([*data, number])


def read_leb128(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at` and where it ends. Raises `PayloadError`."""
    number = 0
    for i in range(5):
        if at >= len(data):
            break
        number |= (data[at] & 127) << 7 * i
        at += 1
        if not data[at - 1] & 128:
            return number, at
    raise PayloadError("no length of at most five bytes")


def obu_type(obu: bytes) -> int:
    """Type of an OBU, 0 to 15."""
    return obu[0] >> 3 & 15


def is_key(frame: bytes) -> bool:
    """Whether a frame OBU is a key frame (AV1, 5.9.2)."""
    start = 2 if frame[:1] and frame[0] & _HAS_EXTENSION else 1
    return len(frame) > start and frame[start] & 0xE0 == _KEY


def split_obus(unit: bytes) -> Iterator[bytes]:
    """The OBUs of a temporal unit, without their size fields. Raises `PayloadError`."""
    at = 0
    while at < len(unit):
        head = unit[at : at + (2 if unit[at] & _HAS_EXTENSION else 1)]
        at += len(head)
        size = len(unit) - at
        if head[0] & _HAS_SIZE:
            size, at = read_leb128(unit, at)
        if at + size > len(unit):
            raise PayloadError("an OBU ends beyond its temporal unit")
        yield bytes([head[0] & ~_HAS_SIZE]) + head[1:] + unit[at : at + size]
        at += size


def temporal_unit(obus: list[bytes]) -> bytes:
    """What a decoder takes: a delimiter and these OBUs, each with its size."""
    unit = [bytes([TEMPORAL_DELIMITER << 3 | _HAS_SIZE, 0])]
    for obu in obus:
        head = 2 if obu[0] & _HAS_EXTENSION else 1
        unit += [bytes([obu[0] | _HAS_SIZE]), obu[1:head], leb128(len(obu) - head), obu[head:]]
    return b"".join(unit)


def _cut(obu: bytes, limit: int, key: bool) -> list[bytes]:
    parts = equal_parts(obu, limit - 1)
    flags = [_ONE_ELEMENT | _CONTINUES | _GOES_ON] * len(parts)
    flags[0] &= ~_CONTINUES
    flags[-1] &= ~_GOES_ON
    flags[0] |= _NEW_SEQUENCE if key else 0
    return [bytes([flag]) + part for flag, part in zip(flags, parts)]


def _parse(payload: bytes) -> Part:
    if len(payload) < 2:
        raise PayloadError("a payload has at least 2 bytes")
    if payload[0] & _UNKNOWN or not payload[0] & _ONE_ELEMENT:
        raise PayloadError("a payload of several elements is not read")
    return Part(not payload[0] & _CONTINUES, not payload[0] & _GOES_ON, payload[1:])


FORMAT = Format(_cut, _parse)
"""One OBU a frame, in equal parts."""


class FrameHeaders:
    """Reads what a sequence header says about the frame headers that follow. Raises `PayloadError`.

    Only what real-time encoders write: one operating point, no timing or decoder model, no frame numbers.
    """

    def __init__(self, sequence_header: bytes) -> None:
        bits = Bits(
            sequence_header[2 if sequence_header[:1] and sequence_header[0] & _HAS_EXTENSION else 1 :]
        )
        bits.fixed(3)
        if bits.fixed(1) + bits.fixed(1) + bits.fixed(1) + bits.fixed(1):
            raise PayloadError("sequence headers of stills, with timing or display delays are not read")
        if bits.fixed(5):
            raise PayloadError("sequence headers of several operating points are not read")
        bits.fixed(12)
        if bits.fixed(5) > 7:
            bits.fixed(1)
        width, height = bits.fixed(4) + 1, bits.fixed(4) + 1
        bits.fixed(width)
        bits.fixed(height)
        if bits.fixed(1):
            raise PayloadError("sequence headers with frame numbers are not read")
        bits.fixed(3 + 4)
        order = bool(bits.fixed(1))
        bits.fixed(2 if order else 0)
        self._screen = 2 if bits.fixed(1) else bits.fixed(1)
        self._whole_vectors = 2
        if self._screen:
            self._whole_vectors = 2 if bits.fixed(1) else bits.fixed(1)
        self._order_bits = bits.fixed(3) + 1 if order else 0

    def refreshes(self, frame: bytes) -> bool:
        """Whether a frame OBU is kept as a reference (AV1, 5.9.2). Raises `PayloadError`."""
        bits = Bits(frame[2 if frame[:1] and frame[0] & _HAS_EXTENSION else 1 :][:16])
        if bits.fixed(1):
            raise PayloadError("a frame that only repeats an older one")
        kind, shown = bits.fixed(2), bits.fixed(1)
        if kind in (_KEY, _SWITCH):
            return True
        bits.fixed(0 if shown else 1)
        resilient = bits.fixed(1)
        bits.fixed(1)
        screen = bits.fixed(1) if self._screen == 2 else self._screen
        if screen and self._whole_vectors == 2:
            bits.fixed(1)
        bits.fixed(1 + self._order_bits)
        bits.fixed(0 if resilient or kind == 2 else 3)
        return bool(bits.fixed(8))
