"""Importance in the stream: one byte a packet, and all bytes of a frame in each of its packets.

    payloads = wrap(encoder.push(frame), importances)      # what is sent instead of the packets
    unwrapped = unwrap(payload, setup)                     # .packet for the decoder, .importances for the rest
    agreed([u for u in of_one_frame])                      # what the missing ones were worth

In front of an unchanged codec packet stands a header extension in RFC 8285's two-byte form, as an RTP packet has it
behind its fixed header:

    bytes 0, 1     0x10 0x00
    bytes 2, 3     length of what follows in words of four bytes, big-endian
    byte 4         identifier, 1
    byte 5         number n of bytes that follow, the number of packets of the frame
    n bytes        importance of each packet of the frame, by index
    0 to 3 bytes   0, to a whole word

Codec packets begin with 01 in binary, so both kinds can be told apart and mixed. The check sum of a packet does not
cover the extension: its bytes are advice. Any of them is a valid importance, and `agreed` outvotes a liar; nothing
else depends on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from t4vcodec.codec.packets import MAX_PACKETS, MAX_PAYLOAD, Packet
from t4vcodec.codec.setup import Setup
from t4vcodec.importance.errors import ImportanceError

STEPS_PER_OCTAVE = 16
IDENTIFIER = 1
_PROFILE = b"\x10\x00"
_MOST_WORDS = -(-(2 + MAX_PACKETS) // 4)


class StreamBytesError(ImportanceError):
    """A payload whose extension is none; the packet in it is lost."""


@dataclass(frozen=True, eq=False)
class Unwrapped:
    """packet: parsed and checked. importances: (n,) 0 to 1 of all packets of its frame, None where it has none."""

    packet: Packet
    importances: np.ndarray | None


def to_byte(importance: float) -> int:
    """0 to 1 as 0 to 255: sixteen steps an octave, 255 is 1, below 2^-15.9 all is 0.

    Values come back within 2.2 %. Raises ImportanceError for what is not from 0 to 1.
    """
    if not 0 <= importance <= 1:
        raise ImportanceError(f"an importance of {importance} is out of range: 0 to 1")
    if importance == 0:
        return 0
    return max(0, round(255 + STEPS_PER_OCTAVE * math.log2(importance)))


def from_byte(byte: int) -> float:
    """0 to 255 as 0 to 1."""
    return 2.0 ** ((byte - 255) / STEPS_PER_OCTAVE) if byte else 0.0


def overhead(count: int) -> int:
    """Bytes that the extension adds to each packet of a frame of `count`."""
    return 4 + 4 * -(-(2 + count) // 4)


def wrap(packets: Sequence[Packet], importances: Sequence[float] | np.ndarray) -> list[bytes]:
    """Payloads of a frame's packets, all of them, in order of their index.

    A packet that leaves no room for the extension goes as it is. Raises ImportanceError for other numbers than one
    from 0 to 1 a packet.
    """
    if len(packets) != len(importances) or any(p.header.count != len(packets) for p in packets):
        raise ImportanceError(
            f"{len(importances)} importances for {len(packets)} packets: give one for each packet of one frame"
        )
    data = bytes(to_byte(float(value)) for value in importances)
    element = bytes((IDENTIFIER, len(data))) + data
    element += bytes(-len(element) % 4)
    front = _PROFILE + (len(element) // 4).to_bytes(2, "big") + element
    plain = [bytes(packet) for packet in packets]
    return [front + p if len(front) + len(p) <= MAX_PAYLOAD else p for p in plain]


def unwrap(payload: bytes, setup: Setup) -> Unwrapped:
    """The inverse, for one payload. Raises StreamBytesError for a bad extension, PacketError for a bad packet."""
    if payload[:1] != _PROFILE[:1]:
        return Unwrapped(Packet.parse(payload, setup), None)
    if payload[:2] != _PROFILE or len(payload) < 4:
        raise StreamBytesError(
            "the header extension has an unknown form: only RFC 8285's two-byte form is read"
        )
    words = int.from_bytes(payload[2:4], "big")
    end = 4 + 4 * words
    if not 1 <= words <= _MOST_WORDS or end > len(payload):
        raise StreamBytesError(f"a header extension of {words} words does not fit its packet")
    identifier, count = payload[4], payload[5]
    if identifier != IDENTIFIER or overhead(count) != end or any(payload[6 + count : end]):
        raise StreamBytesError(f"a header extension with {count} bytes of kind {identifier} in {words} words")
    packet = Packet.parse(payload[end:], setup)
    if count != packet.header.count:
        raise StreamBytesError(f"{count} importances for a frame of {packet.header.count} packets")
    return Unwrapped(packet, np.array([from_byte(b) for b in payload[6 : 6 + count]]))


def agreed(of_frame: Sequence[Unwrapped]) -> np.ndarray | None:
    """(n,) importances of all packets of a frame by what arrived of it: the median of what its packets say.

    None where none says anything. Raises ImportanceError for packets of several frames.
    """
    vectors = [u.importances for u in of_frame if u.importances is not None]
    if not vectors:
        return None
    if len({(u.packet.frame, u.packet.header.count) for u in of_frame}) > 1:
        raise ImportanceError("packets of several frames have no importances in common: give those of one")
    return np.median(vectors, axis=0)
