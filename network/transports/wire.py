"""Datagrams of all transports but TCP: media and parity behind 12 bytes, reports and requests behind their own.

The 12 bytes stand where RTP's header would, so that a media packet costs payload + 40 bytes as everywhere:

=====  =======================================================================================
bytes  media (kind 1) and parity (kind 2)
=====  =======================================================================================
1      kind in the low 4 bits, 0x20 sent again
2      number of the datagram, all kinds and copies counted, for reports (as RTP's transport-wide sequence number)
2      number of the media packet; in parity that of the first packet covered
2      number of the frame; in parity of the frame with which it was made
2      deadline in ms modulo 65,535; 65,535: none
3      *place*: index in the frame (12 bits), key frame (1), packets of the frame (11); in parity distance, k
       and row of `reed_solomon`
=====  =======================================================================================

All numbers are taken modulo 65,536 and found again nearest to those seen last.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from t4vcodec.network.shards import unwrap

MEDIA, PARITY, REPORT, REQUEST = 1, 2, 3, 4
_AGAIN = 0x20
_HEAD = struct.Struct(">BHHHH3s")
_REPORT = struct.Struct(">BHHHI")
_REQUEST = struct.Struct(">BH")

HEAD_BYTES = _HEAD.size
PLACE_BYTES = 3
TICKS = 8000
"""Ticks of a report's times in a second."""
MAX_REPORTED = 512
"""Datagrams that a report speaks of at most."""
MAX_REQUESTED = 256
"""Media packets that a request asks for at most."""
_NEVER = 0xFFFF


class WireError(ValueError):
    """A datagram that is not one of ours."""


@dataclass(frozen=True)
class Piece:
    """A media or parity datagram. Numbers are whole when made, 16 bits when read (`unwrap` finds them)."""

    parity: bool
    number: int
    frame: int
    deadline: int | None
    """ms modulo 65,535."""
    layout: bytes
    """Place, or (distance, k, row)."""
    body: bytes
    again: bool = False


def write_place(index: int, count: int, key: bool) -> bytes:
    """3 bytes for a packet's place in its frame; index below count, count at most 2,047."""
    return (index << 12 | key << 11 | count).to_bytes(PLACE_BYTES, "big")


def read_place(place: bytes) -> tuple[int, int, bool]:
    """(index, count, key) of such bytes; raises `WireError`."""
    value = int.from_bytes(place, "big")
    index, key, count = value >> 12, bool(value & 0x800), value & 0x7FF
    if index >= count:
        raise WireError("a packet behind the last of its frame")
    return index, count, key


def kind_of(datagram: bytes) -> int:
    """Kind of a datagram, 0 where it has none."""
    return datagram[0] & 0x0F if datagram else 0


def repeats(datagram: bytes) -> bool:
    """Whether it holds parity or media that were sent before."""
    kind = kind_of(datagram)
    return kind == PARITY or (kind == MEDIA and bool(datagram[0] & _AGAIN))


def short_deadline(deadline: float) -> int | None:
    """A deadline in seconds as headers carry it."""
    return None if deadline == math.inf else round(deadline * 1000) % _NEVER


def long_deadline(short: int | None, now: float) -> float:
    """The deadline in seconds that lies nearest to `now`."""
    if short is None:
        return math.inf
    near = round(now * 1000)
    return (near + (short - near + _NEVER // 2) % _NEVER - _NEVER // 2) / 1000


def write_piece(piece: Piece, sequence: int) -> bytes:
    """The datagram, as number `sequence` of all that its sender sends."""
    first = (PARITY if piece.parity else MEDIA) | _AGAIN * piece.again
    deadline = _NEVER if piece.deadline is None else piece.deadline
    low = (value & 0xFFFF for value in (sequence, piece.number, piece.frame))
    return _HEAD.pack(first, *low, deadline, piece.layout) + piece.body


def read_piece(datagram: bytes) -> tuple[int, Piece]:
    """(sequence, piece) of a media or parity datagram; raises `WireError`."""
    if len(datagram) <= HEAD_BYTES or kind_of(datagram) not in (MEDIA, PARITY):
        raise WireError("neither media nor parity")
    first, sequence, number, frame, deadline, layout = _HEAD.unpack_from(datagram)
    parity = kind_of(datagram) == PARITY
    if parity:
        distance, k, row = layout
        if not distance or not k or row < k:
            raise WireError("parity of an impossible code")
    else:
        read_place(layout)
    short = None if deadline == _NEVER else deadline
    piece = Piece(parity, number, frame, short, layout, datagram[HEAD_BYTES:], bool(first & _AGAIN))
    return sequence, piece


@dataclass(frozen=True)
class Report:
    """What a receiver got: which datagrams up to the newest, and when the newest of them came."""

    newest: int
    """Highest datagram number that arrived."""
    count: int
    """How many numbers, `newest` and those below it, the report speaks of."""
    bits: int
    """Bit i: whether `newest` - i arrived; bit 0 is set."""
    times: tuple[float, ...]
    """Arrival, seconds of the receiver's clock, of the len(times) highest numbers that arrived, highest first."""
    sent: float
    """When the report was made, seconds of the receiver's clock."""

    def arrived(self) -> Iterator[int]:
        """Numbers that arrived, highest first."""
        bits, number = self.bits, self.newest
        while bits:
            step = (bits & -bits).bit_length()
            bits >>= step
            number -= step - 1
            yield number
            number -= 1


def write_report(report: Report) -> bytes:
    """The datagram: 11 bytes, one bit a datagram, two bytes a time. Times above 8 s in the past saturate."""
    stamp = round(report.sent * TICKS)
    ages = [min(0xFFFF, max(0, stamp - round(time * TICKS))) for time in report.times]
    head = _REPORT.pack(REPORT, report.newest & 0xFFFF, report.count, len(ages), stamp & 0xFFFFFFFF)
    return head + report.bits.to_bytes(-(-report.count // 8), "little") + struct.pack(f">{len(ages)}H", *ages)


def read_report(datagram: bytes, near: int, now: float) -> Report:
    """What a report says; `near` is a datagram number, `now` a time close to those meant. Raises `WireError`."""
    if len(datagram) < _REPORT.size or kind_of(datagram) != REPORT:
        raise WireError("not a report")
    _, newest, count, fresh, stamp = _REPORT.unpack_from(datagram)
    bitmap = -(-count // 8)
    if not 0 < count <= MAX_REPORTED or len(datagram) != _REPORT.size + bitmap + 2 * fresh:
        raise WireError("a report of a wrong length")
    bits = int.from_bytes(datagram[_REPORT.size : _REPORT.size + bitmap], "little")
    if not bits & 1 or bits >> count or fresh > bits.bit_count():
        raise WireError("a report that contradicts itself")
    around = round(now * TICKS)
    long_stamp = around + (stamp - around + 2**31) % 2**32 - 2**31
    ages = struct.unpack_from(f">{fresh}H", datagram, _REPORT.size + bitmap)
    times = tuple((long_stamp - age) / TICKS for age in ages)
    return Report(unwrap(newest, near), count, bits, times, long_stamp / TICKS)


def write_request(numbers: Sequence[int]) -> bytes:
    """The datagram that asks for media packets again: 3 bytes and 2 for each."""
    return _REQUEST.pack(REQUEST, len(numbers)) + struct.pack(
        f">{len(numbers)}H", *(number & 0xFFFF for number in numbers)
    )


def read_request(datagram: bytes, near: int) -> list[int]:
    """Numbers asked for; raises `WireError`."""
    if len(datagram) < _REQUEST.size or kind_of(datagram) != REQUEST:
        raise WireError("not a request")
    _, count = _REQUEST.unpack_from(datagram)
    if not 0 < count <= MAX_REQUESTED or len(datagram) != _REQUEST.size + 2 * count:
        raise WireError("a request of a wrong length")
    return [unwrap(low, near) for low in struct.unpack_from(f">{count}H", datagram, _REQUEST.size)]
