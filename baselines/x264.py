"""x264 over packets, without protection: what a call sends when nobody thought of loss.

The sender is libx264 through PyAV (`zerolatency`, infinite GOP, one thread), cut into slices so that each
fits a packet. The receiver is libavcodec's H.264 decoder with its own concealment, given whatever arrived.

What is fair to x264 here: the text that it writes about itself into the first frame (615 bytes) isn't sent;
the parameter sets are sent and counted with the first frame, but a receiver knows them from the session's
set-up too, as SDP gives them to a real one (RFC 6184, 8.2.1), so losing that packet does not end the
session; `frame_num` is repaired (see `h264_payload`); pictures that the decoder holds back as damaged are
shown. Where no picture comes the last one is repeated. Grey is shown until the first slice of a key frame
came: before, the decoder would predict from black.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from t4vcodec.baselines import h264_payload as h264
from t4vcodec.baselines.nal_units import join_annex_b, split_annex_b
from t4vcodec.baselines.pictures import padded_side, to_picture, to_planes
from t4vcodec.baselines.settings import BaselineError
from t4vcodec.media.frames import Colour, Frame
from t4vcodec.network.stream import MAX_PAYLOAD, SentPacket

CRF_RANGE = (1.0, 51.0)
"""x264's constant rate factors; 0 would be lossless, another profile."""


class X264Stream:
    """A `Stream`: exactly one of `crf` and `kbps`; `tune` is None, "ssim" or "psnr"."""

    def __init__(
        self,
        width: int,
        height: int,
        fps: Fraction,
        *,
        crf: float | None = None,
        kbps: float | None = None,
        preset: str = "veryfast",
        tune: str | None = None,
    ) -> None:
        if (crf is None) == (kbps is None):
            raise BaselineError("x264 takes exactly one of crf and kbps")
        if crf is not None and not CRF_RANGE[0] <= crf <= CRF_RANGE[1]:
            raise BaselineError(f"x264's crf lies between {CRF_RANGE[0]:g} and {CRF_RANGE[1]:g}, got {crf:g}")
        self.width, self.height, self.fps = width, height, Fraction(fps)
        self.parameter_sets: tuple[bytes, ...] = ()
        """SPS and PPS, known once the first frame was sent; they belong to the session's set-up."""
        self._sent = 0
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height = padded_side(width), padded_side(height)
        encoder.pix_fmt = "yuv420p"
        encoder.time_base, encoder.framerate = 1 / self.fps, self.fps
        encoder.thread_count = 1
        encoder.gop_size = 2**30
        encoder.options = {
            "preset": preset,
            "tune": "zerolatency" if tune is None else f"zerolatency,{tune}",
            "slice-max-size": str(MAX_PAYLOAD),
        }
        if crf is not None:
            encoder.options |= {"crf": f"{crf:.4f}"}
        else:
            encoder.bit_rate = round(kbps * 1000)
            # A buffer of one second, as our own rate control has.
            encoder.options |= {"maxrate": str(encoder.bit_rate), "bufsize": str(encoder.bit_rate)}
        self._encoder = encoder

    def send(self, frame: Frame) -> list[SentPacket]:
        if frame.y.shape != (self.height, self.width):
            raise BaselineError(
                f"expected frames of {self.width}x{self.height}, got {frame.width}x{frame.height}"
            )
        picture = to_picture(frame, self._encoder.width, self._encoder.height)
        picture.pts, picture.time_base = self._sent, 1 / self.fps
        packets = self._packets(self._encoder.encode(picture))
        self._sent += 1
        return packets

    def finish(self) -> list[SentPacket]:
        return self._packets(self._encoder.encode(None))

    def _packets(self, encoded: Sequence[av.Packet]) -> list[SentPacket]:
        packets = []
        for unit in encoded:
            number = int(unit.pts)
            nals = [nal for nal in split_annex_b(bytes(unit)) if h264.nal_type(nal) != h264.SEI]
            if not self.parameter_sets:
                self.parameter_sets = tuple(n for n in nals if h264.nal_type(n) in (h264.SPS, h264.PPS))
            time = float(number / self.fps)
            packets += [SentPacket(payload, number, time) for payload in h264.packetise(nals)]
        return packets


class X264Receiver:
    """A `Receiver` for packets of `X264Stream`; never raises, whatever the packets hold."""

    def __init__(
        self,
        width: int,
        height: int,
        fps: Fraction,
        parameter_sets: Sequence[bytes],
        colour: Colour | None = None,
    ) -> None:
        self.width, self.height, self.fps = width, height, Fraction(fps)
        self._colour = colour or Colour()
        self._decoder = av.CodecContext.create("h264", "r")
        self._decoder.thread_count = 1
        self._decoder.options = {"flags": "+output_corrupt+low_delay", "flags2": "+showall"}
        self._parameter_sets = tuple(parameter_sets)
        sps = next((nal for nal in parameter_sets if h264.nal_type(nal) == h264.SPS), None)
        if sps is None:
            raise BaselineError("an H.264 receiver's set-up needs the sequence parameter set of its stream")
        self._frame_num_bits = h264.frame_num_bits(sps)
        self._next_num: int | None = None
        grey = np.full((height, width), 128, np.uint8)
        chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
        self._shown = (grey, chroma, chroma)

    def receive(self, packets: Sequence[bytes], frame: int) -> Frame:
        unit = self._access_unit(packets)
        if unit:
            packet = av.Packet(unit)
            packet.pts = packet.dts = frame
            packet.time_base = 1 / self.fps
            try:
                for picture in self._decoder.decode(packet):
                    self._show(picture)
            except (av.error.FFmpegError, ValueError):
                pass  # nothing came of this unit: the last picture stays
        return Frame(*self._shown, time=float(frame / self.fps), colour=self._colour)

    def _access_unit(self, packets: Sequence[bytes]) -> bytes:
        """What the decoder gets of one frame; empty if none of its slices arrived."""
        slices: list[bytes] = []
        number = self._next_num
        try:
            for nal in h264.depacketise(packets):
                if h264.nal_type(nal) == h264.IDR:
                    number = 0
                    slices.append(nal)
                elif h264.nal_type(nal) == h264.SLICE and number is not None:
                    slices.append(h264.continue_frame_num(nal, self._frame_num_bits, number))
        except h264.PayloadError:
            pass  # keep what was read before the damage
        if number is None or not slices:
            return b""
        is_reference = bool(slices[0][0] & 0x60)
        self._next_num = number + is_reference
        # Parameter sets from the set-up go before each frame: cheap, and no loss of them ends the session.
        return join_annex_b([*self._parameter_sets, *slices])

    def _show(self, picture: av.VideoFrame) -> None:
        self._shown = to_planes(picture, self.width, self.height) or self._shown
