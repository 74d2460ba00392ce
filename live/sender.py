"""The sending side as a protocol object: no clock, no socket; times go in, datagrams come out.

`take` and `finish` surround `Work.encode`, which may run in another thread, one at a time. A session has one
encoder and one SSRC; a fresh one starts with a key frame numbered 0. It begins when a receiver says that it
can not enter the running one, and every `REFRESH` seconds while nobody reports at all.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from t4vcodec.codec import Encoder, Packet, Setup
from t4vcodec.codec.reports import Report, ReportError
from t4vcodec.live.session import HELLO, REPORT, Bye, Description, Hello, ReportMessage
from t4vcodec.media.frames import Colour, Frame
from t4vcodec.network.live.rtp import CLOCK, ControlPacket, RtpError, RtpPacket, is_control, ticks, unwrap
from t4vcodec.network.live.udp import Address

SEEKING, KNOWN = 0.2, 1.0  # seconds between descriptions before and after a receiver is heard
ASKED = 0.05  # seconds between descriptions on request at least
REFRESH = 10.0  # seconds without reports after which the session starts anew
RESTART = 0.5  # seconds between fresh sessions at least
QUIET = 3.0  # seconds without reports after which nobody is thought to listen
HANDED = 64  # frames that no report told of
PACE = 1 / 8  # weight of the newest frame in the mean interval
OVERHEAD = 40  # bytes of IP, UDP and RTP


@dataclass
class SenderFacts:
    """Totals. frames: encoded. bytes: of media with headers of IP, UDP and RTP. told, lost: packets of reported
    frames, and those of them that were lost. foreign: datagrams that were not for this session. sessions:
    begun. rtt: seconds, smoothed, None before the first report. lag: seconds that the receiver is behind."""

    frames: int = 0
    bytes: int = 0
    packets: int = 0
    told: int = 0
    lost: int = 0
    foreign: int = 0
    sessions: int = 0
    rtt: float | None = None
    lag: float = 0.0


@dataclass(eq=False)
class Work:
    """A frame to encode, and what came of it. stamp: seconds on the media clock."""

    ssrc: int
    stamp: float
    frame: Frame
    encoder: Encoder
    kbps: float
    report: Report | None
    packets: list[Packet] = field(default_factory=list)

    def encode(self) -> Work:
        """The heavy part. Touches nothing but the session's encoder and this object. Raises EncoderError."""
        self.encoder.kbps = self.kbps
        if self.report is not None:
            self.encoder.report(self.report)
        self.packets = self.encoder.push(self.frame)
        return self


class Sender:
    """See the module's head. kbps: of everything sent, at whatever frame rate is reached. draw: where SSRC,
    token and first sequence number come from; give a seeded one to tests only. Raises EncoderError."""

    def __init__(
        self,
        setup: Setup,
        *,
        kbps: float,
        colour: Colour | None = None,
        resilience: float | None = None,
        threads: int = 2,
        draw: random.Random | None = None,
    ) -> None:
        self.setup = setup
        self.kbps = kbps
        self.facts = SenderFacts()
        self._colour = colour or Colour()
        self._options = {"threads": threads} | ({} if resilience is None else {"resilience": resilience})
        self._draw = draw or random.SystemRandom()
        self._token = self._draw.randrange(1, 1 << 64)
        self._ssrc = 0
        self._sequence = 0
        self._interval = 1 / float(setup.fps)
        self._last_stamp: float | None = None
        self._report: Report | None = None
        self._counts: dict[int, int] = {}  # packets of frames that no report told of, by number
        self._receiver: int | None = None
        self._address: Address | None = None
        self._heard: float | None = None
        self._now = -float("inf")
        self._next_description = -float("inf")
        self._last_description = -float("inf")
        self._fresh = True
        self._begun = -float("inf")
        self._encoder = Encoder(setup, kbps=kbps, feedback=True, **self._options)

    def _new_encoder(self) -> Encoder:
        return Encoder(self.setup, kbps=self._frame_kbps, feedback=True, **self._options)

    @property
    def _frame_kbps(self) -> float:
        """The rate to ask of an encoder that thinks it gets `setup.fps` frames a second."""
        return min(max(self.kbps * self._interval * float(self.setup.fps), 1.0), 1e6)

    def heard(self, now: float) -> bool:
        """Whether a receiver reports."""
        return self._heard is not None and now - self._heard < max(QUIET, 6 * self._interval)

    def _see(self, now: float) -> None:
        """A clock that was set back starts all waiting anew."""
        if now < self._now:
            self._next_description = self._last_description = -float("inf")
            self._begun = min(self._begun, now)
            self._heard = None if self._heard is None else min(self._heard, now)
        self._now = now

    def take(self, frame: Frame, stamp: float, now: float) -> Work:
        """A frame captured at `stamp`, to be encoded. Both in seconds on the media clock."""
        self._see(now)
        if self._last_stamp is not None:
            step = min(max(stamp - self._last_stamp, 1e-3), 10.0)
            self._interval += PACE * (step - self._interval)
        self._last_stamp = stamp
        last_sign = self._begun if self._heard is None else max(self._heard, self._begun)
        if self._fresh or now - last_sign > max(REFRESH, 6 * self._interval):
            self._begin(now)
        # The newest report repeats what those before it told, and each costs decoding again what followed.
        report, self._report = self._report, None
        return Work(self._ssrc, stamp, frame, self._encoder, self._frame_kbps, report)

    def finish(self, work: Work) -> list[bytes]:
        """The datagrams of a frame that was encoded."""
        packets = work.packets
        self.facts.frames += 1
        self.facts.packets += len(packets)
        self.facts.bytes += sum(len(p) + OVERHEAD for p in packets)
        self._counts[packets[0].frame] = len(packets)
        if len(self._counts) > HANDED:
            self._counts.pop(next(iter(self._counts)))
        datagrams = []
        for packet in packets:
            last = packet is packets[-1]
            rtp = RtpPacket(self._sequence, ticks(work.stamp), work.ssrc, last, bytes(packet))
            datagrams.append(bytes(rtp))
            self._sequence = (self._sequence + 1) & 0xFFFF
        return datagrams

    def _begin(self, now: float) -> None:
        if self.facts.sessions:
            self._encoder = self._new_encoder()
        self.facts.sessions += 1
        self._report = None
        self._counts.clear()
        self._ssrc = self._draw.randrange(1, 1 << 32)
        self._sequence = self._draw.randrange(1 << 16)
        self._begun = now
        self._fresh = False
        self._next_description = -float("inf")

    def control(self, now: float) -> list[bytes]:
        """Control datagrams that are due."""
        self._see(now)
        if now < self._next_description or not self._ssrc:
            return []
        self._last_description = now
        self._next_description = now + (KNOWN if self.heard(now) else SEEKING)
        rtt = None if self.facts.rtt is None else round(1000 * self.facts.rtt)
        description = Description(
            self._ssrc,
            self._token,
            self.facts.sessions,
            self._receiver or 0,
            ticks(now),
            rtt,
            self.setup,
            round(self.kbps),
            self._colour,
        )
        return [bytes(description.packet())]

    def bye(self) -> bytes:
        """The datagram that says that the session is over."""
        return bytes(Bye(self._ssrc, self._token).packet())

    def receive(self, data: bytes, address: Address, now: float) -> None:
        """Take a datagram. Whatever is not for this session is counted and passed over."""
        self._see(now)
        try:
            if not is_control(data):
                raise RtpError("media for a sender")
            packet = ControlPacket.parse(data)
            if packet.kind == HELLO:
                self._take_hello(Hello.parse(packet), address, now)
            elif packet.kind == REPORT:
                self._take_report(ReportMessage.parse(packet), address, now)
            else:
                raise RtpError("a message for receivers")
        except (RtpError, ReportError):
            self.facts.foreign += 1

    def _take_hello(self, hello: Hello, address: Address, now: float) -> None:
        if hello.token not in (0, self._token):
            raise RtpError("a hello to somebody else")
        # Only who was sent the token is a receiver; others may ask for it where it goes anyway.
        self._next_description = min(self._next_description, self._last_description + ASKED)
        if hello.token == 0:
            return
        self._receiver, self._address = hello.receiver, address
        if hello.refused == self._ssrc and now - self._begun >= RESTART:
            self._fresh = True

    def _take_report(self, message: ReportMessage, address: Address, now: float) -> None:
        if message.receiver != self._receiver or address != self._address:
            raise RtpError("a report from elsewhere")
        if message.session != self._ssrc:
            return  # of the session before
        report = Report.parse(message.report, self.setup)
        self._heard = now
        if self._report is None or (report.number - self._report.number) & 0xFFFF < 0x8000:
            self._report = report
        self.facts.lag = message.lag / 1000
        clock = unwrap(message.clock, 32, round(now * CLOCK))
        rtt = now - (clock + message.held) / CLOCK
        if 0 <= rtt < 10:
            old = self.facts.rtt
            self.facts.rtt = rtt if old is None else old + (rtt - old) / 8
        for back, arrived in enumerate(report.arrived):
            # Packets of the two latest frames may still be on their way: left to the next report.
            count = self._counts.pop((report.number - back) & 0xFFFF, 0) if back >= 2 else 0
            self.facts.told += count
            self.facts.lost += count - min(sum(arrived), count)
