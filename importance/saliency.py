"""Saliency: where a small change would move a recognizer's answer, by frame, by block and by packet.

    trace = trace_gradients(video, video.everything, target)
    fields = latent_fields(video, trace)                        # or picture_fields, shown_fields
    of_packets(video, fields, "l2")                             # (packets,), none below 0
    of_frame(trace.shown[t])                                    # one number a frame

=============  ===========================================================================================
`FIELDS`       gradient by
=============  ===========================================================================================
``shown``      the pixels of a frame as it is shown, nothing after it
``pictures``   the samples of the coded picture, with all that later frames take from it
``latents``    the DCT coefficients of its residual, likewise
=============  ===========================================================================================

=============  ===========================================================================================
`WAYS`         how a block's gradient becomes a number
=============  ===========================================================================================
``l2``         the root of its sum of squares; over positions too
``abs``        the sum of its absolute values
``input``      absolute value of its product with what is there, by 8x8 block (gradient times input)
=============  ===========================================================================================

Nothing is ever summed with its sign over positions: an arm that must rise here and a shadow that must fall there
would cancel.

A recognizer that looks at some frames only prints their pattern into the saliency. `averaged_gradient` takes it
out: the mean over clips that are shifted in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from t4vcodec.codec.concealment import conceal_motion
from t4vcodec.codec.erasure import assemble
from t4vcodec.codec.reconstruct import Planes, base_steps, blocks_of, predict_frame, residual_planes
from t4vcodec.codec.state import DecoderState, references
from t4vcodec.codec.transform import dct_matrix
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.sent_video import Playback, SentVideo
from t4vcodec.importance.target import Target
from t4vcodec.importance.trace import LATENTS, Trace

FIELDS = ("shown", "pictures", "latents")
WAYS = ("l2", "abs", "input")


@dataclass(frozen=True, eq=False)
class Field:
    """Gradient of a frame by the samples or coefficients of its positions, and what is there.

    gradient, value: (positions, blocks, samples), positions of the coded picture in raster order.
    """

    gradient: torch.Tensor
    value: torch.Tensor

    def by_position(self, way: str) -> torch.Tensor:
        """(positions,) saliency, none below 0."""
        if way == "l2":
            return self.gradient.square().sum((1, 2)).sqrt()
        if way == "abs":
            return self.gradient.abs().sum((1, 2))
        if way == "input":
            return (self.gradient * self.value).sum(2).abs().sum(1)
        raise ImportanceError(f"unknown aggregation {way!r}: take {', '.join(WAYS)}")


def shown_fields(video: SentVideo, played: Playback, trace: Trace) -> list[Field]:
    """By the pixels, R'G'B' in 0..1. A block is one colour of 8x8 samples (16x16 where coded at half size)."""
    clip = torch.from_numpy(video.rgb(played)).permute(0, 3, 1, 2).float() / 255
    out = []
    for frame, gradient in enumerate(trace.shown):
        half = played.states[frame + 1].half
        grid, size = video.setup.grid(half), 32 if half else 16
        pad = (0, grid.columns * size - gradient.shape[2], 0, grid.rows * size - gradient.shape[1])
        both = (
            _blocks([torch.nn.functional.pad(plane, pad) for plane in x], size // 2)
            for x in (gradient.float(), clip[frame])
        )
        out.append(Field(*both))
    return out


def picture_fields(video: SentVideo, played: Playback, trace: Trace) -> list[Field]:
    """By the samples of the coded pictures, grey values. A block is 8x8 samples of a plane."""
    return [
        Field(_positions(gradient), _positions((p.y, p.u, p.v)))
        for gradient, p in zip(trace.pictures, played.pictures)
    ]


def latent_fields(video: SentVideo, played: Playback, trace: Trace) -> list[Field | None]:
    """By the coefficients of the residual's 8x8 blocks; None where nothing of a frame arrived."""
    out: list[Field | None] = []
    for frame, gradient in enumerate(trace.latents):
        if gradient is None:
            out.append(None)
            continue
        residual = _residual(video, played.states[frame], video.arrived_of(frame, trace.arrived))
        out.append(Field(gradient.reshape(-1, 6, 64), residual))
    return out


def of_packets(video: SentVideo, fields: Sequence[Field | None], way: str) -> np.ndarray:
    """(packets,) saliency of the positions that travel in each packet; NaN where a frame's field is missing."""
    out = np.full(len(video.frame_of), np.nan)
    for frame, (packets, field) in enumerate(zip(video.packets, fields)):
        if field is None:
            continue
        saliency = field.by_position(way).double().numpy()
        for number, packet in enumerate(packets, int(video.first_of[frame])):
            mine = saliency[packet.packet.header.map(video.setup).order[packet.packet.index]]
            out[number] = np.sqrt((mine**2).sum()) if way == "l2" else mine.sum()
    return out


def of_frame(gradient: torch.Tensor | np.ndarray) -> float:
    """L2 norm of the gradient by all samples of a frame."""
    return float(np.linalg.norm(np.asarray(gradient, np.float64)))


class LinearTarget:
    """A score that is linear in the pixels: their product with `gradient` (T, 3, H, W), summed.

    In place of a `Target`, it carries a gradient that was made elsewhere, such as an averaged one, through the
    decoder; influence on it is exactly first order in the pixels.
    """

    def __init__(self, gradient: np.ndarray) -> None:
        self._gradient = torch.from_numpy(np.ascontiguousarray(gradient))

    def __call__(self, clip: np.ndarray | torch.Tensor) -> torch.Tensor:
        if isinstance(clip, np.ndarray):
            clip = torch.from_numpy(clip).permute(0, 3, 1, 2).to(self._gradient.dtype) / 255
        return (clip * self._gradient.to(clip.dtype)).sum()

    def frames_seen(self, count: int) -> None:
        """All of them."""
        return None


def averaged_gradient(target: Target, clip: np.ndarray, shifts: int) -> np.ndarray:
    """(T, 3, H, W) mean gradient over `shifts` clips, the first 0, 1, ... frames later.

    clip: (T, H, W, 3) uint8. The gap before is filled with the first frame, whose repetitions get no share. One
    period of the recognizer's picks is enough; see `period`.
    """
    if shifts < 1:
        raise ImportanceError(f"{shifts} shifts are no average: give 1 or more")
    total = np.zeros((len(clip), 3, *clip.shape[1:3]), np.float64)
    for shift in range(shifts):
        late = np.concatenate([np.repeat(clip[:1], shift, 0), clip])
        total += target.gradient(late)[shift:]
    return (total / shifts).astype(np.float32)


def period(fps: float, recognizer_fps: float, most: int = 30) -> int:
    """Frames after which the pattern of frames that are picked repeats: 12 for 12.5 of 30 a second.

    The least k with k recognizer_fps / fps whole, to a hundredth; `most` where none is below.
    """
    for k in range(1, most):
        steps = k * recognizer_fps / fps
        if steps > 0.99 and abs(steps - round(steps)) < 0.01:
            return k
    return most


def spectrum(curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Periods in frames, descending, and the share of the curve's variation at each.

    curve: (T,) saliency of frames; logarithms are taken, the straight line is taken out and the ends are faded
    (Hann), so that the shape of the action stays at long periods.
    """
    values = np.log(np.maximum(curve, 1e-3 * max(float(np.max(curve)), 1e-30)))
    t = np.arange(len(values))
    values = (values - np.polyval(np.polyfit(t, values, 1), t)) * np.hanning(len(values))
    power = np.abs(np.fft.rfft(values)) ** 2
    return len(values) / np.arange(1, len(power)), power[1:] / max(power[1:].sum(), 1e-30)


def _residual(video: SentVideo, before: DecoderState, packets: Sequence) -> torch.Tensor:
    """(P, 6, 64) coefficients that these packets brought."""
    header = packets[0].packet.header
    grid = video.setup.grid(header.half)
    received = assemble(grid.columns, grid.rows, packets)
    symbols = received.symbols
    motion = before.motion if before.half == header.half else None
    if (~symbols.received).any():
        symbols = conceal_motion(symbols, header.distance, motion, None if header.key else received.copies)
    base = base_steps(symbols, header.quality, received.coarse)
    pictures = (None, None) if header.key else references(before, header, grid.size)[:2]
    prediction = predict_frame(symbols, *pictures, base)
    samples = _positions(residual_planes(symbols, prediction, video.model.tables)).reshape(-1, 6, 8, 8)
    basis = torch.from_numpy(dct_matrix(8)).to(samples.dtype)
    return (basis @ samples @ basis.T).reshape(-1, LATENTS // 64, 64)


def _positions(planes: Planes | Sequence[torch.Tensor]) -> torch.Tensor:
    """Planes y, u, v to (positions, 6, 64): four 8x8 blocks of luma row by row, u, v."""
    y, u, v = planes
    luma = blocks_of(y, 16)
    rows, columns = luma.shape[:2]
    luma = luma.reshape(rows, columns, 2, 8, 2, 8).transpose(3, 4).reshape(rows * columns, 4, 64)
    chroma = [blocks_of(plane, 8).reshape(rows * columns, 1, 64) for plane in (u, v)]
    return torch.cat([luma, *chroma], 1)


def _blocks(planes: Sequence[torch.Tensor], size: int) -> torch.Tensor:
    """Planes of one size to (positions, 4 blocks a plane, size * size), positions of 2 x 2 blocks."""
    out = []
    for plane in planes:
        blocks = blocks_of(plane, 2 * size)
        rows, columns = blocks.shape[:2]
        blocks = blocks.reshape(rows, columns, 2, size, 2, size).transpose(3, 4)
        out.append(blocks.reshape(rows * columns, 4, size * size))
    return torch.cat(out, 1)
