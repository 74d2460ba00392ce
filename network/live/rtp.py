"""RTP packets (RFC 3550 section 5.1), and control packets beside them on the same port.

Control messages travel as application-defined RTCP packets (RFC 3550 section 6.7, name ``T4VC``), told from
media by the second byte (RFC 5761 section 4): 192 to 223 is RTCP.

    RTP     version 2, no padding, no extension, no contributing sources; marker: last packet of a frame
    control byte 0      version (2 bits) = 2, padding (1 bit) = 0, kind of message (5 bits)
            byte 1      204
            byte 2, 3   length in 32-bit words - 1
            byte 4..7   SSRC of who says it
            byte 8..11  "T4VC"
            byte 12, 13 bytes of the body, which follows, then zeros to a whole word
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from t4vcodec.errors import T4VError

VERSION = 2
PAYLOAD_TYPE = 96
"""The first dynamic payload type (RFC 3551 section 6)."""
CLOCK = 90_000
"""Ticks of an RTP time stamp in a second."""
RTP_HEADER = 12
MAX_DATAGRAM = 1500
NAME = b"T4VC"
MAX_BODY = 1400
_APP = 204
_RTP = struct.Struct(">BBHII")
_CONTROL = struct.Struct(">BBHI4sH")


class RtpError(T4VError):
    """A datagram that is not what this session sends."""


@dataclass(frozen=True)
class RtpPacket:
    """sequence: 0 to 65,535. timestamp, ssrc: 32 bits. marker: whether it is the last of its frame."""

    sequence: int
    timestamp: int
    ssrc: int
    marker: bool
    payload: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not (0 <= self.sequence < 1 << 16 and 0 <= self.timestamp < 1 << 32 and 0 <= self.ssrc < 1 << 32):
            raise ValueError(
                f"sequence {self.sequence}, time stamp {self.timestamp} or SSRC {self.ssrc} out of range"
            )
        if not 1 <= len(self.payload) <= MAX_DATAGRAM - RTP_HEADER:
            raise ValueError(f"a payload has 1 to {MAX_DATAGRAM - RTP_HEADER} bytes, got {len(self.payload)}")

    def __bytes__(self) -> bytes:
        second = self.marker << 7 | PAYLOAD_TYPE
        return _RTP.pack(VERSION << 6, second, self.sequence, self.timestamp, self.ssrc) + self.payload

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """The inverse of `bytes`. Raises RtpError, nothing else."""
        if not RTP_HEADER < len(data) <= MAX_DATAGRAM:
            raise RtpError(f"{len(data)} bytes are no RTP packet: it has {RTP_HEADER + 1} to {MAX_DATAGRAM}")
        first, second, sequence, timestamp, ssrc = _RTP.unpack_from(data)
        if first >> 6 != VERSION:
            raise RtpError(f"not RTP: version {first >> 6} instead of {VERSION}")
        if first & 0x3F:
            raise RtpError(
                "an RTP packet with padding, extension or contributing sources: not from our sender"
            )
        if second & 0x7F != PAYLOAD_TYPE:
            raise RtpError(f"RTP payload type {second & 0x7F} instead of {PAYLOAD_TYPE}: not from our sender")
        return cls(sequence, timestamp, ssrc, bool(second >> 7), bytes(data[RTP_HEADER:]))


@dataclass(frozen=True)
class ControlPacket:
    """kind: of the message, 0 to 31. ssrc: of who says it. body: 0 to `MAX_BODY` bytes."""

    kind: int
    ssrc: int
    body: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not (0 <= self.kind < 32 and 0 <= self.ssrc < 1 << 32 and len(self.body) <= MAX_BODY):
            raise ValueError(f"kind {self.kind}, SSRC {self.ssrc} or {len(self.body)} bytes out of range")

    def __bytes__(self) -> bytes:
        padded = self.body + bytes(-(len(self.body) + 2) % 4)
        words = (_CONTROL.size + len(padded)) // 4
        front = _CONTROL.pack(VERSION << 6 | self.kind, _APP, words - 1, self.ssrc, NAME, len(self.body))
        return front + padded

    @classmethod
    def parse(cls, data: bytes) -> ControlPacket:
        """The inverse of `bytes`. Raises RtpError, nothing else."""
        if not _CONTROL.size <= len(data) <= MAX_DATAGRAM:
            raise RtpError(f"{len(data)} bytes are no control packet")
        first, second, length, ssrc, name, size = _CONTROL.unpack_from(data)
        if first >> 6 != VERSION or first & 0x20 or second != _APP or name != NAME:
            raise RtpError("not a control packet of this program")
        if 4 * (length + 1) != len(data) or _CONTROL.size + size + -(size + 2) % 4 != len(data):
            raise RtpError("a control packet of another length than it says")
        if size > MAX_BODY or any(data[_CONTROL.size + size :]):
            raise RtpError("a control packet that is not padded with zeros")
        return cls(first & 31, ssrc, bytes(data[_CONTROL.size : _CONTROL.size + size]))


def is_control(data: bytes) -> bool:
    """Whether a datagram is RTCP rather than RTP, by RFC 5761."""
    return len(data) > 1 and 192 <= data[1] <= 223


def unwrap(value: int, bits: int, near: int) -> int:
    """The whole number nearest to `near` whose low `bits` bits are `value`; may be negative."""
    half = 1 << (bits - 1)
    return near + (value - near + half) % (1 << bits) - half


def ticks(seconds: float) -> int:
    """Seconds as an RTP time stamp, 32 bits."""
    return round(seconds * CLOCK) & 0xFFFFFFFF


class LossCounter:
    """What of the numbered packets of one source did not come (RFC 3550 appendix A.3)."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._highest = 0
        self._before = 0
        self.received = 0

    def note(self, sequence: int) -> None:
        """Takes a packet's 16-bit sequence number."""
        number = sequence if self._first is None else unwrap(sequence, 16, self._highest)
        if self._first is None or abs(number - self._highest) > 3000:
            # A source that starts again; RFC 3550's MAX_DROPOUT.
            self._before = self.expected
            self._first = self._highest = number
        self._highest = max(self._highest, number)
        self.received += 1

    def restart(self) -> None:
        """The next packet is of another source; what was counted stays."""
        self._before = self.expected
        self._first = None

    @property
    def expected(self) -> int:
        """Packets sent, as far as is known."""
        return self._before + (0 if self._first is None else self._highest - self._first + 1)
