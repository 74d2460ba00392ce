"""What the encoder knows of its receiver: the decoder's state, exact up to the frame reported last.

The decoder is a value, so the sender can hold the receiver's: for each frame sent it keeps the symbols and
decodes the packets that a report says arrived. Frames not reported yet are assumed to have arrived whole.
Predicting from `estimate` then needs no key frame after a loss, however long it was.

    add(frame, state)     a frame was sent; state: what a receiver that has `estimate` and gets all of it holds
    take(report)          goes through the frames again from the first that was not as assumed
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from t4vcodec.codec.erasure import PacketErasure
from t4vcodec.codec.expectation import FrameRisk
from t4vcodec.codec.models import Model
from t4vcodec.codec.packet_map import PacketMap
from t4vcodec.codec.packets import FrameHeader
from t4vcodec.codec.reports import Report
from t4vcodec.codec.setup import Setup
from t4vcodec.codec.state import DecoderState, close_frame
from t4vcodec.codec.symbols import FrameSymbols

WINDOW = 24  # frames that are kept; a report that tells of older ones only is of no use
MEMORY = 100.0  # packets over which the loss rate is averaged
PRIOR = 20.0  # packets that the nominal loss counts for before anything is known


@dataclass(frozen=True, eq=False)
class SentFrame:
    """A frame as it was sent. checks: (index, check sum) of each packet. risk: None if nothing is assumed lost."""

    header: FrameHeader
    symbols: FrameSymbols
    copies: FrameSymbols | None
    packets: PacketMap
    checks: tuple[tuple[int, int], ...]
    risk: FrameRisk | None


class ReceiverView:
    """The state of one receiver as far as its sender knows.

    loss: nominal loss of packets, the estimate before anything is reported.
    """

    def __init__(self, setup: Setup, model: Model, loss: float) -> None:
        self._setup = setup
        self._model = model
        self._sent: dict[int, SentFrame] = {}
        self._states: dict[int, DecoderState] = {-1: DecoderState()}
        self._lost: dict[int, np.ndarray] = {}
        self._latest = -1
        self._seen = PRIOR
        self._missed = PRIOR * loss
        self.known: int | None = None
        """Unwrapped number of the latest frame after which the receiver's state is known; None if there is none."""
        self.astray = False
        """Whether the receiver reported a state that it can not be in: it was started anew, say."""

    @property
    def estimate(self) -> DecoderState:
        """The receiver's state if what was not reported yet arrives."""
        return self._states[self._latest]

    @property
    def loss(self) -> float:
        """Share of packets lost lately, 0 to 1."""
        return self._missed / self._seen

    @property
    def pending(self) -> Iterator[FrameRisk]:
        """The risks of the frames sent since the receiver's state was known, in order."""
        first = self._latest if self.known is None else self.known
        for number in range(first + 1, self._latest + 1):
            risk = self._sent[number].risk
            if risk is not None:
                yield risk

    def add(self, frame: SentFrame, state: DecoderState) -> None:
        """A frame was sent. state: after it, see the module's head."""
        self._latest += 1
        self._sent[self._latest] = frame
        self._states[self._latest] = state
        for old in [n for n in self._states if n < self._latest - WINDOW]:
            del self._states[old]
            self._sent.pop(old, None)
            self._lost.pop(old, None)
        if self.known is not None and self.known not in self._states:
            self.known = None

    def take(self, report: Report) -> bool:
        """Whether the report told anything new. One that makes no sense here is passed over."""
        number = self._latest - ((self._latest - report.number) & 0xFFFF)
        if number not in self._sent or (self.known is not None and number < self.known):
            return False
        told = dict(zip(range(number, -1, -1), report.arrived))
        first = None
        for n in sorted(told):
            if n not in self._sent:
                continue
            count = self._sent[n].header.count
            arrived = np.array(told[n] or (False,) * count, bool)
            if arrived.size != count:
                return False
            fresh = n not in self._lost
            if fresh:
                self._average(arrived)
            if not np.array_equal(~arrived, self._lost.get(n, np.zeros(count, bool))) and first is None:
                first = n
            self._lost[n] = ~arrived
        if first is not None:
            if first - 1 not in self._states:
                self.known, self.astray = None, True
                return True
            self._again_from(first)
        if self._states[number].hash == report.hash:
            self.known, self.astray = number, False
        else:
            self.known, self.astray = None, True
        return True

    def _average(self, arrived: np.ndarray) -> None:
        keep = max(1 - arrived.size / MEMORY, 0.0)
        self._seen = self._seen * keep + arrived.size
        self._missed = self._missed * keep + float((~arrived).sum())

    def _again_from(self, first: int) -> None:
        state = self._states[first - 1]
        for number in range(first, self._latest + 1):
            sent = self._sent[number]
            lost = self._lost.get(number, np.zeros(sent.header.count, bool))
            received = None
            if not lost.all():
                received = PacketErasure.erase(
                    sent.symbols, sent.copies, sent.packets, lost, sent.header.copy_offset
                )
            arrived = [check for check, gone in zip(sent.checks, lost) if not gone]
            state, _ = close_frame(state, received, sent.header, arrived, self._setup, self._model)
            self._states[number] = state
