"""From symbols to a picture: the one reconstruction, in differentiable torch.

    prediction (overlapped compensation; grey for intra)
    -> steps (adaptive quantisation: read off the prediction, no bits)
    -> dequantisation and inverse transforms
    -> sum -> deblocking -> synthesis (a learned correction) -> 8 bits

The encoder calls the first two before it chooses levels, and all of it afterwards, as the decoder does.
"""

from __future__ import annotations

import numpy as np
import torch
from t4vcodec.codec.compensation import predict
from t4vcodec.codec.contexts import CHROMA, LUMA8, LUMA16, MODE_BASE
from t4vcodec.codec.deblocking import deblock
from t4vcodec.codec.picture import GREY, Picture
from t4vcodec.codec.prediction import Prediction
from t4vcodec.codec.sample_kernels import predict_blocks
from t4vcodec.codec.symbols import BLOCK16, BLOCKS8, INTRA, LOST, NONE, FrameSymbols
from t4vcodec.codec.synthesising import Synthesising
from t4vcodec.codec.tables import Tables
from t4vcodec.codec.transform import inverse8, inverse16

AQ_STRENGTH = 1.2
AQ_CENTRE = 13.0
INTRA_DC_SCALE = 0.5
COPY_COARSER = 18  # quality indices by which the copies in key frames are coarser

Planes = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def quality_step(quality: int) -> float:
    """The quantiser step of quality index 0 (fine) to 63 (coarse): 2 to 256 grey values, nine an octave."""
    return 2.0 * 2.0 ** (quality / 9.0)


def round_through(x: torch.Tensor) -> torch.Tensor:
    """Round to 8 bits; the gradient passes as if it had not."""
    rounded = x.round().clamp(0, 255)
    return x + (rounded - x).detach() if x.requires_grad else rounded


def blocks_of(plane: torch.Tensor, size: int) -> torch.Tensor:
    """(rows * size, columns * size) -> (rows, columns, size, size)."""
    h, w = plane.shape
    return plane.reshape(h // size, size, w // size, size).transpose(1, 2)


def plane_of(blocks: torch.Tensor) -> torch.Tensor:
    """(rows, columns, size, size) -> (rows * size, columns * size)."""
    rows, columns, size, _ = blocks.shape
    return blocks.transpose(1, 2).reshape(rows * size, columns * size)


def motion_fields(symbols: FrameSymbols) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors (2 rows, 2 columns, 2), reference and usable (2 rows, 2 columns) of the 8x8 blocks."""
    r, c = symbols.rows, symbols.columns
    v = symbols.vectors.reshape(r, c, 2, 2, 2).transpose(0, 2, 1, 3, 4).reshape(2 * r, 2 * c, 2)
    inter = (symbols.kind < INTRA).reshape(r, c).repeat(2, 0).repeat(2, 1)
    reference = symbols.reference.reshape(r, c).repeat(2, 0).repeat(2, 1)
    return v * inter[..., None], reference * inter, inter


def base_steps(symbols: FrameSymbols, quality: int, coarse: np.ndarray | None = None) -> torch.Tensor:
    """(P,) steps before adaptation; coarse: (P,) bool, positions that are known by their copy only."""
    base = torch.full((symbols.kind.size,), quality_step(quality))
    if coarse is not None and coarse.any():
        base[torch.from_numpy(coarse)] = quality_step(min(quality + COPY_COARSER, 63))
    return base


def aq_steps(y: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
    """The step of each position from the activity of its predicted luma (H, W) -> (P,).

    x264's formula: step * 2^(s (log2(E + 1) - 13) / 6), E the squared deviation from the mean over 16x16,
    within an octave either way.
    """
    blocks = blocks_of(y, 16).flatten(2)
    blocks = blocks.to(torch.promote_types(blocks.dtype, torch.float32))
    energy = blocks.var(dim=2, unbiased=False) * 256
    octaves = (AQ_STRENGTH * (torch.log2(energy + 1) - AQ_CENTRE) / 6).clamp(-1, 1)
    return base * torch.exp2(octaves).flatten()


def predict_frame(
    symbols: FrameSymbols, last: Picture | None, long: Picture | None, base: torch.Tensor
) -> Prediction:
    """The prediction of a frame of which nothing is LOST (conceal first); intra positions are grey.

    last, long: the references, None before the first frame. base: (P,), see `base_steps`.
    """
    intra = symbols.kind == INTRA
    rows, columns = symbols.rows, symbols.columns
    if last is None or intra.all():
        grey = Picture.grey(rows * 16, columns * 16)
        return Prediction(grey.y, grey.u, grey.v, base, base).with_intra_steps(symbols)
    vectors, reference, usable = motion_fields(symbols)
    pictures = [last, long if long is not None else last]
    needed = np.unique(reference[usable])
    if len(needed) == 1:
        pictures, reference = [pictures[int(needed[0])]], np.zeros_like(reference)
    if all(p.plain for p in pictures):
        y, u, v = predict_blocks([p.bordered for p in pictures], vectors, reference, usable)
    else:
        y, u, v = predict([p.phases for p in pictures], vectors, reference, usable)
    if intra.any():
        mask = torch.from_numpy(intra.reshape(rows, columns))[:, :, None, None]
        y, u, v = (
            plane_of(torch.where(mask, torch.tensor(GREY, dtype=p.dtype), blocks_of(p, size)))
            for p, size in ((y, 16), (u, 8), (v, 8))
        )
    return Prediction(y, u, v, aq_steps(y, base), base).with_intra_steps(symbols)


def _dequantised(
    levels: np.ndarray,
    classes: np.ndarray,
    points: torch.Tensor,
    steps: torch.Tensor,
    intra: np.ndarray,
    base: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """levels (N, C), level class (N,), step (N,), intra (N,) bool, base step (N,) -> coefficients (N, C)."""
    value = torch.from_numpy(levels.astype(np.float32))
    magnitude = value.abs()
    shift = points[torch.from_numpy(classes.astype(np.int64))]
    below = torch.where(magnitude > 1, shift[:, 1:2], shift[:, 0:1]) * (magnitude > 0)
    scale = steps[:, None].expand(-1, value.shape[1])
    if intra.any():
        dc = torch.zeros(value.shape, dtype=torch.bool)
        dc[:, 0] = torch.from_numpy(intra)
        below = below.masked_fill(dc, 0.0)
        scale = torch.where(dc, base[:, None] * INTRA_DC_SCALE, scale)
    return ((value - value.sign() * below) * scale).to(dtype)


def residual_planes(
    symbols: FrameSymbols, prediction: Prediction, tables: Tables
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Dequantised and transformed residual planes y, u, v."""
    rows, columns = symbols.rows, symbols.columns
    p = rows * columns
    dtype = prediction.y.dtype
    points = torch.from_numpy(tables.points.astype(np.float32) / 256)
    intra = symbols.kind == INTRA
    luma = torch.zeros((p, 2, 2, 8, 8), dtype=dtype)

    def dequantised(levels: np.ndarray, block_class: int, modes: np.ndarray, at: np.ndarray) -> torch.Tensor:
        """levels (n, blocks, C) and modes (n, blocks) of positions `at` -> (n * blocks, C)."""
        n, blocks, size = levels.shape
        classes = MODE_BASE[block_class + intra[at].astype(np.int64)][:, None] + np.maximum(modes, 1) - 1
        step, base = (
            t[torch.from_numpy(at)][:, None].expand(n, blocks).reshape(-1)
            for t in (prediction.steps, prediction.base)
        )
        return _dequantised(
            levels.reshape(-1, size), classes.reshape(-1), points, step, intra[at].repeat(blocks), base, dtype
        )

    at = np.flatnonzero(symbols.transform == BLOCKS8)
    if at.size:
        c = dequantised(symbols.levels[at, :256].reshape(-1, 4, 64), LUMA8, symbols.modes[at, :4], at)
        luma[torch.from_numpy(at)] = inverse8(c).reshape(-1, 2, 2, 8, 8)
    at = np.flatnonzero(symbols.transform == BLOCK16)
    if at.size:
        c = dequantised(symbols.levels[at, None, :256], LUMA16, symbols.modes[at, :1], at)
        samples = inverse16(c).reshape(-1, 2, 8, 2, 8).transpose(2, 3)
        luma[torch.from_numpy(at)] = samples
    y = luma.reshape(rows, columns, 2, 2, 8, 8).permute(0, 2, 4, 1, 3, 5).reshape(rows * 16, columns * 16)
    chroma = torch.zeros((p, 2, 8, 8), dtype=dtype)
    at = np.flatnonzero(symbols.transform != NONE)
    if at.size:
        c = dequantised(symbols.levels[at, 256:].reshape(-1, 2, 64), CHROMA, symbols.modes[at, 4:], at)
        chroma[torch.from_numpy(at)] = inverse8(c).reshape(-1, 2, 8, 8)
    u, v = (plane_of(chroma[:, i].reshape(rows, columns, 8, 8)) for i in range(2))
    return y, u, v


def decoded_planes(
    symbols: FrameSymbols, prediction: Prediction, tables: Tables, added: Planes | None = None
) -> list[torch.Tensor]:
    """Prediction and residual, deblocked, neither synthesised nor rounded. Nothing of `symbols` may be LOST."""
    if (symbols.kind == LOST).any():
        raise ValueError("conceal lost positions before reconstruction")
    residual = residual_planes(symbols, prediction, tables)
    planes = [p + r for p, r in zip(prediction.planes, residual)]
    if added is not None:
        planes = [p + a for p, a in zip(planes, added)]
    return deblock(planes, symbols, prediction.steps)


def reconstruct(
    symbols: FrameSymbols,
    prediction: Prediction,
    tables: Tables,
    synthesising: Synthesising | None = None,
    added: Planes | None = None,
) -> Picture:
    """The picture: planes decoded, synthesised where a network is given, rounded.

    added: planes that the residual is changed by, for gradients with respect to it.
    """
    planes = decoded_planes(symbols, prediction, tables, added)
    if synthesising is not None:
        planes = synthesising.corrected(planes, prediction, symbols)
    damage = None if synthesising is None else synthesising.damage
    return Picture(*(round_through(p) for p in planes), damage)
