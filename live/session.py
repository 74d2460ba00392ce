"""The messages beside the media: what the session is, who listens, what arrived, and that it is over.

    description   sender to receiver, until it is heard and then once a second
    hello         receiver to sender, until the description confirms it
    report        receiver to sender, one a frame: a report of the codec with times around it
    bye           sender to receiver

Each is the body of a `ControlPacket`, its SSRC that of the session (sender's) or the receiver's own random one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

from t4vcodec.codec.setup import Setup, SetupError
from t4vcodec.media.frames import LUMA_WEIGHTS, Colour
from t4vcodec.network.live.rtp import MAX_BODY, ControlPacket, RtpError

DESCRIPTION, HELLO, REPORT, BYE = 1, 2, 3, 4
UNKNOWN = 0xFFFF  # of a round trip
_DESCRIPTION = struct.Struct(">QIIIHHHIIIBB")
_HELLO = struct.Struct(">QI")
_REPORT = struct.Struct(">IIIH")
_BYE = struct.Struct(">Q")
_MATRICES = tuple(LUMA_WEIGHTS)


def model_label(model: str) -> str:
    """A model's name without folder and ending: what travels, and what a salt is made of."""
    return model.rsplit("/", 1)[-1].removesuffix(".safetensors")


@dataclass(frozen=True)
class Description:
    """ssrc: of the session's media. token: the sender's secret, which whoever answers must know. generation:
    counts the sender's sessions. receiver: SSRC of the one that is heard, 0 for none. clock: the sender's
    media clock when this was sent, 90 kHz, 32 bits. rtt: round trip in milliseconds, None if not known.
    setup: its model is a label, never a path. kbps: target rate, whole kbit/s."""

    ssrc: int
    token: int
    generation: int
    receiver: int
    clock: int
    rtt: int | None
    setup: Setup
    kbps: int
    colour: Colour

    def packet(self) -> ControlPacket:
        s = self.setup
        model = model_label(s.model).encode("ascii", "replace")[:255]
        rtt = UNKNOWN if self.rtt is None else min(self.rtt, UNKNOWN - 1)
        colour = _MATRICES.index(self.colour.matrix) << 1 | self.colour.full_range
        numbers = (s.width, s.height, s.fps.numerator, s.fps.denominator, self.kbps)
        body = _DESCRIPTION.pack(
            self.token, self.generation, self.receiver, self.clock, rtt, *numbers, colour, len(model)
        )
        return ControlPacket(DESCRIPTION, self.ssrc, body + model)

    @classmethod
    def parse(cls, packet: ControlPacket) -> Description:
        """Raises RtpError."""
        body = packet.body
        if len(body) < _DESCRIPTION.size:
            raise RtpError("a description that ends too early")
        token, generation, receiver, clock, rtt, width, height, top, bottom, kbps, colour, size = (
            _DESCRIPTION.unpack_from(body)
        )
        model = body[_DESCRIPTION.size :]
        if len(model) != size or not 0 < size <= 64 or not bottom or colour >> 1 >= len(_MATRICES):
            raise RtpError("a description that makes no sense")
        try:
            name = model.decode("ascii")
            setup = Setup(width, height, Fraction(top, bottom), name)
        except (UnicodeDecodeError, SetupError) as error:
            raise RtpError(f"a description that makes no sense: {error}") from None
        if model_label(name) != name or not name.isprintable():
            raise RtpError("a description whose model is no plain name")
        known = None if rtt == UNKNOWN else rtt
        meaning = Colour(_MATRICES[colour >> 1], bool(colour & 1))
        return cls(packet.ssrc, token, generation, receiver, clock, known, setup, kbps, meaning)


@dataclass(frozen=True)
class Hello:
    """receiver: SSRC. token: the sender's, 0 to ask for a description. refused: SSRC of a session that this
    receiver can not enter any more; 0 for none."""

    receiver: int
    token: int = 0
    refused: int = 0

    def packet(self) -> ControlPacket:
        return ControlPacket(HELLO, self.receiver, _HELLO.pack(self.token, self.refused))

    @classmethod
    def parse(cls, packet: ControlPacket) -> Hello:
        """Raises RtpError."""
        if len(packet.body) != _HELLO.size:
            raise RtpError("a hello of another length")
        return cls(packet.ssrc, *_HELLO.unpack(packet.body))


@dataclass(frozen=True)
class ReportMessage:
    """session: SSRC that it is about. clock: of the description that came last. held: 90 kHz ticks since it
    came. lag: milliseconds that the frame waited for the one before to be decoded. report: bytes of
    `codec.reports`."""

    receiver: int
    session: int
    clock: int
    held: int
    lag: int
    report: bytes

    def packet(self) -> ControlPacket:
        front = _REPORT.pack(self.session, self.clock, min(self.held, 0xFFFFFFFF), min(self.lag, 0xFFFF))
        return ControlPacket(REPORT, self.receiver, front + self.report)

    @classmethod
    def parse(cls, packet: ControlPacket) -> ReportMessage:
        """Raises RtpError. The report inside is not looked at."""
        if not _REPORT.size < len(packet.body) <= MAX_BODY:
            raise RtpError("a report of another length")
        return cls(packet.ssrc, *_REPORT.unpack_from(packet.body), packet.body[_REPORT.size :])


@dataclass(frozen=True)
class Bye:
    """The sender ends. ssrc: of the session. token: the sender's."""

    ssrc: int
    token: int

    def packet(self) -> ControlPacket:
        return ControlPacket(BYE, self.ssrc, _BYE.pack(self.token))

    @classmethod
    def parse(cls, packet: ControlPacket) -> Bye:
        """Raises RtpError."""
        if len(packet.body) != _BYE.size:
            raise RtpError("a bye of another length")
        return cls(packet.ssrc, *_BYE.unpack(packet.body))
