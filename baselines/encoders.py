"""Standard encoders at low delay and constant quality, as coded frames with what a receiver must know of them.

All run in one thread, without B frames and look-ahead: a frame goes in, its data come out. Options are those that
compressed best on validation clips within that (docs/baselines.md has the figures).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
from t4vcodec.baselines import av1_payload as av1
from t4vcodec.baselines import h264_payload as h264
from t4vcodec.baselines import h265_payload as h265
from t4vcodec.baselines.nal_units import split_annex_b
from t4vcodec.baselines.pictures import coded_side, padded_side, resize, to_picture
from t4vcodec.baselines.settings import CODECS, BaselineError, CodecSettings
from t4vcodec.media.frames import Frame

# SVT-AV1 otherwise writes twenty lines per encoder, past Python's streams.
os.environ.setdefault("SVT_LOG", "0")

_FOREVER = 2**30
"""Frames between key frames where only the first one is meant."""


@dataclass(frozen=True)
class CodedFrame:
    """One frame as it leaves the encoder."""

    number: int
    key: bool
    """Decoding can start here."""
    units: tuple[bytes, ...]
    """NAL units, an OBU or a VP9 frame, without what belongs to the session's set-up."""


@dataclass
class Setup:
    """What is told once, when a session starts: parameter sets of H.264 and H.265, AV1's sequence header."""

    headers: tuple[bytes, ...] = ()


class Source:
    """The frames of a clip at the size at which they are coded; scaled ones are kept for the next encode."""

    def __init__(self, frames: Sequence[Frame], settings: CodecSettings) -> None:
        if not frames:
            raise BaselineError("there are no frames to encode")
        first, codec = frames[0], CODECS[settings.codec]
        self.frames = frames
        self.full = padded_side(first.width, codec.least_side), padded_side(first.height, codec.least_side)
        self.coded = coded_size(first.width, first.height, settings)
        self._kept: list[av.VideoFrame] = []

    def __iter__(self) -> Iterator[av.VideoFrame]:
        for number, frame in enumerate(self.frames):
            if frame.y.shape != self.frames[0].y.shape:
                raise BaselineError(f"frame {number} has another size than the first: give clips of one size")
            if self.coded == self.full:
                yield to_picture(frame, *self.full)
                continue
            if number == len(self._kept):
                self._kept.append(resize(to_picture(frame, *self.full), *self.coded))
            yield self._kept[number]


def coded_size(width: int, height: int, settings: CodecSettings) -> tuple[int, int]:
    """Width and height that are coded of pictures of this size."""
    least = CODECS[settings.codec].least_side
    return coded_side(width, settings.scale, least), coded_side(height, settings.scale, least)


def coded_frames(
    source: Source, fps: Fraction, settings: CodecSettings, quality: float, limit: int, setup: Setup
) -> Iterator[CodedFrame]:
    """Encodes a clip; fills `setup`. limit: bytes of a slice where `settings` asks for slices.

    Raises `BaselineError` where the encoder refuses.
    """
    try:
        encoder = _open(source, fps, settings, quality, limit)
        packets = _packets(encoder, source, fps)
        separate = {"x264": _h264, "x265": _h265, "av1": _av1, "vp9": _vp9}[settings.codec]
        for packet in packets:
            yield separate(packet, setup)
    except (av.error.FFmpegError, h264.PayloadError) as error:
        size = "x".join(map(str, source.coded))
        raise BaselineError(
            f"{settings.codec} cannot encode {size} at quality {quality:g} ({error}): leave it out of the baselines"
        ) from error


def _packets(encoder: av.VideoCodecContext, source: Source, fps: Fraction) -> Iterator[av.Packet]:
    for number, picture in enumerate(source):
        picture.pts, picture.time_base = number, 1 / fps
        yield from encoder.encode(picture)
    yield from encoder.encode(None)


def _open(
    source: Source, fps: Fraction, settings: CodecSettings, quality: float, limit: int
) -> av.VideoCodecContext:
    codec = CODECS[settings.codec]
    if not codec.lowest <= quality <= codec.highest:
        raise BaselineError(
            f"{settings.codec}'s quality lies between {codec.lowest:g} and {codec.highest:g}, got {quality:g}"
        )
    second = max(2, round(fps))
    encoder = av.CodecContext.create(codec.encoder, "w")
    encoder.width, encoder.height = source.coded
    encoder.pix_fmt = "yuv420p"
    encoder.time_base, encoder.framerate = 1 / fps, fps
    encoder.thread_count = 1
    encoder.gop_size = _FOREVER if settings.gop == "infinite" else second
    encoder.options = {
        "x264": _x264_options,
        "x265": _x265_options,
        "av1": _av1_options,
        "vp9": _vp9_options,
    }[settings.codec](settings, quality, limit, second)
    encoder.open()
    return encoder


def _x264_options(settings: CodecSettings, quality: float, limit: int, second: int) -> dict[str, str]:
    options = {
        "preset": settings.preset,
        "tune": ",".join(["zerolatency", *([settings.tune] if settings.tune else [])]),
        "crf": f"{quality:.4f}",
    }
    if settings.gop == "refresh":
        options["intra-refresh"] = "1"
    if settings.slices:
        options["slice-max-size"] = str(limit)
    return options


def _x265_options(settings: CodecSettings, quality: float, limit: int, second: int) -> dict[str, str]:
    # What tune=zerolatency sets; x265 takes a single tune, which is needed for the measure.
    more = "bframes=0:b-adapt=0:rc-lookahead=0:scenecut=0:cutree=0:frame-threads=1"
    more += ":pools=none:wpp=0:open-gop=0:info=0:log-level=none"
    more += {"infinite": ":keyint=-1", "second": f":keyint={second}"}.get(
        settings.gop, f":keyint={second}:intra-refresh=1"
    )
    if settings.slices:
        more += ":temporal-mvp=0"
    options = {"preset": settings.preset, "crf": f"{quality:.4f}", "x265-params": more}
    return options | ({"tune": settings.tune} if settings.tune else {})


def _av1_options(settings: CodecSettings, quality: float, limit: int, second: int) -> dict[str, str]:
    return {
        "preset": settings.preset,
        "svtav1-params": f"pred-struct=1:rtc=1:lp=1:irefresh-type=2:crf={quality:.2f}",
    }


def _vp9_options(settings: CodecSettings, quality: float, limit: int, second: int) -> dict[str, str]:
    options = {
        "deadline": "realtime",
        "lag-in-frames": "0",
        "auto-alt-ref": "0",
        "cpu-used": settings.preset,
        "error-resilient": str(int(settings.slices)),
        "b": "0",  # constant quality
        "crf": str(int(quality)),
    }
    # libvpx's quality has whole steps of 4 to 20 % of the bytes. Between them, the better ones of its frames (each
    # second or so) are held down: a floor of the quantiser begins to bind about 20 below the quality.
    part = round((quality - int(quality)) * 20)
    if part:
        options["qmin"] = str(max(0, int(quality) - 24 + part))
    return options


def _h264(packet: av.Packet, setup: Setup) -> CodedFrame:
    nals = split_annex_b(bytes(packet))
    if not setup.headers:
        setup.headers = tuple(n for n in nals if h264.nal_type(n) in (h264.SPS, h264.PPS))
    slices = tuple(n for n in nals if h264.nal_type(n) in (h264.SLICE, h264.IDR))
    return CodedFrame(int(packet.pts), any(h264.nal_type(n) == h264.IDR for n in slices), slices)


def _h265(packet: av.Packet, setup: Setup) -> CodedFrame:
    nals = split_annex_b(bytes(packet))
    if not setup.headers:
        setup.headers = tuple(n for n in nals if h265.nal_type(n) in (h265.VPS, h265.SPS, h265.PPS))
    slices = tuple(n for n in nals if h265.is_slice(n))
    return CodedFrame(int(packet.pts), any(map(h265.is_key, slices)), slices)


def _av1(packet: av.Packet, setup: Setup) -> CodedFrame:
    obus = list(av1.split_obus(bytes(packet)))
    if not setup.headers:
        setup.headers = tuple(o for o in obus if av1.obu_type(o) == av1.SEQUENCE_HEADER)
    frames = tuple(o for o in obus if av1.obu_type(o) == av1.FRAME)
    return CodedFrame(int(packet.pts), bool(packet.is_keyframe), frames)


def _vp9(packet: av.Packet, setup: Setup) -> CodedFrame:
    return CodedFrame(int(packet.pts), bool(packet.is_keyframe), (bytes(packet),))
