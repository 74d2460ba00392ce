"""The encoder of a session: frames in, packets out, each frame's at once.

Structure: a key frame at the start and at scene cuts; every `period` frames a long-term reference (predicted
from the one before, finer, its losses weighed in its decisions, its motion carried twice); between them plain
frames that choose per position between the last picture and the long-term reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from t4vcodec.codec.coded_frame import CodedFrame, FrameStats
from t4vcodec.codec.concealment import motion_to_last
from t4vcodec.codec.contexts import KEY_FRAME, LONG_FRAME, PLAIN_FRAME
from t4vcodec.codec.expectation import Expectation, FrameRisk
from t4vcodec.codec.frame_coder import (
    Source,
    Workers,
    choose_levels,
    decide,
    key_copies,
    key_symbols,
    propose,
)
from t4vcodec.codec.models import load_model
from t4vcodec.codec.packets import MAX_PAYLOAD, FrameHeader, Packet, serialise
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.prediction import Prediction
from t4vcodec.codec.rate_control import FINER, RateControl
from t4vcodec.codec.receiver_view import ReceiverView, SentFrame
from t4vcodec.codec.reconstruct import (
    base_steps,
    decoded_planes,
    predict_frame,
    quality_step,
    round_through,
)
from t4vcodec.codec.reports import Report
from t4vcodec.codec.setup import Setup
from t4vcodec.codec.state import KEPT, chained, references, settled
from t4vcodec.codec.symbols import LAST, LONG, FrameSymbols
from t4vcodec.codec.synthesising import FULL, Synthesising, best_strength
from t4vcodec.errors import T4VError
from t4vcodec.media.frames import Frame

TRANSPORT_HEADER = 40  # bytes of IP, UDP and RTP, counted in the rate
PERIOD = 16
DEFAULT_RESILIENCE = 0.3
PACKET_BYTES = 800  # of a packet of a frame made for loss; a frame cut finer conceals better, headers cost
LEAST_PACKETS = {KEY_FRAME: 8, LONG_FRAME: 4, PLAIN_FRAME: 2}
SMALL_FRAME = 150  # bytes below which a plain frame is one packet: a second header costs more than it saves
SILENT_PERIOD = 16  # frames without a report after which a long-term frame is sent
STARVED = 0.022  # bits a pixel below which frames are coded at half size


class EncoderError(T4VError):
    """Options or frames that an encoder can not take."""


class Encoder:
    """Encode one session; give either `kbps` or `quality`.

    kbps: target of everything sent, 40 bytes of transport headers a packet included; may be set at any time.
    quality: constant quality index of plain frames, 0 (fine) to 63. resilience: the nominal loss that frames
    are made for, 0 to 0.5; the true one is never told. feedback: whether the receiver reports what arrived; see
    `report`. threads: of the encoder's own work; the packets do not depend on it. Raises EncoderError.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        kbps: float | None = None,
        quality: int | None = None,
        resilience: float = DEFAULT_RESILIENCE,
        feedback: bool = False,
        threads: int = 2,
    ) -> None:
        if (kbps is None) == (quality is None):
            raise EncoderError("give either a rate (kbps) or a quality, not both and not neither")
        if kbps is not None and not 1 <= kbps <= 1e6:
            raise EncoderError(f"a rate of {kbps} kbit/s is out of range: 1 to 1,000,000")
        if quality is not None and not (isinstance(quality, int) and 0 <= quality <= 63):
            raise EncoderError(
                f"quality {quality} is out of range: a whole number from 0 (fine) to 63 (coarse)"
            )
        if not 0 <= resilience <= 0.5:
            raise EncoderError(f"resilience {resilience} is out of range: 0 to 0.5")
        self.setup = setup
        self.resilience = resilience
        self._model = load_model(setup.model)
        self._view = ReceiverView(setup, self._model, resilience) if feedback else None
        self._last_key_wish = 0
        self._quality = quality
        self._rate = (
            None if kbps is None else RateControl(self._frame_bits(kbps), self._period, float(setup.fps))
        )
        self._workers = Workers(threads)
        self._half = kbps is not None and self._frame_bits(kbps) < STARVED * setup.width * setup.height
        self._number = -1
        self._last: Picture | None = None
        self._long: Picture | None = None
        self._long_number = 0
        self._key_number = 0
        self._sure = False  # the long-term reference is a picture that the receiver is known to have
        self._hints: np.ndarray | None = None
        self._long_hints: np.ndarray | None = None
        self._expectation: Expectation | None = None
        self._frame_bytes: dict[int, float] = {}
        self.coded: CodedFrame | None = None
        self.stats: FrameStats | None = None

    @property
    def _period(self) -> float:
        """Frames from one long-term reference to the next: a whole number of them in any two seconds."""
        if self.resilience == 0 or self._view is not None:
            return float("inf")
        two_seconds = float(2 * self.setup.fps)
        return min(two_seconds / max(round(two_seconds / PERIOD), 1), 30.0)

    def _frame_bits(self, kbps: float) -> float:
        return float(kbps * 1000 / self.setup.fps)

    @property
    def kbps(self) -> float | None:
        return None if self._rate is None else float(self._rate.bits_per_frame * self.setup.fps / 1000)

    @kbps.setter
    def kbps(self, value: float) -> None:
        if self._rate is None:
            raise EncoderError("this encoder was made for a constant quality; it has no rate")
        if not 1 <= value <= 1e6:
            raise EncoderError(f"a rate of {value} kbit/s is out of range: 1 to 1,000,000")
        self._rate.bits_per_frame = self._frame_bits(value)

    @property
    def reconstruction(self) -> Picture:
        """The picture that a receiver of everything has of the frame pushed last."""
        return self._last

    def report(self, data: Report | bytes) -> None:
        """Take a report of the receiver (`Decoder.report`), as it arrives; lost, late and doubled ones do no harm.

        Raises ReportError on bytes that are no report of this session, EncoderError if none are expected.
        """
        if self._view is None:
            raise EncoderError("this encoder was made for a one-way session; give it feedback=True")
        report = data if isinstance(data, Report) else Report.parse(bytes(data), self.setup)
        with torch.no_grad():
            self._view.take(report)

    def push(self, frame: Frame) -> list[Packet]:
        """The packets of the next frame, in sending order. Raises EncoderError on a frame of another size."""
        s = self.setup
        if (frame.width, frame.height) != (s.width, s.height):
            raise EncoderError(
                f"a frame of {frame.width}x{frame.height} in a session of {s.width}x{s.height}"
            )
        picture = Picture.from_frame(frame, *s.grid(False).size)
        if self._half:
            picture = picture.halved(*s.grid(True).size)
        with torch.no_grad():
            return self._code(Source.of(picture))

    def _code(self, source: Source) -> list[Packet]:
        self._number += 1
        if self._view is not None:
            self._look_at_receiver()
        frame_class = self._frame_class()
        quality = self._choose_quality(frame_class, source)
        proposal = None
        if frame_class != KEY_FRAME:
            proposal = self._propose(source, frame_class, quality)
            if proposal.is_cut(source):
                frame_class, proposal = KEY_FRAME, None
                quality = self._choose_quality(frame_class, source)
        count = self._packet_count(frame_class)
        again = self._rate is not None
        while True:
            header = self._header(frame_class, quality, count)
            header, symbols, copies, picture, packets = self._attempt(source, proposal, header)
            size = sum(len(p) + TRANSPORT_HEADER for p in packets)
            if again and self._rate.off_target(frame_class, quality, 8 * size):
                again = False
                quality = self._choose_quality(frame_class, source)
                count = self._count_for(frame_class, size * 2 ** ((header.quality - quality) / 9))
                continue
            largest = max(len(p) for p in packets)
            if largest <= MAX_PAYLOAD:
                break
            most = self.setup.grid(self._half).most_packets
            if count < most:
                count = min(max(count + 1, -(-count * largest // (MAX_PAYLOAD - 60))), most)
            elif quality < 63:
                quality = min(quality + 6, 63)
            else:
                raise EncoderError(
                    f"frame {self._number} does not fit {most} packets at the coarsest quality"
                )
        self._after(source, symbols, copies, picture, header, packets)
        return packets

    def _look_at_receiver(self) -> None:
        """Predict from what the receiver has: its estimated picture, and the latest that it surely has."""
        view = self._view
        state = view.estimate
        if self._number == 0 or state.last is None:
            return
        self._last = state.last
        known = view.known
        self._sure = known is not None and known >= self._key_number and self._number - known <= KEPT
        if not self._sure:
            self._long, self._long_number = state.long, state.long_number
            return
        self._long = next(picture for number, picture in state.recent if number == known)
        self._long_number = known
        if self._expectation is not None:
            self._expectation.restart(view.loss, view.pending)

    def _frame_class(self) -> int:
        if self._last is None:
            return KEY_FRAME
        if self._view is not None:
            if self._view.astray and self._number - self._last_key_wish >= round(self.setup.fps):
                self._last_key_wish = self._number
                return KEY_FRAME
            if self._sure or self._number - self._long_number < SILENT_PERIOD:
                return PLAIN_FRAME
            return LONG_FRAME
        since = self._number - self._key_number
        due = since // self._period > (since - 1) // self._period
        return LONG_FRAME if due else PLAIN_FRAME

    def _choose_quality(self, frame_class: int, source: Source) -> int:
        if self._rate is not None:
            return self._rate.choose(frame_class, source.luma8.size * max(source.activity, 0.5) * 0.4)
        return max(self._quality - FINER[frame_class], 0)

    @property
    def _distance(self) -> int:
        """Frames back to the long-term reference; without such frames the last picture stands in."""
        d = self._number - self._long_number
        return d if d < 32 else 1

    def _header(self, frame_class: int, quality: int, count: int) -> FrameHeader:
        return FrameHeader(
            number=self._number & 0xFFFF,
            count=count,
            quality=quality,
            distance=0 if frame_class == KEY_FRAME else self._distance,
            long=frame_class != PLAIN_FRAME,
            copies=frame_class != PLAIN_FRAME and self.resilience > 0 and count > 1,
            half=self._half,
        )

    def _packet_count(self, frame_class: int) -> int:
        if self._rate is not None and frame_class != PLAIN_FRAME:
            expected = self._rate.expected(frame_class) / 8
        else:
            expected = self._frame_bytes.get(frame_class, 2000.0)
        return self._count_for(frame_class, expected)

    def _count_for(self, frame_class: int, expected: float) -> int:
        """Packets for a frame of about `expected` bytes."""
        most = self.setup.grid(self._half).most_packets
        if self.resilience == 0:
            count = -(-int(expected * 1.12) // MAX_PAYLOAD)
        else:
            small = frame_class == PLAIN_FRAME and expected < SMALL_FRAME
            count = max(round(expected / PACKET_BYTES), 1 if small else LEAST_PACKETS[frame_class])
        return int(min(max(count, 1), most))

    def _references(self, frame_class: int) -> dict[int, Picture]:
        if frame_class == LONG_FRAME and self.resilience == 0:
            return {LONG: self._long}
        if frame_class == PLAIN_FRAME and self._distance == 1:
            return {LAST: self._last}
        return {LAST: self._last, LONG: self._long}

    def _propose(self, source: Source, frame_class: int, quality: int):
        p = self._hints.shape[0]
        zero = np.zeros((1, p, 2), np.int64)
        hints = {
            LAST: self._hints[None] if self._hints is not None else zero,
            LONG: np.stack([self._long_hints, self._hints * min(self._distance, 4)]),
        }
        return propose(source, self._references(frame_class), hints, quality_step(quality), self._workers)

    def _attempt(
        self, source: Source, proposal, header: FrameHeader
    ) -> tuple[FrameHeader, FrameSymbols, FrameSymbols | None, Picture, list[Packet]]:
        packets = header.map(self.setup)
        frame_class, quality = header.frame_class, header.quality
        columns, rows = packets.columns, packets.rows
        if header.key:
            symbols = key_symbols(columns, rows)
            last = long = None
        else:
            last, long = self._last, self._long if header.distance > 1 or header.long else self._last
            hurt = self._expectation.hurt(frame_class, self._sure)
            symbols = decide(
                source,
                proposal,
                last,
                long,
                frame_class,
                quality,
                header.distance,
                packets,
                self._model.tables,
                hurt,
                self._workers,
            )
        base = base_steps(symbols, quality)
        prediction = predict_frame(symbols, last, long, base)
        choose_levels(
            source,
            symbols,
            prediction,
            False,
            frame_class,
            quality,
            packets,
            self._model.tables,
            self._workers,
        )
        prediction = prediction.with_intra_steps(symbols)
        header, picture = self._finish(source, symbols, prediction, header)
        copies = None
        if header.copies and header.key:
            copies = key_copies(source, symbols, quality, packets, self._model.tables, self._workers)
        elif header.copies:
            copies = decide(
                source,
                proposal,
                last,
                last,
                frame_class,
                quality,
                header.distance,
                packets,
                self._model.tables,
                np.zeros_like(hurt),
                self._workers,
                copy=True,
            )
        out = serialise(header, symbols, copies, packets, self._model.tables, self.setup.salt)
        return header, symbols, copies, picture, out

    def _finish(
        self, source: Source, symbols: FrameSymbols, prediction: Prediction, header: FrameHeader
    ) -> tuple[FrameHeader, Picture]:
        """The reconstruction, and the header with the strength of its synthesis."""
        planes = decoded_planes(symbols, prediction, self._model.tables)
        if self._model.synthesis is not None:
            clean = Synthesising.clean(self._model.synthesis, symbols)
            added = clean.corrections(planes, prediction, symbols)
            wanted = [source.picture.y, source.picture.u, source.picture.v]
            header = replace(header, strength=best_strength(planes, added, wanted))
            planes = [p + header.strength / FULL * a for p, a in zip(planes, added)]
        return header, Picture(*(round_through(p) for p in planes))

    def _remember(
        self,
        header: FrameHeader,
        symbols: FrameSymbols,
        copies: FrameSymbols | None,
        picture: Picture,
        packets: Sequence[Packet],
        risk: FrameRisk | None,
    ) -> None:
        before = self._view.estimate
        checks = tuple((p.index, p.checksum) for p in packets)
        _, *long = references(before, header, self.setup.grid(header.half).size)
        new_hash = chained(before.hash, self._number, checks)
        state = settled(before, header, picture, symbols, tuple(long), new_hash)
        self._view.add(SentFrame(header, symbols, copies, header.map(self.setup), checks, risk), state)

    def _after(
        self,
        source: Source,
        symbols: FrameSymbols,
        copies: FrameSymbols | None,
        picture: Picture,
        header: FrameHeader,
        packets: Sequence[Packet],
    ) -> None:
        frame_class = header.frame_class
        size = sum(len(p) + TRANSPORT_HEADER for p in packets)
        payload = sum(len(p) for p in packets)
        if self._expectation is None or header.key:
            self._expectation = Expectation(self.resilience, symbols.rows, symbols.columns)
        risk = self._expectation.update(header, symbols, copies, picture, self._last, self._model.tables)
        if self._view is not None:
            self._remember(header, symbols, copies, picture, packets, risk)
        old = self._frame_bytes.get(frame_class, payload)
        self._frame_bytes[frame_class] = 0.6 * old + 0.4 * payload
        if self._rate is not None:
            self._rate.update(frame_class, header.quality, size * 8)
        motion = motion_to_last(symbols, header.distance)
        self._hints = motion[:, 0, :].astype(np.int64)
        long_vectors = np.where(
            (symbols.reference == LONG)[:, None], symbols.vectors[:, 0, :], motion[:, 0, :] * self._distance
        )
        self._long_hints = np.clip(long_vectors, -1000, 1000).astype(np.int64)
        self._last = picture
        if header.key:
            self._key_number = self._number
        if header.long:
            self._long, self._long_number = picture, self._number
            self._long_hints = np.zeros_like(self._hints)
        packet_map = header.map(self.setup)
        self.coded = CodedFrame(header, symbols, copies, packet_map)
        self.stats = FrameStats(
            self._number,
            frame_class,
            header.quality,
            len(packets),
            size,
            payload,
            self.coded,
            self._model.tables,
        )
