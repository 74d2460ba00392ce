"""What a receiver of a standard codec shows: libavcodec's or dav1d's decoder, given what arrived.

Fair to each codec, measured on validation clips (docs/baselines.md):

- *H.264* conceals what is missing of a frame, also where only its beginning arrived; pictures go on after lost
  frames (`h264_payload`).
- *H.265* has no concealment in libavcodec: of a frame that isn't whole nothing is shown; pictures go on after lost
  frames (`h265_payload`).
- *VP9* goes on after lost frames where the stream is error resilient, otherwise with the next key frame.
- *AV1* goes on after frames that nobody refers to, otherwise with the next key frame: dav1d refuses the rest.

Where no picture comes, the last one is repeated; grey is shown until a key frame came. Scaled streams are scaled
up by swscale.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
from t4vcodec.baselines import av1_payload as av1
from t4vcodec.baselines import h264_payload as h264
from t4vcodec.baselines import h265_payload as h265
from t4vcodec.baselines import sharing
from t4vcodec.baselines import vp9_payload as vp9
from t4vcodec.baselines.coded import FORMATS, CodedClip
from t4vcodec.baselines.encoders import coded_size
from t4vcodec.baselines.fragments import Joined, PayloadError, in_places, join
from t4vcodec.baselines.nal_units import join_annex_b
from t4vcodec.baselines.pictures import Planes, padded_side, resize, to_picture, to_planes
from t4vcodec.baselines.settings import CODECS, BaselineError
from t4vcodec.baselines.x264 import X264Receiver
from t4vcodec.media.frames import Colour, Frame, chroma_shape


class _Decoder(Protocol):
    """Takes what is at hand of each frame, counting up from 0."""

    def decode(self, units: Sequence[Joined], number: int) -> Planes | None:
        """The coded picture of frame `number`; None where the last one stays."""
        ...


class StandardReceiver:
    """A `Receiver` for payloads of a `CodedClip`; never raises, whatever the packets hold."""

    def __init__(self, coded: CodedClip, width: int, height: int, fps: Fraction, colour: Colour) -> None:
        self.width, self.height, self.fps = width, height, Fraction(fps)
        self._clip, self._colour = coded, colour
        self._coded = coded_size(width, height, coded.settings)
        least = CODECS[coded.settings.codec].least_side
        self._full = padded_side(width, least), padded_side(height, least)
        kind = {"x264": _H264, "x265": _H265, "av1": _AV1, "vp9": _VP9}[coded.settings.codec]
        self._decoder: _Decoder = kind(coded, *self._coded, self.fps)
        self._group: tuple[int, dict[int, bytes]] = (-1, {})
        chroma = np.full(chroma_shape(height, width), 128, np.uint8)
        self._shown: Planes = (np.full((height, width), 128, np.uint8), chroma, chroma)

    def receive(self, packets: Sequence[bytes], frame: int) -> Frame:
        """Takes the payloads at hand of frame `frame` (of its group, where frames share packets) and shows it."""
        if 0 <= frame < len(self._clip.frames):
            planes = self._decoder.decode(self._units(packets, frame), frame)
            if planes is not None:
                self._shown = self._at_full_size(planes)
        return Frame(*self._shown, time=float(frame / self.fps), colour=self._colour)

    def _units(self, packets: Sequence[bytes], frame: int) -> list[Joined]:
        settings = self._clip.settings
        if settings.codec == "x264" and settings.slices:
            return [Joined(nal, True) for nal in _slices(packets)]
        carrier = self._clip.carrier(frame)
        placed = in_places(self._clip.frames[carrier], packets)
        try:
            if settings.share == 1:
                joined = join(FORMATS[settings.codec], placed)
                return [joined] if joined.data else []
            if self._group[0] != carrier:
                self._group = carrier, sharing.unshare(placed)
            unit = self._group[1].get(frame % settings.share)
            return [Joined(unit, True)] if unit else []
        except PayloadError:
            return []

    def _at_full_size(self, planes: Planes) -> Planes:
        if self._coded != self._full:
            picture = resize(to_picture(Frame(*planes, time=0.0), *self._coded), *self._full)
            return to_planes(picture, self.width, self.height) or self._shown
        rows, columns = chroma_shape(self.height, self.width)
        luma, u, v = planes
        return luma[: self.height, : self.width], u[:rows, :columns], v[:rows, :columns]


def _slices(packets: Sequence[bytes]) -> list[bytes]:
    nals: list[bytes] = []
    try:
        for nal in h264.depacketise(packets):
            nals.append(nal)
    except PayloadError:
        pass  # keep what was read before the damage
    return nals


class _Library:
    """One of libav's decoders; pictures by the number of the frame that they belong to."""

    def __init__(self, codec: str, width: int, height: int, fps: Fraction, options: dict[str, str]) -> None:
        self._context = av.CodecContext.create(CODECS[codec].decoder, "r")
        self._context.thread_count = 1
        self._context.options = options
        self._size, self._time_base = (width, height), 1 / fps

    def picture(self, unit: bytes, number: int) -> Planes | None:
        packet = av.Packet(unit)
        packet.pts = packet.dts = number
        packet.time_base = self._time_base
        planes = None
        try:
            for picture in self._context.decode(packet):
                if picture.pts == number:
                    planes = to_planes(picture, *self._size)
        except (av.error.FFmpegError, ValueError):
            pass  # nothing came of this unit: the last picture stays
        return planes


class _H264:
    def __init__(self, coded: CodedClip, width: int, height: int, fps: Fraction) -> None:
        self._receiver = X264Receiver(width, height, fps, coded.setup)

    def decode(self, units: Sequence[Joined], number: int) -> Planes | None:
        if not units:
            return None
        frame = self._receiver.receive([unit.data for unit in units], number)
        return frame.y, frame.u, frame.v


class _H265:
    def __init__(self, coded: CodedClip, width: int, height: int, fps: Fraction) -> None:
        self._library = _Library("x265", width, height, fps, {"flags": "+output_corrupt+low_delay"})
        self._parameter_sets = coded.setup
        kinds = {h265.nal_type(nal): nal for nal in coded.setup}
        try:
            self._layout = h265.slice_layout(kinds[h265.SPS], kinds[h265.PPS])
        except (KeyError, PayloadError) as error:
            raise BaselineError(
                f"an H.265 receiver cannot read its stream's parameter sets: {error}"
            ) from error
        self._next: int | None = None

    def decode(self, units: Sequence[Joined], number: int) -> Planes | None:
        if not units or not units[0].whole:
            return None
        nal = units[0].data
        try:
            if h265.is_key(nal):
                self._next = 0
            elif self._next is not None:
                nal = h265.continue_picture_order(nal, self._layout, self._next)
            else:
                return None
        except PayloadError:
            return None
        self._next += 1
        # Parameter sets go before key frames: the session's set-up, which is never lost.
        before = self._parameter_sets if self._next == 1 else ()
        return self._library.picture(join_annex_b([*before, nal]), number)


class _AV1:
    def __init__(self, coded: CodedClip, width: int, height: int, fps: Fraction) -> None:
        self._library = _Library("av1", width, height, fps, {"max_frame_delay": "1"})
        self._sequence_header, self._kept = coded.setup, coded.kept
        self._broken = True

    def decode(self, units: Sequence[Joined], number: int) -> Planes | None:
        if not units or not units[0].whole:
            self._broken |= self._kept[number]
            return None
        obu = units[0].data
        key = av1.is_key(obu)
        if self._broken and not key:
            return None
        self._broken = False
        return self._library.picture(
            av1.temporal_unit([*(self._sequence_header if key else ()), obu]), number
        )


class _VP9:
    def __init__(self, coded: CodedClip, width: int, height: int, fps: Fraction) -> None:
        self._library = _Library("vp9", width, height, fps, {"flags": "+low_delay"})
        self._resilient = coded.settings.slices
        self._broken = True

    def decode(self, units: Sequence[Joined], number: int) -> Planes | None:
        if not units or not units[0].whole:
            self._broken |= not self._resilient
            return None
        if self._broken and not vp9.is_key(units[0].data):
            return None
        self._broken = False
        return self._library.picture(units[0].data, number)
