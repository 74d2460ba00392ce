"""What error a receiver is expected to carry, and what it costs to predict from there.

Per 8x8 luma block the encoder keeps E, the squared error that a receiver at the nominal loss carries in the
long-term reference. Predicting from a block inherits its E; intra starts afresh. Only the encoder knows it; no
bit depends on it but through decisions.
"""

from __future__ import annotations

import numpy as np
import torch

from t4vcodec.codec.contexts import LONG_FRAME
from t4vcodec.codec.packets import FrameHeader
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.reconstruct import base_steps, motion_fields, predict_frame, reconstruct
from t4vcodec.codec.symbols import INTRA, LONG, FrameSymbols
from t4vcodec.codec.tables import Tables

WEIGHT = 0.3  # of the inherited error against the frame's own
FADING = 0.97  # of an error that is predicted on, by interpolation


def _block_error(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    """Squared error of each 8x8 block, (rows8, columns8)."""
    d = (a.float() - b.float()).square()
    h, w = d.shape
    return d.reshape(h // 8, 8, w // 8, 8).sum((1, 3)).numpy()


class Expectation:
    """loss: nominal loss of a packet. rows, columns: positions."""

    def __init__(self, loss: float, rows: int, columns: int) -> None:
        self._loss = loss
        self._long = np.zeros((2 * rows, 2 * columns), np.float32)

    def hurt(self, frame_class: int) -> np.ndarray:
        """(2, rows8, columns8) float32: cost of predicting from each block of the last and long references."""
        out = np.zeros((2, *self._long.shape), np.float32)
        if frame_class == LONG_FRAME:
            out[LONG] = WEIGHT * (1 - self._loss) * self._long
        return out

    def update(
        self, header: FrameHeader, symbols: FrameSymbols, copies: FrameSymbols | None, picture: Picture,
        last: Picture | None, tables: Tables,
    ) -> None:
        """Account for a frame just coded; only frames that become long-term references count."""
        if not header.long or self._loss == 0:
            return
        p = self._loss
        missed = p * p if copies is not None else p  # neither the positions nor their copy
        only_copy = p - missed
        # Without anything the picture before stands in; without one, the block's mean does at best.
        if last is None or header.key:
            h, w = picture.y.shape
            means = torch.nn.functional.avg_pool2d(picture.y[None, None], 32, ceil_mode=True)
            stand_in = torch.nn.functional.interpolate(means, size=(h, w), mode="bilinear")[0, 0]
        else:
            stand_in = last.y
        concealed = _block_error(picture.y, stand_in)
        coarse = np.zeros_like(concealed)
        if copies is not None and header.key:
            everywhere = np.ones(copies.kind.size, bool)
            base = base_steps(copies, header.quality, everywhere)
            coarse = _block_error(
                picture.y, reconstruct(copies, predict_frame(copies, None, None, base), tables).y
            )
        inherited = np.zeros_like(self._long)
        if not header.key:
            vectors, _, inter = motion_fields(symbols)
            y, x = np.mgrid[0 : inter.shape[0], 0 : inter.shape[1]]
            fy = np.clip(y + np.round(vectors[..., 1] / 32).astype(int), 0, inter.shape[0] - 1)
            fx = np.clip(x + np.round(vectors[..., 0] / 32).astype(int), 0, inter.shape[1] - 1)
            inherited = np.where(inter, FADING * self._long[fy, fx], 0.0)
            intra = np.repeat(np.repeat((symbols.kind == INTRA).reshape(symbols.rows, -1), 2, 0), 2, 1)
            # A residual that is missing costs about its energy; what the copy of intra leaves is small.
            coarse = np.where(intra, 0.1 * concealed, 0.0)
        self._long = (
            (1 - p) * inherited + only_copy * (coarse + inherited) + missed * (concealed + 0.9 * self._long)
        ).astype(np.float32)
