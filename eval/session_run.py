"""Our codec in a session: the encoder hears the decoder's reports as they come over a link that delays and loses.

The receiver closes a frame when it is whole, `PATIENCE` after its last arrival, when a packet of a later frame
comes, or at capture + deadline, and then sends one report. Nothing is sent again: reports tell the encoder what to
predict from.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from t4vcodec.codec import Decoder, Encoder
from t4vcodec.eval.cache import Cache, content_key, version_of
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.ours import T4VScheme
from t4vcodec.eval.protocol import Delivery, Run, show
from t4vcodec.eval.records import Quality, Record, record_from_json
from t4vcodec.eval.run_record import Play, Target
from t4vcodec.eval.scheme import measure_version
from t4vcodec.eval.session_protocol import PATIENCE, SLACK, Condition, Traffic, session_record
from t4vcodec.media.frames import Frame
from t4vcodec.network.channels import Channel
from t4vcodec.network.link import IP_UDP_BYTES
from t4vcodec.network.stream import HEADER_BYTES

_HEAD = HEADER_BYTES - IP_UDP_BYTES
"""Bytes in front of a payload that stand for RTP's header; the frame's number travels in them."""
Reference = Callable[[int], Quality | None]
"""Total bytes -> what x264 reaches without loss at so many."""
SESSION_FILES = ("eval/session_protocol.py", "eval/session_run.py", "eval/records.py", "eval/run_record.py")


class SessionEncoder(Protocol):
    """`codec.Encoder`, as far as a session needs it."""

    def push(self, frame: Frame) -> Sequence[Any]: ...

    def report(self, data: bytes) -> None: ...


class SessionDecoder(Protocol):
    """`codec.Decoder`, as far as a session needs it."""

    @property
    def next_frame(self) -> int: ...

    def push(self, packets: Sequence[bytes]) -> list[Frame]: ...

    def close(self, until: int) -> list[Frame]: ...

    def report(self) -> Any: ...


class SessionScheme(Protocol):
    """Who sends video and listens to reports; picklable."""

    name: str
    codec: str
    preset: str

    def encoder(self, clip: Clip, kbps: float) -> SessionEncoder: ...

    def decoder(self, clip: Clip) -> SessionDecoder: ...

    def config(self) -> dict[str, Any]: ...

    def version(self) -> str: ...


@dataclass(frozen=True)
class T4VSession(T4VScheme):
    """Our codec with reports."""

    def encoder(self, clip: Clip, kbps: float) -> Encoder:
        settings = {} if self.resilience is None else {"resilience": self.resilience}
        return Encoder(self._setup(clip), kbps=kbps, feedback=True, threads=1, **settings)

    def decoder(self, clip: Clip) -> Decoder:
        return Decoder(self._setup(clip), colour=clip.frames[0].colour)


@dataclass(frozen=True)
class OurRun:
    """What came of one session."""

    pictures: tuple[Frame, ...]
    delays: tuple[float, ...]
    """Seconds from capture to picture."""
    sent: tuple[int, ...]
    """Packets by frame."""
    missing: tuple[int, ...]
    """Packets by frame that were not there when it was shown."""
    traffic: Traffic
    reports: int
    """That the encoder heard."""
    encode_seconds: float
    """Wall time, reports included."""
    decode_seconds: float


@dataclass
class _Session:
    clip: Clip
    encoder: SessionEncoder
    decoder: SessionDecoder
    condition: Condition
    pictures: list[Frame] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    heard: int = 0
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0

    def run(self, channel: Channel, seed: int) -> OurRun:
        clip = self.clip
        there, back = self.condition.routes(float(clip.fps), channel)
        self.forward = there.link(clip.name, seed)
        self.backward = back.link(f"{clip.name} feedback", seed)
        self.captures = [float(number / clip.fps) for number in range(len(clip.frames))]
        self.sent, self.here = [0] * len(clip.frames), [0] * len(clip.frames)
        self.missing: list[int] = []
        self.patience: dict[int, float] = {}
        self.now, media = 0.0, 0
        for number, frame in enumerate(clip.frames):
            self._advance(self.captures[number])
            start = time.perf_counter()
            packets = [bytes(packet) for packet in self.encoder.push(frame)]
            self.encode_seconds += time.perf_counter() - start
            self.sent[number] = len(packets)
            media += sum(map(len, packets))
            for packet in packets:
                self.forward.send(number.to_bytes(_HEAD, "big") + packet, self.now)
        self._advance(
            self.captures[-1] + self.condition.deadline + self.condition.rtt(float(clip.fps)) + 2 * PATIENCE
        )
        there, back = self.forward.counts, self.backward.counts
        traffic = Traffic(
            media, there.sent, there.lost + there.dropped, there.bytes_sent, back.sent, back.bytes_sent
        )
        if len(self.pictures) != len(clip.frames):
            raise EvalError(f"a decoder gave {len(self.pictures)} pictures for {len(clip.frames)} frames")
        return OurRun(
            tuple(self.pictures),
            tuple(shown - capture for shown, capture in zip(self.shown, self.captures)),
            tuple(self.sent),
            tuple(self.missing),
            traffic,
            self.heard,
            self.encode_seconds,
            self.decode_seconds,
        )

    def _advance(self, until: float) -> None:
        """Lets everything happen that is due until then; reports that arrive at this very moment included."""
        while (wake := self._next()) <= until + SLACK:
            self.now = max(self.now, wake)
            self._handle(self.now)
        self.now = max(self.now, until)

    def _next(self) -> float:
        awaited = self.decoder.next_frame
        over = self.captures[awaited] + self.condition.deadline if awaited < len(self.captures) else math.inf
        timers = min(self.patience.values(), default=math.inf)
        return min(self.forward.next_wakeup(), self.backward.next_wakeup(), over, timers)

    def _handle(self, now: float) -> None:
        for arrived in self.backward.poll(now):
            start = time.perf_counter()
            self.encoder.report(arrived.datagram)
            self.encode_seconds += time.perf_counter() - start
            self.heard += 1
        start = time.perf_counter()
        pictures: list[Frame] = []
        for arrived in self.forward.poll(now):
            number = int.from_bytes(arrived.datagram[:_HEAD], "big")
            if number >= self.decoder.next_frame:
                self.here[number] += 1
                self.patience[number] = now + PATIENCE
            pictures += self.decoder.push([arrived.datagram[_HEAD:]])
        pictures += self._close_due(now)
        if pictures:
            first = len(self.pictures)
            for number in range(first, first + len(pictures)):
                self.missing.append(self.sent[number] - self.here[number])
            self.pictures += pictures
            self.shown += [now] * len(pictures)
            self.patience = {n: t for n, t in self.patience.items() if n >= self.decoder.next_frame}
            self.backward.send(bytes(self.decoder.report()), now)
        self.decode_seconds += time.perf_counter() - start

    def _close_due(self, now: float) -> list[Frame]:
        """Gives up what no more comes of."""
        due = [number for number, over in self.patience.items() if over <= now + SLACK]
        for number in range(self.decoder.next_frame, len(self.captures)):
            if self.captures[number] + self.condition.deadline > now + SLACK:
                break
            due.append(number)
        last = max(due, default=-1)
        return self.decoder.close(until=last) if last >= self.decoder.next_frame else []


def run_ours(
    clip: Clip,
    encoder: SessionEncoder,
    decoder: SessionDecoder,
    condition: Condition,
    channel: Channel,
    seed: int,
) -> OurRun:
    """One session of ours. Raises `EvalError` where the deadline lets nothing arrive."""
    return _Session(clip, encoder, decoder, condition).run(channel, seed)


class _Replay:
    """Shows pictures that are there already."""

    def __init__(self, pictures: Sequence[Frame]) -> None:
        self._pictures = pictures

    def receive(self, packets: Sequence[bytes], frame: int) -> Frame:
        return self._pictures[frame]


def measure_ours(
    clip: Clip,
    scheme: SessionScheme,
    target: Target,
    condition: Condition,
    play: Play,
    reference: Reference,
) -> Record:
    """Our record of one session."""
    encoder, decoder = scheme.encoder(clip, target.kbps), scheme.decoder(clip)
    ours = run_ours(clip, encoder, decoder, condition, play.channel, play.seed)
    run = show(
        Delivery([()] * len(clip.frames), [0] * len(clip.frames), ours.sent, ours.missing),
        _Replay(ours.pictures),
        clip,
    )
    return session_record(
        clip,
        target,
        play,
        condition,
        ours.traffic,
        Run(run.score, run.delivery, run.frames_frozen, ours.decode_seconds),
        delays=ours.delays,
        late=sum(missing > 0 for missing in ours.missing),
        encode_seconds=ours.encode_seconds,
        who={"scheme": scheme.name, "codec": scheme.codec, "preset": scheme.preset},
        config={**scheme.config(), "transport": "reports", "reports_heard": ours.reports},
        reference=reference(ours.traffic.total),
    )


def our_record(
    clip: Clip,
    scheme: SessionScheme,
    target: Target,
    condition: Condition,
    play: Play,
    cache: Cache,
    reference: Reference,
) -> tuple[Record, bool]:
    """The same, from the cache where it is known; whether it was computed."""
    key = content_key(
        session=asdict(condition),
        clip=clip.sha256,
        name=clip.name,
        scheme=scheme.name,
        config=scheme.config(),
        version=scheme.version(),
        target=vars(target),
        channel=play.channel.identity,
        spelling=play.channel.name,
        seed=play.seed,
        measure=measure_version(),
        code=version_of("baselines", *SESSION_FILES),
    )
    known = cache.get(key)
    if known is not None:
        return record_from_json(known, "cache"), False
    record = measure_ours(clip, scheme, target, condition, play, reference)
    cache.put(key, asdict(record))
    return record, True
