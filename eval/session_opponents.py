"""Standard codecs in a session: one run of a transport in virtual time, and what its receiver decodes when.

A `Variant` is a transport with what its receiver does about frames that miss their deadline. Before the clip
starts the transport carries two seconds of small packets over the same link, not counted, so that it knows the
round trip and the loss as in the middle of a call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import av
from t4vcodec.baselines.coded import FORMATS, CodedClip
from t4vcodec.baselines.encoders import Setup, Source, coded_frames
from t4vcodec.baselines.settings import BaselineError, CodecSettings
from t4vcodec.eval.candidates import MEDIA_PAYLOAD
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.session_protocol import Closed, Condition, Playout, Traffic
from t4vcodec.network.channels import Channel
from t4vcodec.network.duplex import Pair
from t4vcodec.network.link import Counts, Link
from t4vcodec.network.transports import MediaFrame, make_transport
from t4vcodec.network.transports.wire import repeats

RESENDING = ("nack", "nack-fec", "hairpin")
WAITING = (*RESENDING, "tcp-reno", "tcp-cubic")
"""Transports whose receiver waits for what is missing, as long as it can still come."""
WARM_UP = 2.0
"""Seconds of small packets before the clip."""
_WARM_PACKETS = (bytes(100),) * 4
_KEY_REQUEST = bytes(12)
"""As RTCP's picture loss indication (RFC 4585)."""
_REQUEST_PATIENCE = 0.05
"""Seconds beyond a round trip after which a key frame that did not come is asked for again."""
_LINGER_TRIPS = 2
"""Round trips beyond the deadline for which copies of late frames are still asked for and decoded."""


@dataclass(frozen=True)
class Variant:
    """A transport, and what is done about frames that it does not bring in time."""

    transport: str
    keys: bool = False
    """The receiver asks for a key frame once a frame stays damaged; x264 only."""
    catch_up: bool = False
    """Packets that come too late to be shown are still decoded, so that what follows is right again; the picture
    stands meanwhile. Otherwise a frame that isn't whole at its deadline is shown as it is, or concealed."""

    redundancy: float | None = None
    """Of `fec`: parity packets for each media packet of a frame."""

    @property
    def name(self) -> str:
        """As in "nack keys" or "fec 0.5"."""
        fixed = "" if self.redundancy is None else f" {self.redundancy:g}"
        return self.transport + fixed + " keys" * self.keys + " catch-up" * self.catch_up


VARIANTS = (
    Variant("udp"),
    Variant("udp", keys=True),
    *(Variant("fec", redundancy=redundancy) for redundancy in (0.5, 1.0, 2.0)),
    *(Variant("fec", keys=True, redundancy=redundancy) for redundancy in (1.0, 2.0)),
    Variant("fec-adaptive"),
    Variant("fec-adaptive", keys=True),
    *(
        Variant(name, keys, late)
        for name in RESENDING
        for keys, late in ((False, False), (True, False), (False, True))
    ),
)
"""All that is tried."""


@dataclass(frozen=True)
class Carried:
    """What became of a stream."""

    closed: tuple[Closed, ...]
    traffic: Traffic
    keys: int
    """Key frames sent, the first included."""


Media = Callable[[int, bool], tuple[tuple[bytes, ...], bool]]
"""(frame number, whether a key frame is asked for) -> (payloads, whether it is a key frame); called in order."""


@dataclass(frozen=True)
class Selection:
    """What is sent again of what is asked for (`nack`, `hairpin`: most useful first; `nack`: above a threshold).

    With a selection, media meet the same fates whatever is sent again: copies and parity have fates of their own.
    """

    utilities: Sequence[tuple[float, ...]]
    """By frame, of each packet."""
    threshold: float = 0.0
    """Utility per byte, headers included, below which nothing is sent again."""


def carry(
    clip: Clip,
    media: Media,
    variant: Variant,
    condition: Condition,
    channel: Channel,
    seed: int,
    selection: Selection | None = None,
) -> Carried:
    """Sends a clip's payloads as they are made. Only numbers, sizes and keys matter: payloads may be dummies."""
    fps = float(clip.fps)
    there, back = condition.routes(fps, channel)
    settings = {} if variant.redundancy is None else {"redundancy": variant.redundancy}
    if selection is not None and variant.transport == "nack":
        settings["threshold"] = selection.threshold
    pair = Pair(*make_transport(variant.transport, **settings), there, back, clip=clip.name, seed=seed)
    first = _warm_up(pair, fps, condition)
    start = first / fps
    pair.forward.losses = channel.session(clip.name, seed)
    if selection is not None:
        pair.forward.apart, pair.forward.losses_apart = repeats, channel.session(f"{clip.name} again", seed)
    pair.forward.counts, pair.backward.counts = Counts(), Counts()
    captures = [start + number / fps for number in range(len(clip.frames))]
    round_trip = condition.rtt(fps)
    linger = _LINGER_TRIPS * round_trip if variant.catch_up else 0.0
    patience = condition.deadline + linger
    again = variant.transport in WAITING and patience >= 1.5 * round_trip
    playout = Playout(captures, patience, waits=again)
    asking = _KeyRequests(back.link(f"{clip.name} key requests", seed), round_trip) if variant.keys else None
    payload_bytes, keys = 0, 0
    for number, capture in enumerate(captures):
        pair.run([], capture)
        _play_out(pair, playout, first, capture)
        wanted = asking is not None and asking.wanted(playout, capture)
        payloads, key = media(number, wanted)
        if key and asking is not None:
            asking.key_sent(number, capture)
        payload_bytes += sum(map(len, payloads))
        keys += key
        worth = () if selection is None else selection.utilities[number]
        frame = MediaFrame(first + number, payloads, capture + patience, key, worth)
        pair.run([(capture, frame)], capture)
    end = captures[-1] + patience + round_trip
    pair.run([], end)
    _play_out(pair, playout, first, end)
    forward, backward = pair.forward.counts, pair.backward.counts
    traffic = Traffic(
        media=payload_bytes,
        sent=forward.sent,
        lost=forward.lost + forward.dropped,
        forward=forward.bytes_sent,
        replies=backward.sent + (asking.counts.sent if asking else 0),
        backward=backward.bytes_sent + (asking.counts.bytes_sent if asking else 0),
    )
    closed = tuple(Closed(c.time - start, c.indices, c.whole) for c in playout.closed)
    return Carried(closed, traffic, keys)


def _warm_up(pair: Pair, fps: float, condition: Condition) -> int:
    """Runs the transport over the link until it knows it; returns the number of frames that took."""
    frames = max(1, round(WARM_UP * fps))
    small = (
        (number / fps, MediaFrame(number, _WARM_PACKETS, number / fps + condition.deadline))
        for number in range(frames)
    )
    pair.run(small, (frames - 0.5) / fps)
    return frames


def _play_out(pair: Pair, playout: Playout, first: int, now: float) -> None:
    for packet in pair.delivered():
        if packet.frame >= first:
            playout.arrive(packet.frame - first, packet.index, packet.count, packet.time)
    playout.pass_time(now)


class _KeyRequests:
    """The receiver's requests for key frames, lost and late on a link of their own (of the same channel)."""

    def __init__(self, link: Link, round_trip: float) -> None:
        self._link, self._round_trip = link, round_trip
        self._looked_at = 0
        self._broken = False
        self._asked = self._key_at = float("-inf")
        self._keys: set[int] = set()

    @property
    def counts(self) -> Counts:
        return self._link.counts

    def wanted(self, playout: Playout, now: float) -> bool:
        """Asks for what broke until now; whether a request has arrived that no key frame has answered yet."""
        for number in range(self._looked_at, len(playout.closed)):
            closed = playout.closed[number]
            self._broken = not closed.whole or (self._broken and number not in self._keys)
            # Not twice for the same damage: an answer takes a round trip, and then some to be decoded.
            if self._broken and closed.time - self._asked >= self._round_trip + _REQUEST_PATIENCE:
                self._asked = closed.time
                self._link.send(_KEY_REQUEST, max(self._link.now, min(closed.time, now)))
        self._looked_at = len(playout.closed)
        arrived = self._link.poll(max(now, self._link.now))
        return bool(arrived) and arrived[-1].time >= self._key_at + self._round_trip / 2

    def key_sent(self, number: int, now: float) -> None:
        """A key frame leaves."""
        self._keys.add(number)
        self._key_at = now


class _KeyedSource(Source):
    """Pictures of a clip, of which some become key frames on demand."""

    wanted = False

    def __iter__(self) -> Iterator[av.VideoFrame]:
        kind = av.video.frame.PictureType
        for picture in super().__iter__():
            picture.pict_type = kind.I if self.wanted else kind.NONE
            yield picture


class KeyedEncoder:
    """x264 that makes a key frame when it is asked for; `frame` is a `Media`."""

    def __init__(self, clip: Clip, settings: CodecSettings, quality: float) -> None:
        if settings.codec != "x264" or settings.slices or settings.share != 1:
            raise BaselineError("key frames on request are made by x264 with one slice a frame only")
        self._settings, self._quality, self._setup = settings, quality, Setup()
        self._source = _KeyedSource(clip.frames, settings)
        self._frames = coded_frames(self._source, clip.fps, settings, quality, MEDIA_PAYLOAD, self._setup)
        self._coded: list[tuple[tuple[bytes, ...], bool]] = []
        self._seconds = 0.0

    def frame(self, number: int, key: bool) -> tuple[tuple[bytes, ...], bool]:
        """The next frame's payloads, and whether it is a key frame."""
        start = time.perf_counter()
        self._source.wanted = key
        coded = next(self._frames)
        if coded.number != number or len(coded.units) != 1:
            raise BaselineError("this build's libx264 delays or cuts frames: leave key requests out")
        payloads = tuple(FORMATS["x264"].cut(coded.units[0], MEDIA_PAYLOAD, coded.key))
        self._coded.append((payloads, coded.key))
        self._seconds += time.perf_counter() - start
        return self._coded[-1]

    def coded(self) -> CodedClip:
        """All that was encoded."""
        frames, keys = zip(*self._coded)
        return CodedClip(
            self._settings,
            self._quality,
            frames,
            keys,
            self._setup.headers,
            (True,) * len(frames),
            self._seconds,
        )
