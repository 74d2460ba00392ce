"""What everybody who sends video over packets looks like: frames in, timed packets out, and back again.

The codec and its opponents are all driven through `Stream` and `Receiver`, so that the evaluation has one
loop and nobody can be counted differently. Nothing here knows a codec.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from t4vcodec.media.frames import Frame
    from t4vcodec.network.channels import Session

HEADER_BYTES = 40
"""Bytes that IP (20), UDP (8) and RTP (12) add to each packet; counted for everybody."""

MAX_PAYLOAD = 1200
"""Largest payload of a packet in bytes, for everybody."""


@dataclass(frozen=True)
class SentPacket:
    """One packet as it leaves the sender."""

    data: bytes
    """The payload, own headers included, IP/UDP/RTP headers not; 1 to `MAX_PAYLOAD` bytes."""
    frame: int
    """Number of the frame it belongs to, from 0; never wraps."""
    send_time: float
    """Seconds since the first frame was captured; never decreases from one packet to the next."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.data) <= MAX_PAYLOAD:
            raise ValueError(f"a packet's payload must have 1 to {MAX_PAYLOAD} bytes, got {len(self.data)}")
        if self.frame < 0:
            raise ValueError(f"frame numbers start at 0, got {self.frame}")

    @property
    def wire_bytes(self) -> int:
        """Payload and IP/UDP/RTP headers, in bytes."""
        return len(self.data) + HEADER_BYTES


@dataclass(frozen=True)
class Fate:
    """What a channel did to one packet."""

    packet: SentPacket
    lost: bool


class Stream(Protocol):
    """The sending side: causal, one frame in, its packets out."""

    def send(self, frame: Frame) -> list[SentPacket]:
        """Takes the next frame, returns the packets that it causes (of this frame or of earlier ones)."""
        ...

    def finish(self) -> list[SentPacket]:
        """The clip is over: returns what is left to send."""
        ...


class Receiver(Protocol):
    """The receiving side: a picture for every frame number, whatever arrived."""

    def receive(self, packets: Sequence[bytes], frame: int) -> Frame:
        """Takes the packets of frame number `frame` that arrived (maybe none), in sending order, and returns
        the picture shown for that frame. Called once for each frame number, counting up from 0."""
        ...


def carry(packets: Sequence[SentPacket], session: Session) -> Iterator[Fate]:
    """Sends `packets`, in order, through one session of a channel."""
    for packet in packets:
        yield Fate(packet, session.lost(packet.send_time))
