"""A clip as a standard codec leaves it: payloads, frame by frame, before any protection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from t4vcodec.baselines import av1_payload, h264_payload, h265_payload, sharing, vp9_payload
from t4vcodec.baselines.encoders import CodedFrame, Setup, Source, coded_frames
from t4vcodec.baselines.fragments import Format, PayloadError
from t4vcodec.baselines.settings import CODECS, BaselineError, CodecSettings
from t4vcodec.media.frames import Frame
from t4vcodec.network.stream import HEADER_BYTES, MAX_PAYLOAD

FORMATS: dict[str, Format] = {
    "x264": h264_payload.FORMAT,
    "x265": h265_payload.FORMAT,
    "av1": av1_payload.FORMAT,
    "vp9": vp9_payload.FORMAT,
}
"""How frames that are cut into equal parts travel."""


@dataclass(frozen=True, eq=False)
class CodedClip:
    """Payloads of a whole clip and what a receiver must know of them."""

    settings: CodecSettings
    quality: float
    """Constant rate factor (x264, x265, AV1) or quantiser (VP9); lower is better."""
    frames: tuple[tuple[bytes, ...], ...]
    """Media payloads that leave with each frame. Where frames share packets, all of a group leave with its
    last."""
    keys: tuple[bool, ...]
    """Whether a key frame is in the payloads that leave with each frame."""
    setup: tuple[bytes, ...]
    """Parameter sets, or AV1's sequence header: told when a session starts, not sent."""
    kept: tuple[bool, ...]
    """Whether other frames may be predicted from each frame; only AV1 has some of which that isn't so."""
    seconds: float
    """Wall time that encoding took."""

    @property
    def bytes(self) -> int:
        """Payload bytes of all packets."""
        return sum(len(payload) for payloads in self.frames for payload in payloads)

    @property
    def packets(self) -> int:
        return sum(map(len, self.frames))

    @property
    def total_bytes(self) -> int:
        """Payloads and 40 bytes of headers a packet."""
        return self.bytes + HEADER_BYTES * self.packets

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """Payload bytes, frame by frame: what planning of protection needs."""
        return tuple(tuple(map(len, payloads)) for payloads in self.frames)

    @property
    def delay_frames(self) -> int:
        """Frames that a frame waits at most for those that it shares packets with."""
        return self.settings.share - 1

    def carrier(self, frame: int) -> int:
        """The frame with which the payloads of frame number `frame` leave; itself where nothing is shared."""
        share = self.settings.share
        return min(frame - frame % share + share, len(self.frames)) - 1

    def deliver(
        self, payloads: Sequence[Sequence[bytes]], delays: Sequence[int]
    ) -> tuple[tuple[Sequence[bytes], ...], tuple[int, ...]]:
        """What each frame's receiver call gets, and how many frames it waits.

        payloads, delays: of the packets that left with each frame, as protection gives them back. Where nothing
        is shared, the same comes out.
        """
        carriers = [self.carrier(frame) for frame in range(len(self.frames))]
        waits = tuple(delays[at] + at - frame for frame, at in enumerate(carriers))
        return tuple(payloads[at] for at in carriers), waits


def encode(
    frames: Sequence[Frame],
    fps: Fraction,
    settings: CodecSettings,
    quality: float,
    max_payload: int = MAX_PAYLOAD,
) -> CodedClip:
    """All payloads of `frames` at one quality, each of at most `max_payload` bytes.

    Raises `BaselineError` where the encoder refuses the size or quality.
    """
    return encode_source(Source(frames, settings), fps, settings, quality, max_payload)


def encode_source(
    source: Source, fps: Fraction, settings: CodecSettings, quality: float, max_payload: int
) -> CodedClip:
    """The same of frames that were scaled already."""
    if not 64 <= max_payload <= MAX_PAYLOAD:
        raise BaselineError(f"payloads have 64 to {MAX_PAYLOAD} bytes at most, not {max_payload}")
    start = time.perf_counter()
    setup = Setup()
    coded = list(coded_frames(source, Fraction(fps), settings, quality, max_payload, setup))
    coded.sort(key=lambda frame: frame.number)
    seconds = time.perf_counter() - start
    if [frame.number for frame in coded] != list(range(len(source.frames))):
        raise BaselineError(
            f"{CODECS[settings.codec].encoder} gave {len(coded)} of {len(source.frames)} frames: leave"
            f" {settings.codec} out of the baselines"
        )
    return CodedClip(
        settings,
        quality,
        _payloads(coded, settings, max_payload),
        _keys(coded, settings.share),
        setup.headers,
        _kept(coded, settings, setup),
        seconds,
    )


def _payloads(
    coded: Sequence[CodedFrame], settings: CodecSettings, limit: int
) -> tuple[tuple[bytes, ...], ...]:
    if settings.slices and settings.codec == "x264":
        try:
            return tuple(tuple(h264_payload.packetise(frame.units, limit)) for frame in coded)
        except PayloadError as error:
            raise BaselineError(f"x264 with slices at this quality: {error}") from error
    if any(len(frame.units) != 1 for frame in coded):
        raise BaselineError(
            f"this build's {CODECS[settings.codec].encoder} cuts frames by itself: leave"
            f" {settings.codec} out of the baselines"
        )
    if settings.share == 1:
        cut = FORMATS[settings.codec].cut
        return tuple(tuple(cut(frame.units[0], limit, frame.key)) for frame in coded)
    payloads: list[tuple[bytes, ...]] = []
    for at in range(0, len(coded), settings.share):
        group = coded[at : at + settings.share]
        payloads += [()] * (len(group) - 1)
        payloads.append(tuple(sharing.share([frame.units[0] for frame in group], limit)))
    return tuple(payloads)


def _keys(coded: Sequence[CodedFrame], share: int) -> tuple[bool, ...]:
    keys: list[bool] = []
    for at in range(0, len(coded), share):
        group = coded[at : at + share]
        keys += [False] * (len(group) - 1) + [any(frame.key for frame in group)]
    return tuple(keys)


def _kept(coded: Sequence[CodedFrame], settings: CodecSettings, setup: Setup) -> tuple[bool, ...]:
    if settings.codec != "av1":
        return (True,) * len(coded)
    try:
        headers = av1_payload.FrameHeaders(setup.headers[0])
        return tuple(headers.refreshes(frame.units[0]) for frame in coded)
    except (PayloadError, IndexError):
        return (True,) * len(coded)  # a lost frame then always ends decoding until the next key frame
