"""What error a receiver is expected to carry, and what it costs to predict from there.

Per 8x8 luma block the encoder keeps E, the squared error that a receiver at the nominal loss is expected to
carry, for the last picture and for the long-term reference. Predicting from a block inherits its E, intra
starts afresh, and a position that does not arrive adds what concealment gets wrong. Only the encoder knows E;
it steers decisions and no symbol depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from t4vcodec.codec.compensation import BORDER
from t4vcodec.codec.concealment import conceal_vector
from t4vcodec.codec.contexts import LONG_FRAME
from t4vcodec.codec.motion import clamped
from t4vcodec.codec.packets import FrameHeader
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.reconstruct import base_steps, motion_fields, predict_frame, reconstruct
from t4vcodec.codec.symbols import LAST, LONG, FrameSymbols
from t4vcodec.codec.tables import Tables

# Weight of the inherited error against a frame's own: it lives on for many frames, the bits are paid once.
WEIGHT_LONG = 1.5
WEIGHT_LAST = 0.1
WEIGHT_REPORTED = 0.3
FADING = 0.97  # of an error that is predicted on, by interpolation


def _block_error(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    """Squared error of each 8x8 block, (rows8, columns8)."""
    d = (a.float() - b.float()).square()
    h, w = d.shape
    return d.reshape(h // 8, 8, w // 8, 8).sum((1, 3)).numpy()


@njit(cache=True, nogil=True)
def _concealment_error(columns, rows, symbols, distance, luma, phases, out):
    """Squared error of each 8x8 block if its position alone were lost and concealed from the last picture."""
    kind, reference, vectors = symbols
    v = np.empty(2, np.int64)
    zero = np.zeros(2, np.int64)
    for p in range(columns * rows):
        for b in range(4):
            conceal_vector(p, b, columns, rows, kind, reference, vectors, distance, zero, v)
            x0 = (p % columns) * 16 + (b & 1) * 8
            y0 = (p // columns) * 16 + (b >> 1) * 8
            vx = clamped(v[0], x0, 8, columns * 16)
            vy = clamped(v[1], y0, 8, rows * 16)
            phase = phases[(vx & 3) * 4 + (vy & 3)]
            ax = x0 + BORDER + (vx >> 2)
            ay = y0 + BORDER + (vy >> 2)
            s = np.int64(0)
            for y in range(8):
                for x in range(8):
                    d = np.int64(luma[y0 + y, x0 + x]) - np.int64(phase[ay + y, ax + x])
                    s += d * d
            out[y0 // 8, x0 // 8] = s


@dataclass(frozen=True, eq=False)
class FrameRisk:
    """What losing packets of one frame does to the error that is carried; (rows8, columns8) each.

    concealed, coarse: squared error of each block if it is concealed, or known by its copy only. y, x,
    reference: where it predicts from, `inter`: if it does. copies: whether a second packet carries copies.
    """

    key: bool
    long: bool
    copies: bool
    concealed: np.ndarray
    coarse: np.ndarray
    y: np.ndarray
    x: np.ndarray
    reference: np.ndarray
    inter: np.ndarray

    def carry(self, carried: np.ndarray, loss: float) -> np.ndarray:
        """The error carried after the frame, from that before it: (2, rows8, columns8), LAST and LONG."""
        if self.key:
            carried = np.zeros_like(carried)
        missed = loss * loss if self.copies else loss  # neither the positions nor a copy of them
        only_copy = loss - missed
        inherited = np.where(self.inter, FADING * carried[self.reference, self.y, self.x], 0.0)
        coarse = self.coarse
        if self.copies and not self.key:
            coarse = coarse + carried[LAST] - inherited
        last = (
            (1 - loss) * inherited
            + only_copy * np.maximum(coarse + inherited, 0)
            + missed * (self.concealed + 0.9 * carried[LAST])
        )
        return np.stack([last, last if self.long else carried[LONG]]).astype(np.float32)


class Expectation:
    """loss: nominal loss of a packet. rows, columns: positions."""

    def __init__(self, loss: float, rows: int, columns: int) -> None:
        self._loss = loss
        self._carried = np.zeros((2, 2 * rows, 2 * columns), np.float32)

    def hurt(self, frame_class: int, reported: bool = False) -> np.ndarray:
        """(2, rows8, columns8) float32: cost of predicting from each block of the last and long references.

        reported: whether a report will tell what was lost, so that errors live for some frames only.
        """
        weight = WEIGHT_LONG if frame_class == LONG_FRAME else WEIGHT_LAST
        if reported:
            weight = WEIGHT_REPORTED
        return (weight * (1 - self._loss) * self._carried).astype(np.float32)

    def update(
        self,
        header: FrameHeader,
        symbols: FrameSymbols,
        copies: FrameSymbols | None,
        picture: Picture,
        last: Picture | None,
        tables: Tables,
    ) -> FrameRisk | None:
        """Account for a frame just coded. picture: its reconstruction; last: the one before."""
        if self._loss == 0:
            return None
        risk = self._risk(header, symbols, copies, picture, last, tables)
        self._carried = risk.carry(self._carried, self._loss)
        return risk

    def restart(self, loss: float, risks: Iterable[FrameRisk]) -> None:
        """The receiver's state is known; `risks` are those of the frames sent since then, in order."""
        self._loss = loss
        self._carried = np.zeros_like(self._carried)
        for risk in risks:
            self._carried = risk.carry(self._carried, loss)
        self._carried[LONG] = 0.0

    @staticmethod
    def _risk(
        header: FrameHeader,
        symbols: FrameSymbols,
        copies: FrameSymbols | None,
        picture: Picture,
        last: Picture | None,
        tables: Tables,
    ) -> FrameRisk:
        shape = (2 * symbols.rows, 2 * symbols.columns)
        vectors, reference, inter = motion_fields(symbols)
        y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
        fy = np.clip(y + np.round(vectors[..., 1] / 32).astype(int), 0, shape[0] - 1)
        fx = np.clip(x + np.round(vectors[..., 0] / 32).astype(int), 0, shape[1] - 1)
        coarse = np.zeros(shape, np.float32)
        if header.key or last is None:
            concealed = _block_error(picture.y, _surroundings(picture.y))
            if copies is not None:
                base = base_steps(copies, header.quality, np.ones(copies.kind.size, bool))
                coarse = _block_error(
                    picture.y, reconstruct(copies, predict_frame(copies, None, None, base), tables).y
                )
        else:
            concealed = np.empty(shape, np.float32)
            _concealment_error(
                symbols.columns,
                symbols.rows,
                symbols.arrays[:3],
                header.distance,
                picture.luma8,
                last.luma_phases8,
                concealed,
            )
            if copies is not None:
                prediction = predict_frame(copies, last, last, base_steps(copies, header.quality))
                coarse = _block_error(picture.y, prediction.y)
        copied = header.copy_offset > 0
        return FrameRisk(header.key, header.long, copied, concealed, coarse, fy, fx, reference, inter)


def _surroundings(y: torch.Tensor) -> torch.Tensor:
    """What a lost position of a key frame is filled with, about: the blurred picture."""
    h, w = y.shape
    means = torch.nn.functional.avg_pool2d(y[None, None], 32, ceil_mode=True)
    return torch.nn.functional.interpolate(means, size=(h, w), mode="bilinear", align_corners=False)[0, 0]
