"""A sender and a receiver in virtual time: who is there, what is lost and what clocks say can change."""

import heapq
import random
from fractions import Fraction
from itertools import count

import numpy as np
from t4vcodec.codec import Setup
from t4vcodec.live.receiver import Receiver
from t4vcodec.live.sender import Sender
from t4vcodec.media import Colour, Frame

WIDTH, HEIGHT, FPS = 32, 32, 10
STEP = 0.005
HERE, THERE = ("192.0.2.1", 5004), ("192.0.2.2", 40000)


def picture_at(number: int, width: int = WIDTH, height: int = HEIGHT) -> Frame:
    """A pattern that moves a sample a frame, so that a picture of another moment is told from it."""
    x = np.arange(width)[None, :] + number
    y = np.arange(height)[:, None]
    luma = (128 + 60 * np.sin(x / 5) + 30 * np.cos(y / 4)).astype(np.uint8)
    chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    return Frame(luma, chroma, chroma, number / FPS, Colour())


class World:
    """delay: seconds each way. loss, back_loss: share of datagrams lost each way, may be changed at any time.

    sender_clock: from true time to the sender's, another for the receiver. `shown` holds (true time, number of the
    frame taken, error of the picture against it).
    """

    def __init__(self, delay: float = 0.05, loss: float = 0.0, back_loss: float = 0.0, seed: int = 0) -> None:
        self.now = 0.0
        self.delay, self.loss, self.back_loss = delay, loss, back_loss
        self.sender_clock = self.receiver_clock = lambda now: now
        self.sender: Sender | None = None
        self.receiver: Receiver | None = None
        self.shown: list[tuple[float, int, float]] = []
        self.times: list[float] = []
        self.delays: list[float] = []  # from capture to showing, where the sender's clock tells true time
        self.to_receiver: list[
            tuple[float, bytes]
        ] = []  # all datagrams that reached the place of the receiver
        self._random = random.Random(seed)
        self._seeds = count(seed)
        self._ways: list = []
        self._order = count()
        self._frame = 0
        self._address = THERE

    def start_sender(self, fps: int = FPS, width: int = WIDTH, height: int = HEIGHT, **options) -> Sender:
        setup = Setup(width, height, Fraction(fps), **options)
        self.sender = Sender(setup, kbps=150, threads=1, draw=random.Random(next(self._seeds)))
        self._address = (THERE[0], self._address[1] + 1)
        return self.sender

    def start_receiver(self, **options) -> Receiver:
        self.receiver = Receiver(draw=random.Random(1000 + next(self._seeds)), **options)
        return self.receiver

    def carry(self, to_receiver: bool, data: bytes, source) -> None:
        """Put a datagram on its way."""
        if self._random.random() >= (self.loss if to_receiver else self.back_loss):
            heapq.heappush(self._ways, (self.now + self.delay, next(self._order), to_receiver, data, source))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end - 1e-9:
            self._step()
            self.now = round(self.now + STEP, 6)

    def _step(self) -> None:
        while self._ways and self._ways[0][0] <= self.now:
            _, _, to_receiver, data, source = heapq.heappop(self._ways)
            if to_receiver:
                self.to_receiver.append((self.now, data))
                if self.receiver is not None:
                    self.receiver.receive(data, source, self.receiver_clock(self.now))
            elif self.sender is not None:
                self.sender.receive(data, source, self.sender_clock(self.now))
        if self.sender is not None:
            self._send(self.sender, self.sender_clock(self.now))
        if self.receiver is not None:
            self._receive(self.receiver, self.receiver_clock(self.now))

    def _send(self, sender: Sender, clock: float) -> None:
        if abs(self.now * FPS - round(self.now * FPS)) < 1e-6:
            self._frame = round(self.now * FPS)
            setup = sender.setup
            work = sender.take(picture_at(self._frame, setup.width, setup.height), clock, clock).encode()
            for data in sender.finish(work):
                self.carry(True, data, self._address)
        for data in sender.control(clock):
            self.carry(True, data, self._address)

    def _receive(self, receiver: Receiver, clock: float) -> None:
        while (work := receiver.take(clock)) is not None:
            receiver.finish(work.decode(), clock)
        for picture in receiver.show(clock):
            self._note(picture)
        for data, address in receiver.outgoing(clock):
            if address[0] == THERE[0]:
                self.carry(False, data, HERE)

    def _note(self, picture) -> None:
        """Which frame this is, by what is in it: of the last two seconds, the nearest."""
        frame = picture.frame
        latest = round(self.now * FPS)
        luma = frame.y.astype(float)
        errors = {
            n: float(np.abs(luma - picture_at(n, frame.width, frame.height).y).mean())
            for n in range(max(latest - 12, 0), latest + 1)
        }
        number = min(errors, key=errors.__getitem__)
        self.shown.append((self.now, number, errors[number]))
        self.times.append(frame.time)
        self.delays.append(self.now - picture.stamp)

    def good_since(self, time: float, error: float = 6.0) -> list[tuple[float, int, float]]:
        """Pictures shown after `time` that look as they should."""
        return [shown for shown in self.shown if shown[0] >= time and shown[2] < error]
