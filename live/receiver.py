"""The receiving side as a protocol object: no clock, no socket; times go in, pictures and datagrams come out.

A session is entered by its description (`session.Description`); media that comes before it waits in a small
queue. A frame is decoded when it is whole or no more of it comes, and shown when nearly all would be decoded
(`network.live.jitter_buffer`). A receiver that joins late, or was away too long, refuses the session; then the
sender begins a fresh one. Another sender is followed only when the present one is silent.

`take` and `finish` surround `Work.decode`, which may run in another thread, one at a time.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from t4vcodec.codec import Decoder, Packet, PacketError
from t4vcodec.codec.decoder import HISTORY
from t4vcodec.codec.models import model_names
from t4vcodec.live.session import (
    BYE,
    DESCRIPTION,
    Bye,
    Description,
    Hello,
    ReportMessage,
    model_label,
)
from t4vcodec.media.frames import Frame
from t4vcodec.network.live.jitter_buffer import JUMP, FrameBuffer, Playout, ReadyFrame
from t4vcodec.network.live.rtp import (
    CLOCK,
    ControlPacket,
    LossCounter,
    RtpError,
    RtpPacket,
    is_control,
    ticks,
    unwrap,
)
from t4vcodec.network.live.udp import Address

HELLO_EVERY = 0.1  # seconds
SILENT = 0.5  # seconds without a packet after which another sender is followed; at slow rates three frames
EARLY = 256  # packets that wait for their session's description
ENTRY = HISTORY  # frame number from which on it is too late to enter a session
AWAY = 256  # frames missed in a row after which a session is refused
WAITING = 32  # pictures that wait to be shown
PACE, SLOWEST = 1 / 8, 2.0  # weight of the newest in the mean interval, and the longest that counts, seconds
CLOCKS = 16  # descriptions that the sender's clock is learnt from
OVERHEAD = 40  # bytes of IP, UDP and RTP
LINGER = 1.0  # seconds after the sender's bye


@dataclass
class ReceiverFacts:
    """Totals. frames: pictures shown. bytes: of media received, with headers of IP, UDP and RTP. dropped:
    packets lost for demonstration. foreign: datagrams of nobody we know. damaged: packets that did not
    decode. early: pictures shown before their time because too many waited. delay: seconds from capture to
    showing of the last picture, None while the sender's clock is not known. rtt: as the sender says."""

    frames: int = 0
    bytes: int = 0
    dropped: int = 0
    foreign: int = 0
    damaged: int = 0
    early: int = 0
    sessions: int = 0
    delay: float | None = None
    rtt: float | None = None
    losses: LossCounter = field(default_factory=LossCounter)


@dataclass(frozen=True, eq=False)
class Picture:
    """frame: its time counts from the first picture of the whole stay, in seconds. due: when to show it."""

    frame: Frame
    stamp: float
    due: float


@dataclass(eq=False)
class _Live:
    """The session that we are in. near: time stamp that the next one is near to. refused: whether we gave it
    up."""

    description: Description
    address: Address
    decoder: Decoder
    near: int
    last_stamp: float | None = None
    refused: bool = False


@dataclass(eq=False)
class Work:
    """A frame to decode, and what came of it. waited: seconds since it could have been decoded."""

    live: _Live
    ready: ReadyFrame
    waited: float
    frames: list[Frame] = field(default_factory=list)
    report: bytes | None = None
    damaged: int = 0

    def decode(self) -> Work:
        """The heavy part: decodes. Touches nothing but the session's decoder and this object."""
        decoder = self.live.decoder
        for parts in (self.ready.late, self.ready.parts):
            try:
                self.frames += decoder.push(parts)
            except PacketError:
                self.damaged += 1
        self.frames += decoder.close(until=self.ready.number)
        report = decoder.report()
        self.report = None if report is None else bytes(report)
        return self


class Receiver:
    """See the module's head. model: a model file of the sender's model's name, for models that do not come
    with the package. survives: asked for each media packet with the time in seconds, whether it is kept.
    draw: where the own SSRC comes from; give a seeded one to tests only."""

    def __init__(
        self,
        *,
        model: str | None = None,
        survives: Callable[[float], bool] | None = None,
        draw: random.Random | None = None,
    ) -> None:
        self.facts = ReceiverFacts()
        self.buffer = FrameBuffer()
        self.playout = Playout()
        self.problem: str | None = None
        """Why a sender can not be received, in one line; None if nothing is wrong."""
        self._model = model
        self._survives = survives
        self._ssrc = (draw or random.SystemRandom()).randrange(1, 1 << 32)
        self._live: _Live | None = None
        self._early: deque[tuple[RtpPacket, Address, float]] = deque(maxlen=EARLY)
        self._out: deque[tuple[bytes, Address]] = deque(maxlen=64)
        self._waiting: deque[Picture] = deque()
        self._ask: Address | None = None
        self._next_hello = -math.inf
        self._last_heard = -math.inf
        self._busy = False
        self._over: float | None = None
        self._origin: float | None = None  # stamp of output time 0
        self._shown = (0.0, 0.0)  # output time of the last picture, and when it was shown
        self._interval = 0.0  # seconds between pictures, smoothed
        self._time = 0.0  # output time of the last picture decoded
        self._size: tuple[int, int] | None = None  # of the pictures decoded
        self._clocks: deque[float] = deque(maxlen=CLOCKS)
        self._clock = (0, 0.0)  # of the last description, and when it came

    @property
    def description(self) -> Description | None:
        """Of the session that we are in."""
        return None if self._live is None else self._live.description

    def silent(self, now: float) -> bool:
        """Whether nothing came from the sender lately."""
        return now - self._last_heard > max(SILENT, 3 * self._interval)

    def over(self, now: float) -> bool:
        """Whether the sender has said bye and all that came is shown."""
        if self._over is None:
            return False
        empty = not len(self.buffer) and not self._waiting and not self._busy
        return empty or now - self._over > LINGER

    def receive(self, data: bytes, address: Address, now: float) -> None:
        """Take a datagram. Whatever is not for us is counted and passed over."""
        try:
            if not is_control(data):
                self._take_media(RtpPacket.parse(data), address, now)
                return
            packet = ControlPacket.parse(data)
            if packet.kind == DESCRIPTION:
                self._take_description(Description.parse(packet), address, now)
            elif packet.kind == BYE:
                bye = Bye.parse(packet)
                if self._live is None or bye.token != self._live.description.token:
                    raise RtpError("a bye of somebody else")
                self._over = now if self._over is None else self._over
            else:
                raise RtpError("a message for senders")
        except RtpError:
            self.facts.foreign += 1
        except PacketError:
            self.facts.damaged += 1

    def _take_media(self, packet: RtpPacket, address: Address, now: float, replayed: bool = False) -> None:
        live = self._live
        if not replayed and self._survives is not None and not self._survives(now):
            self.facts.dropped += 1
            return
        if live is None or packet.ssrc != live.description.ssrc:
            if live is not None and address != live.address and not self.silent(now):
                raise RtpError("media from elsewhere")
            self._early.append((packet, address, now))
            self._ask = address
            return
        coded = Packet.parse(packet.payload, live.description.setup)
        self._last_heard = now
        if live.refused:
            return
        self.facts.losses.note(packet.sequence)
        self.facts.bytes += len(packet.payload) + OVERHEAD
        number = unwrap(coded.frame, 16, self.buffer.next)
        untouched = self.buffer.next == 0 and not len(self.buffer)
        if (untouched and not 0 <= number <= ENTRY) or number - self.buffer.next > AWAY:
            live.refused = True
            self._next_hello = -math.inf
            return
        live.near = unwrap(packet.timestamp, 32, live.near)
        self.buffer.put(number, coded.index, coded.header.count, live.near / CLOCK, packet.payload, now)

    def _take_description(self, new: Description, address: Address, now: float) -> None:
        old = None if self._live is None else self._live.description
        same_sender = old is not None and old.token == new.token
        if old is not None and not same_sender and not self.silent(now):
            raise RtpError("a description from elsewhere")
        if same_sender and new.generation < old.generation:
            return
        if not same_sender:
            self._clocks.clear()
        fresh = not same_sender or new.generation > old.generation
        if fresh and not self._enter(new, address, now, same_sender):
            return
        live = self._live
        live.address = address
        live.description = new
        self._last_heard = now
        near = live.near if self._clocks else new.clock
        offset = now - unwrap(new.clock, 32, near) / CLOCK
        if self._clocks and abs(offset - self._clocks[-1]) > JUMP:
            self._clocks.clear()
        self._clocks.append(offset)
        self._clock = (new.clock, now)
        self.facts.rtt = None if new.rtt is None else new.rtt / 1000

    def _enter(self, new: Description, address: Address, now: float, same_sender: bool) -> bool:
        setup = new.setup
        size = (setup.width, setup.height)
        if self._size not in (None, size):
            self.problem = (
                f"a new sender has {size[0]}x{size[1]} instead of {self._size[0]}x{self._size[1]}: "
                "start this receiver again for it"
            )
            return False
        if self._model is not None and model_label(self._model) == setup.model:
            setup = replace(setup, model=self._model)
        elif setup.model not in model_names():
            self.problem = f"the sender's model {setup.model} is not here: give its file with --model"
            return False
        self.problem = None
        self._live = _Live(new, address, Decoder(setup, colour=new.colour), new.clock)
        self.facts.sessions += 1
        self.facts.losses.restart()
        self.buffer.restart()
        if not same_sender:
            self.playout.restart()
            self._over = None
            self._origin = None
        self._next_hello = -math.inf
        self._ask = None
        early, self._early = self._early, deque(maxlen=EARLY)
        for packet, source, came in early:
            if packet.ssrc == new.ssrc and source == address:
                self._take_media(packet, source, came, replayed=True)
        return True

    def outgoing(self, now: float) -> list[tuple[bytes, Address]]:
        """Datagrams that are due, with where they go."""
        if now >= self._next_hello:
            hello = self._hello()
            if hello is not None:
                self._out.appendleft(hello)  # who is not known yet is not believed
                self._next_hello = now + HELLO_EVERY
        out = list(self._out)
        self._out.clear()
        return out

    def _hello(self) -> tuple[bytes, Address] | None:
        if self._ask is not None:
            address, self._ask = self._ask, None
            return bytes(Hello(self._ssrc).packet()), address
        live = self._live
        if live is None or (live.description.receiver == self._ssrc and not live.refused):
            return None
        refused = live.description.ssrc if live.refused else 0
        return bytes(Hello(self._ssrc, live.description.token, refused).packet()), live.address

    def next_time(self) -> float:
        """When there is something to do if nothing comes before; infinity if there is not."""
        times = [math.inf if self._busy else self.buffer.next_deadline()]
        if self._waiting:
            times.append(self._waiting[0].due)
        live = self._live
        unheard = live is not None and (live.description.receiver != self._ssrc or live.refused)
        if unheard or self._ask is not None:
            times.append(self._next_hello)
        if self._over is not None:
            times.append(self._over + LINGER)
        return min(times)

    def take(self, now: float) -> Work | None:
        """The next frame to decode, if it is time and no other is being decoded."""
        if self._busy or self._live is None:
            return None
        ready = self.buffer.take(now)
        if ready is None:
            return None
        self._busy = True
        return Work(self._live, ready, max(now - ready.since, 0.0))

    def finish(self, work: Work, now: float) -> None:
        """Take back work that is decoded."""
        self._busy = False
        self.facts.damaged += work.damaged
        live, ready = work.live, work.ready
        if live is not self._live:
            return
        if work.report is not None:
            clock, came = self._clock
            lag = round(1000 * work.waited)
            message = ReportMessage(
                self._ssrc, live.description.ssrc, clock, ticks(max(now - came, 0.0)), lag, work.report
            )
            self._out.append((bytes(message.packet()), live.address))
        self.playout.note(ready.stamp, now)
        due = self.playout.due(ready.stamp, now)
        count = len(work.frames)
        step = 1 / float(live.description.setup.fps)
        if live.last_stamp is not None and 0 < ready.stamp - live.last_stamp < JUMP:
            step = (ready.stamp - live.last_stamp) / max(count, 1)
        origin = self._place(ready.stamp, now, step)
        for back, frame in zip(range(count - 1, -1, -1), work.frames):
            stamp = ready.stamp - back * step
            self._time = max(stamp - origin, self._time)
            frame = replace(frame, time=self._time)
            self._waiting.append(Picture(frame, stamp, due - back * step))
            self._size = (frame.width, frame.height)
        live.last_stamp = ready.stamp
        self._interval += PACE * (min(step, SLOWEST) - self._interval)

    def _place(self, stamp: float, now: float, step: float) -> float:
        """Stamp of output time 0. Another sender, or a clock that was set, goes on after the last picture."""
        time, shown = self._shown
        passed = time + now - shown if self.facts.frames else 0.0
        if self._origin is None:
            self._origin = stamp - passed
        elif abs(stamp - self._origin - passed) > JUMP:
            self._origin = stamp - self._time - step
        return self._origin

    def show(self, now: float) -> list[Picture]:
        """Pictures whose time has come, in order."""
        shown = []
        while self._waiting and (self._waiting[0].due <= now or len(self._waiting) > WAITING):
            picture = self._waiting.popleft()
            self.facts.early += picture.due > now
            self.facts.frames += 1
            self._shown = (picture.frame.time, now)
            self.facts.delay = self._delay(picture.stamp, now)
            shown.append(picture)
        return shown

    def _delay(self, stamp: float, now: float) -> float | None:
        """Seconds since `stamp` on the sender's clock, which is half a round trip before its fastest
        message."""
        if not self._clocks or self.facts.rtt is None:
            return None
        return now - (stamp + min(self._clocks) - self.facts.rtt / 2)
