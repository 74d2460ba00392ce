"""The gradient of a recognizer's answer through the decoder, down to every picture and every latent.

    trace = trace_gradients(video, arrived, target)
    trace.score                   # the number whose gradient it is
    trace.shown[t]                # (3, H, W): by what frame t shows, nothing else
    trace.pictures[t]             # planes: by picture t and all that later frames take from it
    trace.latents[t]              # (P, 384): by the 8x8 DCT coefficients of frame t's residual, likewise

The decoder is run frame by frame as `codec.state.step` does it, with its pictures in one graph: a frame's error
travels along the motion into the frames that are predicted from it, and so does the gradient back. Rounding to 8
bits and the choice of what to deblock are passed straight through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.reconstruct import Planes, plane_of
from t4vcodec.codec.setup import Grid
from t4vcodec.codec.state import DecoderState, step
from t4vcodec.codec.transform import inverse8
from t4vcodec.importance.sent_video import SentVideo, check_set
from t4vcodec.importance.target import Target
from t4vcodec.media.frames import LUMA_WEIGHTS, Colour

LATENTS = 384
"""Coefficients of a position: four 8x8 blocks of luma, one of each chroma."""


@dataclass(frozen=True, eq=False)
class Trace:
    """Gradients of one score; see the module. None in `latents` where nothing of a frame arrived."""

    score: float
    arrived: np.ndarray
    shown: tuple[torch.Tensor, ...]
    """(3, H, W) by R'G'B' in 0..1."""
    pictures: tuple[Planes, ...]
    """y, u, v by grey values, as coded: half size where the stream says so."""
    latents: tuple[torch.Tensor | None, ...]
    """(P, 384) by coefficients: luma blocks row by row, then u and v."""
    mended: dict[int, Planes]
    """By pictures that the decoder made again, as `pictures`: of frames lost whole, see `mended_pictures`."""


def trace_gradients(
    video: SentVideo, arrived: np.ndarray, target: Target, dtype: torch.dtype = torch.float32
) -> Trace:
    """One pass forward and one back through a video of which `arrived` is there."""
    arrived = check_set(arrived, len(video.frame_of))
    latents = [
        torch.zeros((grid.positions, LATENTS), dtype=dtype, requires_grad=True) if grid else None
        for grid in (_grid(video, frame, arrived) for frame in range(len(video.packets)))
    ]
    with torch.enable_grad():
        pictures, clips, mended = _decode(video, arrived, latents, dtype)
        for picture in (*pictures, *mended.values()):
            for plane in (picture.y, picture.u, picture.v):
                if plane.requires_grad:
                    plane.retain_grad()
        for clip in clips:
            if clip.requires_grad:
                clip.retain_grad()
        score = target(torch.stack(clips))
        if score.requires_grad:
            score.backward()
    return Trace(
        float(score.detach()),
        arrived,
        tuple(_gradient(clip) for clip in clips),
        tuple((_gradient(p.y), _gradient(p.u), _gradient(p.v)) for p in pictures),
        tuple(None if latent is None else _gradient(latent) for latent in latents),
        {t: (_gradient(p.y), _gradient(p.u), _gradient(p.v)) for t, p in mended.items()},
    )


def decode_graph(
    video: SentVideo,
    arrived: np.ndarray,
    latents: list[torch.Tensor | None],
    dtype: torch.dtype = torch.float32,
) -> tuple[list[Picture], list[torch.Tensor]]:
    """Pictures as coded and as shown, (3, H, W) R'G'B' in 0..1, with `latents` (P, 384) added to the residuals."""
    return _decode(video, arrived, latents, dtype)[:2]


def mended_pictures(state: DecoderState, pictures: Sequence[Picture]) -> dict[int, Picture]:
    """Pictures of frames lost whole that the decoder made again when it saw what came after them, by frame.

    What was shown of them stands; later frames are predicted from these. state: after such a frame. pictures: as
    they were shown.
    """
    return {n: picture for n, picture in state.recent if picture is not pictures[n]}


def _decode(
    video: SentVideo, arrived: np.ndarray, latents: list[torch.Tensor | None], dtype: torch.dtype
) -> tuple[list[Picture], list[torch.Tensor], dict[int, Picture]]:
    """`decode_graph`, and the mended pictures."""
    state = DecoderState()
    pictures, clips, mended = [], [], {}
    for frame, latent in enumerate(latents):
        packets = video.arrived_of(frame, arrived)
        grid = _grid(video, frame, arrived)
        added = None if latent is None else latent_planes(latent, grid)
        before = state.last
        state, picture = step(state, packets, video.setup, video.model, dtype, added)
        if picture is before:
            # The frame before stands: a picture of its own, or its gradient would count for both.
            picture = Picture(*(p.clone() for p in (picture.y, picture.u, picture.v)), picture.damage)
            state = _with_last(state, picture)
        pictures.append(picture)
        mended |= mended_pictures(state, pictures)
        full = picture.enlarged(*video.setup.grid(False).size) if state.half else picture
        clips.append(rgb_of(full, video.setup.height, video.setup.width, video.colour))
    return pictures, clips, mended


def latent_planes(latent: torch.Tensor, grid: Grid) -> Planes:
    """(P, 384) coefficients of 8x8 transforms to planes y, u, v."""
    rows, columns = grid.rows, grid.columns
    luma = inverse8(latent[:, :256].reshape(-1, 64)).reshape(rows, columns, 2, 2, 8, 8)
    y = luma.permute(0, 2, 4, 1, 3, 5).reshape(rows * 16, columns * 16)
    chroma = inverse8(latent[:, 256:].reshape(-1, 64)).reshape(rows, columns, 2, 8, 8)
    return y, plane_of(chroma[:, :, 0]), plane_of(chroma[:, :, 1])


def rgb_of(picture: Picture, height: int, width: int, colour: Colour) -> torch.Tensor:
    """(3, height, width) R'G'B' in 0..1, clipped: `media.to_rgb` in torch, without its rounding."""
    kr, kb = LUMA_WEIGHTS[colour.matrix]
    black, luma_range, chroma_range = (0.0, 255.0, 255.0) if colour.full_range else (16.0, 219.0, 224.0)
    y = (picture.y[:height, :width] - black) / luma_range
    cb, cr = (
        (plane.repeat_interleave(2, 0)[:height].repeat_interleave(2, 1)[:, :width] - 128) / chroma_range
        for plane in (picture.u, picture.v)
    )
    red = y + (2 - 2 * kr) * cr
    blue = y + (2 - 2 * kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return torch.stack([red, green, blue]).clamp(0, 1)


def _grid(video: SentVideo, frame: int, arrived: np.ndarray) -> Grid | None:
    """Of the frame's coded picture; None where nothing of it arrived."""
    packets = video.arrived_of(frame, arrived)
    return video.setup.grid(packets[0].packet.header.half) if packets else None


def _with_last(state: DecoderState, picture: Picture) -> DecoderState:
    return replace(state, last=picture, recent=(*state.recent[:-1], (state.number, picture)))


def _gradient(tensor: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(tensor, requires_grad=False) if tensor.grad is None else tensor.grad.detach()
