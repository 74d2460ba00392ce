"""Pictures from a sender, in real time, over UDP: `receiver` and `output` with a socket and a clock."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from t4vcodec.live.background import Background
from t4vcodec.live.output import FileOutput, WindowOutput, open_output
from t4vcodec.live.receiver import Picture, Receiver, Work
from t4vcodec.live.status import StatusLine, milliseconds, receiver_text, share
from t4vcodec.live.stopping import stop_on_signals
from t4vcodec.live.warming import warm
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.live.rtp import MAX_DATAGRAM
from t4vcodec.network.live.udp import Address, LiveError, Port, datagram_socket, parse_url

IDLE = 0.1  # seconds between looks at what is due where nothing else wakes us
WINDOW_IDLE = 0.02
MOST_WAITING = 8192  # datagrams, more than a socket's buffer holds


@dataclass(frozen=True)
class ReceiveOptions:
    """loss: a channel by which media are lost besides, None for none; seed: which run of it. model: a model
    file. log: a CSV file with a line for each picture. seconds: time after which we stop, None for never."""

    loss: str | None = None
    seed: int = 0
    model: str | None = None
    log: str | None = None
    seconds: float | None = None


def receive(url: str, target: str, options: ReceiveOptions, status: TextIO = sys.stderr) -> str:
    """Receive until the sender or the user ends it; returns what came, in words. Raises T4VError."""
    channel = None if options.loss is None else parse_channel(options.loss)
    session = None if channel is None else channel.session("live", options.seed)
    opened = datagram_socket(local=parse_url(url, listening=True))
    try:
        output = open_output(target)
        survives = None if session is None else lambda time: not session.lost(time)
        receiver = Receiver(model=options.model, survives=survives)
        log = None if options.log is None else PictureLog(Path(options.log))
        try:
            warm(options.model, encode=False)
            _discard_waiting(opened)
            said = asyncio.run(_Receiving(receiver, output, log, url, status, options.seconds).run(opened))
            output.close()
        except BaseException:
            output.discard()
            if log is not None:
                log.discard()
            raise
        if log is not None:
            log.close()
        return said
    finally:
        opened.close()


def _discard_waiting(opened: socket.socket) -> None:
    """What came while the program was loading is old: to enter a session by it would only delay pictures."""
    with suppress(BlockingIOError):
        for _ in range(MOST_WAITING):
            opened.recv(MAX_DATAGRAM)


class PictureLog:
    """A CSV file: of each picture its time in the output, its stamp on the sender's clock (modulo 2^32 /
    90,000 s), when it was due and shown on the receiver's, the estimated seconds from capture. Has its name
    when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
        try:
            self._file = open(self._part, "x", encoding="utf-8")  # noqa: SIM115 (kept until close)
        except OSError as error:
            raise LiveError(f"{path}: cannot be written: {error.strerror}: choose another place") from None
        self._file.write("time,stamp,due,shown,delay\n")

    def note(self, picture: Picture, shown: float, delay: float | None) -> None:
        estimate = "" if delay is None else f"{delay:.4f}"
        self._file.write(
            f"{picture.frame.time:.4f},{picture.stamp:.4f},{picture.due:.4f},{shown:.4f},{estimate}\n"
        )

    def close(self) -> None:
        self._file.close()
        os.replace(self._part, self._path)

    def discard(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


class _Receiving:
    def __init__(
        self,
        receiver: Receiver,
        output: FileOutput | WindowOutput,
        log: PictureLog | None,
        url: str,
        status: TextIO,
        seconds: float | None,
    ) -> None:
        self._receiver = receiver
        self._output = output
        self._log = log
        self._url = url
        self._status = status
        self._seconds = seconds
        self._idle = WINDOW_IDLE if isinstance(output, WindowOutput) else IDLE
        self._failure: BaseException | None = None
        self._told: str | None = None

    async def run(self, opened: socket.socket) -> str:
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._port = await Port.open(opened, self._received)
        self._line = StatusLine(self._status, self._clock())
        self._worker = Background("decode")
        begun = self._clock()
        try:
            with stop_on_signals(self._stop):
                while not self._done(begun):
                    self._step()
                    await self._rest()
        finally:
            self._line.end()
            self._port.close()
            self._worker.end(wait=True)
        if self._receiver.facts.frames == 0:
            problem = self._receiver.problem or "nothing was received: start the sender, or check its address"
            raise LiveError(f"{self._url}: {problem}")
        return self._summary()

    def _done(self, begun: float) -> bool:
        now = self._clock()
        late = self._seconds is not None and now - begun >= self._seconds
        return self._stop.is_set() or self._output.closed or late or self._receiver.over(now)

    def _step(self) -> None:
        """All that is due."""
        if self._failure is not None:
            raise self._failure
        now = self._clock()
        receiver = self._receiver
        for picture in receiver.show(now):
            self._output.show(picture.frame, receiver.description.setup.fps)
            if self._log is not None:
                self._log.note(picture, now, receiver.facts.delay)
        self._output.poll()
        work = receiver.take(now)
        if work is not None:
            self._worker.run(work.decode).add_done_callback(self._decoded)
        for data, address in receiver.outgoing(now):
            self._port.send(data, address)
        self._tell(now)

    async def _rest(self) -> None:
        wait = min(max(self._receiver.next_time() - self._clock(), 0.0), self._idle)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), wait)
        self._wake.clear()

    def _decoded(self, future: asyncio.Future[Work]) -> None:
        self._wake.set()
        if future.cancelled():
            return
        self._failure = future.exception()
        if self._failure is None:
            self._receiver.finish(future.result(), self._clock())

    def _received(self, data: bytes, address: Address) -> None:
        self._receiver.receive(data, address, self._clock())
        self._wake.set()

    def _tell(self, now: float) -> None:
        problem = self._receiver.problem
        if problem is not None and problem != self._told:
            self._status.write(f"t4vcodec: {problem}\n")
        self._told = problem
        if self._line.due(now):
            facts = self._receiver.facts
            text = receiver_text(facts, self._receiver.silent(now), self._receiver.playout.spread[1])
            self._line.show(now, text, facts.frames, facts.bytes)

    def _summary(self) -> str:
        facts = self._receiver.facts
        losses = facts.losses
        lost = share(losses.expected - losses.received, losses.expected)
        unwritten = f", {self._output.left_out} not written in time" if self._output.left_out else ""
        return (
            f"{self._url}: {facts.frames} pictures{unwritten}, {lost} of packets lost, delay of the last "
            f"{milliseconds(facts.delay)}"
        )
