"""The codec inside aiortc (WebRTC in Python): `register()` once, then prefer video/T4V in the transceivers.

aiortc knows its codecs by name only, so registering puts ours into its list and its three functions. Its jitter
buffer hands frames out whole or not at all; for our packets, and for them alone, another one hands out what came.
One way: RTCP has no place for the receiver's reports, so the encoder is made for loss instead (`resilience`).

Before each packet stand 12 bytes, as the join of a frame's payloads has no borders and nothing else says what the
session is:

    2 length of the packet, 2 session (another number: another encoder), 2 width, 2 height, 2 and 2 frames a second
    as a fraction
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import wraps
from typing import Any

import av
import numpy as np
from aiortc import codecs, rtcrtpreceiver, rtcrtpsender
from aiortc.codecs.base import Decoder as PeerDecoder
from aiortc.codecs.base import Encoder as PeerEncoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.mediastreams import VIDEO_TIME_BASE, convert_timebase
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpCodecParameters
from aiortc.rtp import RtpPacket
from t4vcodec.codec import Decoder, Encoder, Packet, PacketError, Setup, SetupError
from t4vcodec.media.frames import Colour, Frame
from t4vcodec.network.live.rtp import CLOCK, unwrap

MIME_TYPE = "video/T4V"
NAME = "T4V"
PAYLOAD_TYPE = 116
FPS = Fraction(25)
"""What an encoder is told; the rate follows the times of the frames."""
LEAST, MOST = 30_000, 20_000_000
"""Bounds of the rate in bit/s."""
PACE = 1 / 8
HELD = 512
"""Packets that wait for the rest of their frames."""
_FRONT = struct.Struct(">HHHHHH")


class Payload(bytes):
    """What came in a packet of ours, told by its type from those of other codecs."""


class T4vEncoder(PeerEncoder):
    """Encodes frames of any size; another size, or a wish for a key frame, begins a new session."""

    kbps_at_start = 500.0
    """Until the receiver's estimate of the bandwidth says otherwise; aiortc makes encoders without arguments."""

    def __init__(self) -> None:
        self._bitrate = 1000 * self.kbps_at_start
        self._encoder: Encoder | None = None
        self._session = random.randrange(1 << 16)
        self._interval = float(1 / FPS)
        self._last: int | None = None

    @property
    def target_bitrate(self) -> int:
        """Bits a second, headers included; set by aiortc from the receiver's estimate."""
        return int(self._bitrate)

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._bitrate = min(max(bitrate, LEAST), MOST)

    def encode(self, frame: av.VideoFrame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """The payloads of a frame, and its time stamp."""
        stamp = convert_timebase(frame.pts, frame.time_base, VIDEO_TIME_BASE)
        if self._last is not None:
            step = min(max((stamp - self._last) / CLOCK, 1e-3), 10.0)
            self._interval += PACE * (step - self._interval)
        self._last = stamp
        size = (frame.width, frame.height)
        kbps = self._bitrate / 1000 * self._interval * float(FPS)
        encoder = self._encoder
        if encoder is None or force_keyframe or size != (encoder.setup.width, encoder.setup.height):
            encoder = self._encoder = Encoder(Setup(*size, FPS), kbps=kbps)
            self._session = (self._session + 1) & 0xFFFF
        encoder.kbps = kbps
        parts = (self._session, *size, FPS.numerator, FPS.denominator)
        return [
            _FRONT.pack(len(packet), *parts) + bytes(packet) for packet in encoder.push(samples(frame))
        ], stamp

    def pack(self, packet: av.Packet) -> tuple[list[bytes], int]:
        """Packets that were coded elsewhere can not be sent."""
        raise NotImplementedError("this codec sends frames, not packets coded elsewhere")


class T4vDecoder(PeerDecoder):
    """Decodes whatever came of a frame; frames of which nothing came have pictures too."""

    def __init__(self) -> None:
        self._decoder: Decoder | None = None
        self._session = -1
        self._last: int | None = None

    def decode(self, encoded_frame: JitterFrame) -> list[av.VideoFrame]:
        """The pictures up to this frame's. Bytes that make no sense give none."""
        pictures: list[Frame] = []
        newest = None
        for session, setup, data in split(encoded_frame.data):
            if self._decoder is None or session != self._session:
                if self._decoder is not None and (self._session - session) & 0xFFFF < 0x8000:
                    continue  # of a session that is over
                self._session, self._decoder, self._last = session, Decoder(setup), None
            decoder = self._decoder
            try:
                packet = Packet.parse(data, decoder.setup)
                number = unwrap(packet.frame, 16, decoder.next_frame)
                pictures += decoder.push([packet])
            except PacketError:
                continue
            newest = number if newest is None else max(newest, number)
        if newest is not None:
            pictures += self._decoder.close(until=newest)
        return self._timed(pictures, encoded_frame.timestamp)

    def _timed(self, pictures: list[Frame], stamp: int) -> list[av.VideoFrame]:
        step = CLOCK // 25
        if self._last is not None and pictures:
            step = max(((stamp - self._last) & 0xFFFFFFFF) // len(pictures), 1)
        self._last = stamp
        out = []
        for back, frame in zip(range(len(pictures) - 1, -1, -1), pictures):
            picture = video_frame(frame)
            picture.pts, picture.time_base = stamp - back * step, VIDEO_TIME_BASE
            out.append(picture)
        return out


def split(data: bytes) -> Iterator[tuple[int, Setup, bytes]]:
    """Session, set-up and bytes of each packet in the joined payloads, as far as they make sense."""
    at = 0
    while at + _FRONT.size <= len(data):
        size, session, width, height, top, bottom = _FRONT.unpack_from(data, at)
        at += _FRONT.size
        try:
            setup = Setup(width, height, Fraction(top, bottom) if bottom else Fraction(0))
        except SetupError:
            return
        yield session, setup, data[at : at + size]
        at += size


class ArrivedBuffer(JitterBuffer):
    """For packets of ours a frame is handed out when it is whole, or when a packet of a
    later one comes; what comes later still goes along with the next frame, so that the decoder mends its state."""

    def __init__(self, capacity: int, prefetch: int = 0, is_video: bool = False) -> None:
        super().__init__(capacity, prefetch, is_video)
        self._parts: dict[int, tuple[int, bytes, bool]] = {}
        self._newest: int | None = None
        self._number = 0
        self._done = -1
        """Number of the last packet of the frame that was handed out last, as far as is known."""
        self._done_stamp: int | None = None

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Whether a key frame is to be asked for, and a frame that is ready."""
        data = packet._data
        if not isinstance(data, Payload):
            return super().add(packet)
        first = self._newest is None
        number = unwrap(packet.sequence_number, 16, self._number)
        self._number = max(self._number, number)
        self._parts[number] = (packet.timestamp, data, bool(packet.marker))
        while len(self._parts) > HELD:
            del self._parts[min(self._parts)]
        stamp = packet.timestamp
        if first:
            self._newest = stamp
        if later(stamp, self._newest):
            before, self._newest = self._newest, stamp
            if before != self._done_stamp:
                return False, self._hand_out(before)
        return first, self._hand_out(stamp) if self._whole(stamp) else None

    def _whole(self, stamp: int) -> bool:
        mine = sorted(n for n, (time, _, _) in self._parts.items() if time == stamp)
        return (
            stamp == self._newest
            and stamp != self._done_stamp
            and self._parts[mine[-1]][2]
            and mine[0] == self._done + 1
            and mine[-1] - mine[0] + 1 == len(mine)
        )

    def _hand_out(self, stamp: int) -> JitterFrame | None:
        """All packets up to that time stamp, late ones of frames before included."""
        mine = sorted(n for n, (time, _, _) in self._parts.items() if not later(time, stamp))
        ends = [n for n in mine if self._parts[n][2] and self._parts[n][0] == stamp]
        data = b"".join(self._parts.pop(n)[1] for n in mine)
        self._done_stamp = stamp
        self._done = ends[-1] if ends else self._done
        return JitterFrame(data, stamp) if data else None


def later(stamp: int, than: int) -> bool:
    """Whether a 32-bit time stamp lies after another."""
    return 0 < (stamp - than) & 0xFFFFFFFF < 1 << 31


def samples(frame: av.VideoFrame) -> Frame:
    """A frame of PyAV, in any format, as ours; its colour as PyAV says, else as is usual."""
    picture = frame if frame.format.name == "yuv420p" else frame.reformat(format="yuv420p")
    planes = (
        np.frombuffer(p, np.uint8).reshape(p.height, p.line_size)[:, : p.width].copy() for p in picture.planes
    )
    return Frame(*planes, 0.0, Colour())


def video_frame(frame: Frame) -> av.VideoFrame:
    """Our frame as PyAV's."""
    picture = av.VideoFrame(frame.width, frame.height, "yuv420p")
    for plane, values in zip(picture.planes, (frame.y, frame.u, frame.v), strict=True):
        lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        lines[:, : plane.width] = values
    return picture


def register() -> None:
    """Make the codec known to aiortc; harmless when repeated."""
    if any(codec.mimeType == MIME_TYPE for codec in codecs.CODECS["video"]):
        return
    feedback = [RTCRtcpFeedback(type="nack", parameter="pli"), RTCRtcpFeedback(type="goog-remb")]
    codecs.CODECS["video"].append(
        RTCRtpCodecParameters(
            mimeType=MIME_TYPE, clockRate=CLOCK, payloadType=PAYLOAD_TYPE, rtcpFeedback=feedback
        )
    )
    _replace("get_encoder", T4vEncoder, codecs, rtcrtpsender)
    _replace("get_decoder", T4vDecoder, codecs, rtcrtpreceiver)
    _replace("depayload", Payload, codecs, rtcrtpreceiver)
    rtcrtpreceiver.JitterBuffer = ArrivedBuffer


def _replace(name: str, ours: Callable, *modules: Any) -> None:
    theirs = getattr(codecs, name)

    @wraps(theirs)
    def chosen(codec: RTCRtpCodecParameters, *rest: Any) -> Any:
        return ours(*rest) if codec.name == NAME else theirs(codec, *rest)

    for module in modules:
        setattr(module, name, chosen)
