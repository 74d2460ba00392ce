"""The decoder of a session: packets in, one picture for every frame number out.

It has no clock. A frame is closed when all its packets are there, when a packet of a later frame arrives, or
when `close` says that its time is up. Packets that come later than that mend the state they were missing from
(pictures already given out stay as they are), as long as that state is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import torch
from t4vcodec.codec.models import load_model
from t4vcodec.codec.packets import Packet, PacketError, PacketSymbols, PayloadParser
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.reports import TOLD, Report
from t4vcodec.codec.setup import Setup
from t4vcodec.codec.state import DecoderState, step
from t4vcodec.media.frames import Colour, Frame

HISTORY = TOLD  # closed frames that late packets can still mend, and that reports tell of
MAX_AHEAD = 512  # frame numbers a packet may lie ahead of the frame that is awaited


class Decoder:
    """Decode one session.

    setup: as the encoder's. dtype: torch.float32, or torch.bfloat16 for speed where the machine has it (the
    symbols are the same, pictures differ a little). colour: label of the pictures given out.

    What arrives costs bounded time and memory: a packet is at most one frame's positions of work, jumps in the
    frame number are limited, and at most one open and `HISTORY` closed frames are kept.
    """

    def __init__(
        self, setup: Setup, *, dtype: torch.dtype = torch.float32, colour: Colour | None = None
    ) -> None:
        self.setup = setup
        self._model = load_model(setup.model)
        self._parser = PayloadParser(setup, self._model.tables)
        self._dtype = dtype
        self._colour = colour or Colour()
        self._state = DecoderState()
        self._open: dict[int, PacketSymbols] = {}
        # (state before the frame, its packets by index), oldest first.
        self._history: deque[tuple[DecoderState, dict[int, PacketSymbols]]] = deque(maxlen=HISTORY)
        self._mend_from: int | None = None
        self._withheld: list[tuple[Picture, bool]] = []

    @property
    def state(self) -> DecoderState:
        """The state after the frame closed last, late packets included."""
        self._mend()
        return self._state

    @property
    def next_frame(self) -> int:
        """Unwrapped number of the frame that is awaited."""
        return self._state.number + 1

    def report(self) -> Report | None:
        """What to tell the sender now (`Encoder.report`): of the frames closed last; None before the first.

        Late packets count as soon as they are here, so the report of a frame may change.
        """
        state = self.state
        if state.number < 0:
            return None
        arrived = []
        for _, packets in reversed(self._history):
            count = next(iter(packets.values())).packet.header.count if packets else 0
            arrived.append(tuple(i in packets for i in range(count)))
        return Report(state.number & 0xFFFF, state.hash, tuple(arrived), self.setup.salt)

    def push(self, packets: Iterable[Packet | bytes]) -> list[Frame]:
        """Take packets; returns the pictures of the frames that this closed, in order.

        Raises PacketError for the first that is no packet of this session, after taking the others; the
        pictures that the others closed come with the next call.
        """
        closed, self._withheld = self._withheld, []
        error: PacketError | None = None
        for item in packets:
            try:
                self._take(item, closed)
            except PacketError as e:
                error = error or e
        if error is not None:
            self._withheld = closed
            raise error
        return self._frames(closed)

    def close(self, until: int) -> list[Frame]:
        """Time is up for every frame up to number `until`: one picture for each that was still open."""
        closed, self._withheld = self._withheld, []
        while self._state.number < until:
            closed.append(self._close())
        return self._frames(closed)

    def _frames(self, pictures: list[tuple[Picture, bool]]) -> list[Frame]:
        """Frames of the pictures just closed; a picture that stands for many frames is converted once."""
        s = self.setup
        first = self._state.number - len(pictures) + 1
        made: dict[int, Frame] = {}
        out = []
        for number, (picture, half) in enumerate(pictures, first):
            time = float(number / s.fps)
            if id(picture) in made:
                out.append(replace(made[id(picture)], time=time))
                continue
            full = picture.enlarged(*s.grid(False).size) if half else picture
            made[id(picture)] = full.to_frame(s.height, s.width, time, self._colour)
            out.append(made[id(picture)])
        return out

    def _take(self, item: Packet | bytes, closed: list[tuple[Picture, bool]]) -> None:
        packet = Packet.parse(bytes(item), self.setup)
        awaited = self.next_frame
        ahead = (packet.frame - awaited + 0x8000) % 0x10000 - 0x8000
        if ahead > MAX_AHEAD:
            raise PacketError(
                f"frame {ahead} numbers ahead of the awaited one: foreign, or after too long a gap"
            )
        if ahead < 0:
            self._take_late(packet, awaited + ahead)
            return
        if ahead == 0:
            if packet.index in self._open:
                return
            if not self._fits(packet, self._open):
                raise PacketError("packets of one frame disagree about it")
        # Parse first: a bad payload must not close frames.
        symbols = self._parser.parse(packet)
        while self._state.number + 1 < awaited + ahead:
            closed.append(self._close())
        self._open[packet.index] = symbols
        if len(self._open) == packet.header.count:
            closed.append(self._close())

    @staticmethod
    def _fits(packet: Packet, others: dict[int, PacketSymbols]) -> bool:
        return all(o.packet.header == packet.header for o in others.values())

    def _take_late(self, packet: Packet, number: int) -> None:
        for before, packets in self._history:
            if before.number + 1 == number:
                if packet.index not in packets and self._fits(packet, packets):
                    packets[packet.index] = self._parser.parse(packet)
                    self._mend_from = number if self._mend_from is None else min(number, self._mend_from)
                return

    def _mend(self) -> None:
        """Go through the kept frames again from the earliest that a late packet belongs to."""
        if self._mend_from is None:
            return
        kept = [(s, p) for s, p in self._history if s.number + 1 >= self._mend_from]
        for _ in kept:
            self._history.pop()
        state = kept[0][0]
        for _, packets in kept:
            self._history.append((state, packets))
            state, _ = step(state, list(packets.values()), self.setup, self._model, self._dtype)
        self._state = state
        self._mend_from = None

    def _close(self) -> tuple[Picture, bool]:
        self._mend()
        packets, self._open = self._open, {}
        self._history.append((self._state, packets))
        self._state, picture = step(self._state, list(packets.values()), self.setup, self._model, self._dtype)
        return picture, self._state.half
