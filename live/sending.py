"""A video to a receiver, in real time, over UDP: `sender` and `pacing` with a socket and a clock."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from typing import TextIO

from t4vcodec.codec import Setup
from t4vcodec.live.background import Background
from t4vcodec.live.pacing import Pacer
from t4vcodec.live.sender import Sender
from t4vcodec.live.status import StatusLine, sender_text, share
from t4vcodec.live.stopping import stop_on_signals
from t4vcodec.live.warming import warm
from t4vcodec.media import Video, open_video
from t4vcodec.media.errors import MediaError
from t4vcodec.media.frames import Frame
from t4vcodec.network.live.udp import Address, LiveError, Port, datagram_socket, parse_url, unreachable

TICK = 0.02  # seconds between looks at what is due
BYES = 5  # the end is said so often, each may be lost
BEHIND = 0.3  # seconds of a receiver that decodes too slowly, from which on every second picture is left out


@dataclass(frozen=True)
class SendOptions:
    """kbps: of everything sent. fps: pictures a second at most, None for the source's own. frames: pictures
    at most. loop: whether a file starts again at its end. resilience, model: as of `Encoder` and `Setup`."""

    kbps: float
    fps: float | None = None
    frames: int | None = None
    loop: bool = False
    resilience: float | None = None
    model: str | None = None


@dataclass(frozen=True)
class Sent:
    """What was done, in words, and whether the source still has not answered when the user stopped us."""

    summary: str
    source_hangs: bool


def send(source: str, url: str, options: SendOptions, status: TextIO = sys.stderr) -> Sent:
    """Send until the source ends or the user stops it. Raises T4VError."""
    opened = datagram_socket(remote=parse_url(url))
    try:
        video = open_video(source)
        if options.loop and video.info.frames is None:
            raise MediaError(f"{source}: is read once and can not start again: leave --loop out")
        sent = asyncio.run(_Sending(video, options, url, status).run(opened))
        if not sent.source_hangs:  # closing would wait for it
            video.close()
        return sent
    finally:
        opened.close()


def pictures(video: Video, again: bool) -> Iterator[Frame]:
    """The pictures of a source; again: endlessly, their times going on."""
    if not again:
        yield from video
        return
    period = float(1 / video.info.fps)
    start = last = 0.0
    while True:
        for frame in video:
            last = start + frame.time
            yield replace(frame, time=last)
        start = last + period


class _Sending:
    def __init__(self, video: Video, options: SendOptions, url: str, status: TextIO) -> None:
        info = video.info
        fps = min(info.fps, Fraction(options.fps).limit_denominator(1000)) if options.fps else info.fps
        model = {} if options.model is None else {"model": options.model}
        self._setup = Setup(info.width, info.height, fps, **model)
        self._sender = Sender(
            self._setup, kbps=options.kbps, colour=info.colour, resilience=options.resilience
        )
        self._pacer = Pacer(float(1 / info.fps), float(1 / fps))
        self._video = video
        self._options = options
        self._url = url
        self._status = status
        self._failure: LiveError | None = None
        self._stop = asyncio.Event()

    async def run(self, opened: socket.socket) -> Sent:
        loop = asyncio.get_running_loop()
        warm(self._setup.model, encode=True)
        self._clock = loop.time
        self._begun = self._clock()
        self._port = await Port.open(opened, self._received, self._failed)
        line = StatusLine(self._status, self._begun)
        control = asyncio.create_task(self._control(line))
        worker, reader = Background("encode"), Background("read")
        reading = None
        try:
            with stop_on_signals(self._stop):
                reading = await self._send_all(worker, reader)
                await self._say_goodbye()
        finally:
            control.cancel()
            line.end()
            self._port.close()
            worker.end(wait=True)
            reader.end(wait=False)
        if self._failure is not None:
            raise self._failure
        return Sent(self._summary(self._clock() - self._begun), reading is not None)

    async def _send_all(self, worker: Background, reader: Background) -> asyncio.Future | None:
        """Until the source ends or the user stops us; returns what the source still owes then."""
        frames = islice(pictures(self._video, self._options.loop), self._options.frames)
        sender, pacer = self._sender, self._pacer
        stopped = asyncio.create_task(self._stop.wait())
        spared = False
        while True:
            asked = self._clock()
            reading = reader.run(next, frames, None)
            await asyncio.wait((reading, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                return reading
            frame = reading.result()
            if frame is None:
                return None
            due = pacer.place(frame.time, asked, self._clock())
            if due is None:
                continue
            spared = sender.facts.lag > BEHIND and not spared
            if spared:
                pacer.skipped += 1
                continue
            await asyncio.wait((stopped,), timeout=max(due - self._clock(), 0.0))
            if stopped.done():
                return None
            work = sender.take(frame, due, self._clock())
            for data in sender.finish(await worker.run(work.encode)):
                self._port.send(data)
            self._send_control()

    async def _control(self, line: StatusLine) -> None:
        while True:
            now = self._clock()
            self._send_control()
            if line.due(now):
                facts = self._sender.facts
                text = sender_text(facts, self._sender.heard(now), self._pacer.skipped)
                line.show(now, text, facts.frames, facts.bytes)
            await asyncio.sleep(TICK)

    def _send_control(self) -> None:
        for data in self._sender.control(self._clock()):
            self._port.send(data)

    async def _say_goodbye(self) -> None:
        for _ in range(BYES):
            self._port.send(self._sender.bye())
            await asyncio.sleep(2 * TICK)

    def _received(self, data: bytes, address: Address) -> None:
        self._sender.receive(data, address, self._clock())

    def _failed(self, error: OSError) -> None:
        """Nobody there yet, or no more, is no failure; no way there at all is, unless there was one."""
        if self._sender.facts.told == 0 and unreachable(error):
            self._failure = LiveError(f"{self._url} can not be reached: {error.strerror}; check the address")
            self._stop.set()

    def _summary(self, seconds: float) -> str:
        facts = self._sender.facts
        kbps = facts.bytes * 8 / 1000 / max(seconds, 1e-6)
        told = share(facts.lost, facts.told)
        return (
            f"{self._url}: {facts.frames} frames in {seconds:.1f} s, {self._pacer.skipped} left out, "
            f"{kbps:.1f} kbit/s, {told} of reported packets lost"
        )
