"""What error a receiver is expected to carry, and what it costs to predict from there.

Per 8x8 luma block the encoder keeps E, the squared error that a receiver at the nominal loss is expected to
carry, for the last picture and for the long-term reference. Predicting from a block inherits its E, intra
starts afresh, and a position that does not arrive adds what concealment gets wrong. Only the encoder knows E;
it steers decisions and no symbol depends on it.
"""

from __future__ import annotations

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


class Expectation:
    """loss: nominal loss of a packet. rows, columns: positions."""

    def __init__(self, loss: float, rows: int, columns: int) -> None:
        self._loss = loss
        self._carried = np.zeros((2, 2 * rows, 2 * columns), np.float32)

    def hurt(self, frame_class: int) -> np.ndarray:
        """(2, rows8, columns8) float32: cost of predicting from each block of the last and long references."""
        weight = WEIGHT_LONG if frame_class == LONG_FRAME else WEIGHT_LAST
        return (weight * (1 - self._loss) * self._carried).astype(np.float32)

    def update(
        self,
        header: FrameHeader,
        symbols: FrameSymbols,
        copies: FrameSymbols | None,
        picture: Picture,
        last: Picture | None,
        tables: Tables,
    ) -> None:
        """Account for a frame just coded. picture: its reconstruction; last: the one before."""
        if self._loss == 0:
            return
        p = self._loss
        missed = p * p if header.copy_offset else p  # neither the positions nor a copy of them
        only_copy = p - missed
        if header.key or last is None:
            concealed = _block_error(picture.y, _surroundings(picture.y))
            inherited = np.zeros_like(concealed)
            coarse = np.zeros_like(concealed)
            if copies is not None:
                base = base_steps(copies, header.quality, np.ones(copies.kind.size, bool))
                coarse = _block_error(
                    picture.y, reconstruct(copies, predict_frame(copies, None, None, base), tables).y
                )
        else:
            concealed = np.empty(self._carried.shape[1:], np.float32)
            _concealment_error(
                symbols.columns,
                symbols.rows,
                symbols.arrays[:3],
                header.distance,
                picture.luma8,
                last.luma_phases8,
                concealed,
            )
            vectors, reference, inter = motion_fields(symbols)
            y, x = np.mgrid[0 : inter.shape[0], 0 : inter.shape[1]]
            fy = np.clip(y + np.round(vectors[..., 1] / 32).astype(int), 0, inter.shape[0] - 1)
            fx = np.clip(x + np.round(vectors[..., 0] / 32).astype(int), 0, inter.shape[1] - 1)
            inherited = np.where(inter, FADING * self._carried[reference, fy, fx], 0.0)
            coarse = np.zeros_like(concealed)
            if copies is not None:
                prediction = predict_frame(copies, last, last, base_steps(copies, header.quality))
                coarse = _block_error(picture.y, prediction.y) + self._carried[LAST] - inherited
        carried = (
            (1 - p) * inherited
            + only_copy * np.maximum(coarse + inherited, 0)
            + missed * (concealed + 0.9 * self._carried[LAST])
        ).astype(np.float32)
        self._carried[LAST] = carried
        if header.long:
            self._carried[LONG] = carried


def _surroundings(y: torch.Tensor) -> torch.Tensor:
    """What a lost position of a key frame is filled with, about: the blurred picture."""
    h, w = y.shape
    means = torch.nn.functional.avg_pool2d(y[None, None], 32, ceil_mode=True)
    return torch.nn.functional.interpolate(means, size=(h, w), mode="bilinear", align_corners=False)[0, 0]
