"""One frame through the encoder: search, decide, predict, choose levels, reconstruct.

Nothing here knows of sessions, rates or packets' bytes; see `encoder.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from t4vcodec.codec.contexts import KEY_FRAME, PLAIN_FRAME
from t4vcodec.codec.decide import decide_packet
from t4vcodec.codec.motion import search_rows
from t4vcodec.codec.packet_map import PacketMap
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.prediction import INTRA_SCALE, Prediction
from t4vcodec.codec.quantise import coding_tables
from t4vcodec.codec.rdo import code_packet
from t4vcodec.codec.reconstruct import (
    AQ_CENTRE,
    AQ_STRENGTH,
    INTRA_DC_SCALE,
    base_steps,
    motion_fields,
    predict_frame,
    quality_step,
)
from t4vcodec.codec.symbols import INTRA, LAST, LONG, FrameSymbols
from t4vcodec.codec.tables import Tables

LAMBDA = 0.2
CHROMA_WEIGHT = 1.0
COPY_LAMBDA = 4.0  # a copy is needed when its original is lost only


@dataclass(frozen=True, eq=False)
class Source:
    """A frame to be coded: its picture and what the decisions read of it.

    y, u, v: float32 arrays. luma8: uint8. octaves: (P,) float32, log2 of the adaptive step's factor.
    """

    picture: Picture
    y: np.ndarray
    u: np.ndarray
    v: np.ndarray
    luma8: np.ndarray
    octaves: np.ndarray

    @classmethod
    def of(cls, picture: Picture) -> Source:
        y, u, v = (p.numpy() for p in (picture.y, picture.u, picture.v))
        rows, columns = y.shape[0] // 16, y.shape[1] // 16
        blocks = y.reshape(rows, 16, columns, 16).transpose(0, 2, 1, 3).reshape(rows * columns, 256)
        octaves = np.clip(AQ_STRENGTH * (np.log2(blocks.var(1) * 256 + 1) - AQ_CENTRE) / 6, -1, 1).astype(
            np.float32
        )
        return cls(picture, y, u, v, picture.luma8, octaves)

    @property
    def activity(self) -> float:
        """Mean |horizontal and vertical difference| of the luma."""
        return float(np.abs(np.diff(self.y, axis=0)).mean() + np.abs(np.diff(self.y, axis=1)).mean())

    @property
    def planes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.y, self.u, self.v


@dataclass(frozen=True, eq=False)
class Proposal:
    """Vectors the search found: vectors16 (2, P, 2), vectors8 (2, P, 4, 2), costs (2, P, 5), by reference."""

    vectors16: np.ndarray
    vectors8: np.ndarray
    costs: np.ndarray

    def is_cut(self, source: Source) -> bool:
        """Whether most of the frame is better described by block means than by any motion: a scene cut."""
        flat = (
            np.abs(source.y - block_means(source.y)).reshape(source.y.shape[0] // 16, 16, -1, 16).sum((1, 3))
        )
        matched = self.costs[:, :, 0].min(0)
        active = flat.ravel() > 256 * 3
        return bool(active.any() and (matched[active] > 0.75 * flat.ravel()[active]).mean() > 0.7)


def block_means(y: np.ndarray) -> np.ndarray:
    """(H, W) with every 16x16 block replaced by its mean."""
    h, w = y.shape
    means = y.reshape(h // 16, 16, w // 16, 16).mean((1, 3))
    return means.repeat(16, 0).repeat(16, 1)


class Workers:
    """Runs independent kernels (they hold no interpreter lock) on a few threads; results keep their order."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def map(self, function: Callable, items: Sequence) -> list:
        if self._pool is None or len(items) < 2:
            return [function(i) for i in items]
        return list(self._pool.map(function, items))


def propose(
    source: Source,
    references: dict[int, Picture],
    hints: dict[int, np.ndarray],
    step: float,
    workers: Workers,
) -> Proposal:
    """Search every reference; `hints` are (K, P, 2) vectors by reference."""
    rows, columns = source.y.shape[0] // 16, source.y.shape[1] // 16
    p = rows * columns
    v16 = np.zeros((2, p, 2), np.int16)
    v8 = np.zeros((2, p, 4, 2), np.int16)
    costs = np.full((2, p, 5), 1e30, np.float32)
    lam = 0.35 * step
    half = rows // 2
    # Two bands of rows whatever the number of threads: the result must not depend on it.
    bands = [(0, half), (half, rows)] if half else [(0, rows)]
    jobs = [(r, a, b) for r in references for a, b in bands]

    def job(item: tuple[int, int, int]) -> None:
        r, a, b = item
        search_rows(source.luma8, references[r].luma_phases8, a, b, hints[r], lam, v16[r], v8[r], costs[r])

    for r in references:
        _ = references[r].luma_phases8  # made once, outside the threads
    workers.map(job, jobs)
    return Proposal(v16, v8, costs)


def _field(
    proposal: Proposal, references: Sequence[int], rows: int, columns: int, step: float
) -> FrameSymbols:
    """The motion to assume for neighbours before anything is decided: the search's best per position."""
    guess = FrameSymbols.lost(columns, rows)
    whole = proposal.costs[:, :, 0]
    split = proposal.costs[:, :, 1:].sum(2) + 0.35 * step * 12
    best = np.minimum(whole, split)
    ref = best.argmin(0) if len(references) > 1 else np.full(rows * columns, references[0])
    at = np.arange(rows * columns)
    is_split = split[ref, at] < whole[ref, at]
    guess.kind[:] = 0
    guess.reference[:] = ref
    guess.vectors[:] = np.where(
        is_split[:, None, None], proposal.vectors8[ref, at], proposal.vectors16[ref, at][:, None, :]
    )
    return guess


def decide(
    source: Source,
    proposal: Proposal,
    last: Picture,
    long: Picture,
    frame_class: int,
    quality: int,
    distance: int,
    packets: PacketMap,
    tables: Tables,
    hurt: np.ndarray,
    workers: Workers,
    copy: bool = False,
) -> FrameSymbols:
    """Kinds, references and vectors of an inter frame; `transform` is only a guess so far.

    copy: decide the copies of a long-term frame instead, see `decide_packet`.
    """
    rows, columns = packets.rows, packets.columns
    step = quality_step(quality)
    steps = (step * np.exp2(source.octaves)).astype(np.float32)
    lambdas = (LAMBDA * steps * steps).astype(np.float32)
    if copy:
        lambdas *= COPY_LAMBDA
        references = [LAST]
    elif frame_class != PLAIN_FRAME:
        references = [LONG]
    else:
        references = [LAST] if distance == 1 else [LAST, LONG]
    field = _field(proposal, references, rows, columns, step)
    row, cost = tables.row, tables.cost
    last8, long8 = last.luma_phases8, long.luma_phases8
    vectors, reference, usable = motion_fields(field)
    symbols = FrameSymbols.lost(columns, rows)
    arrays = symbols.arrays

    def job(order: np.ndarray) -> None:
        work = (*(np.empty((16, 16), np.float32) for _ in range(4)), np.empty(64, np.float32))
        decide_packet(
            order,
            packets.near,
            (row, cost),
            arrays,
            copy,
            frame_class,
            quality,
            distance,
            source.y,
            last8,
            long8,
            vectors,
            reference,
            usable,
            proposal.vectors16,
            proposal.vectors8,
            steps,
            lambdas,
            hurt,
            work,
        )

    workers.map(job, packets.order)
    return symbols


def choose_levels(
    source: Source,
    symbols: FrameSymbols,
    prediction: Prediction,
    copy: bool,
    frame_class: int,
    quality: int,
    packets: PacketMap,
    tables: Tables,
    workers: Workers,
) -> None:
    """Fill in transforms, steps, modes and levels of `symbols` for a settled prediction.

    quality: that of the frame's header (contexts); the steps are the prediction's.
    """
    intra = symbols.kind == INTRA
    choice = np.abs(np.log2(INTRA_SCALE)[None, :] - source.octaves[:, None]).argmin(1)
    symbols.step[:] = np.where(intra, choice, 0)
    steps = prediction.with_intra_steps(symbols).steps.float().numpy()
    base = prediction.base.numpy()
    source_steps = base * np.exp2(source.octaves)
    lambdas = (LAMBDA * source_steps * source_steps).astype(np.float32)
    planes = tuple(p.float().numpy() for p in prediction.planes)
    arrays = symbols.arrays

    def job(order: np.ndarray) -> None:
        work = (
            np.empty((16, 16), np.float32),
            np.empty((2, 8, 8), np.float32),
            np.empty(640, np.float32),
            (np.empty(256, np.int16), np.empty(256, np.uint8), np.empty(256, np.bool_)),
            np.empty(384, np.int16),
        )
        code_packet(
            order,
            packets.near,
            coding_tables(tables),
            tables.points,
            arrays,
            copy,
            frame_class,
            quality,
            source.planes,
            planes,
            steps,
            lambdas,
            base * np.float32(INTRA_DC_SCALE),
            CHROMA_WEIGHT,
            work,
        )

    workers.map(job, packets.order)


def key_symbols(columns: int, rows: int) -> FrameSymbols:
    """A frame of intra positions, levels to be chosen."""
    symbols = FrameSymbols.lost(columns, rows)
    symbols.kind[:] = INTRA
    return symbols


def key_copies(
    source: Source, symbols: FrameSymbols, quality: int, packets: PacketMap, tables: Tables, workers: Workers
) -> FrameSymbols:
    """The copy of a key frame that its packets carry for each other: the same positions at a coarser step."""
    copies = key_symbols(symbols.columns, symbols.rows)
    base = base_steps(copies, quality, np.ones(copies.kind.size, bool))
    prediction = predict_frame(copies, None, None, base)
    choose_levels(source, copies, prediction, True, KEY_FRAME, quality, packets, tables, workers)
    return copies
