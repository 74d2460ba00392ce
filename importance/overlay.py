"""Heat maps of saliency over the pictures they belong to: a sheet of moments, and a video.

heat = heat_maps(video, played, latent_fields(video, played, trace), "l2")
write_sheet(Path("heat.png"), video.rgb(played), heat)
write_video(Path("heat.mp4"), video.rgb(played), heat, video.setup.fps)
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.saliency import Field
from t4vcodec.importance.sent_video import Playback, SentVideo
from t4vcodec.media import from_rgb, open_writer
from t4vcodec.media.frames import usual_colour

TOP = 99.5
"""Percentile of a clip's saliency that is shown as the hottest colour."""
_GAMMA = 0.6
_STRONGEST = 0.75
"""Share of the heat in the picture where it is hottest."""


def heat_maps(video: SentVideo, played: Playback, fields: Sequence[Field | None], way: str) -> np.ndarray:
    """(T, H, W) saliency of the position that each pixel belongs to; 0 in frames without a field.

    Positions are 16x16 pixels, 32x32 in frames that are coded at half size.
    """
    height, width = video.setup.height, video.setup.width
    out = np.zeros((video.frames, height, width), np.float32)
    for frame, field in enumerate(fields):
        if field is None:
            continue
        half = played.states[frame + 1].half
        grid, size = video.setup.grid(half), 32 if half else 16
        blocks = field.by_position(way).float().numpy().reshape(grid.rows, grid.columns)
        out[frame] = blocks.repeat(size, 0).repeat(size, 1)[:height, :width]
    return out


def overlaid(clip: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) uint8: greyish pictures with heat over them, on one scale for the whole clip.

    clip: (T, H, W, 3) uint8. heat: (T, H, W), none below 0.
    """
    from matplotlib import colormaps

    if clip.shape[:3] != heat.shape:
        raise ImportanceError(f"heat of {heat.shape} does not fit pictures of {clip.shape[:3]}")
    top = float(np.percentile(heat, TOP))
    scaled = np.clip(heat / max(top, 1e-30), 0, 1) ** _GAMMA
    colours = colormaps["inferno"](scaled)[..., :3] * 255
    grey = 0.35 * clip + 0.65 * clip.mean(3, keepdims=True)
    share = _STRONGEST * scaled[..., None]
    return np.round(grey * (1 - share) + colours * share).astype(np.uint8)


def write_video(path: Path, clip: np.ndarray, heat: np.ndarray, fps: Fraction) -> None:
    """The overlaid clip as .mp4, .mkv, .y4m or a folder of PNG pictures. Raises MediaError."""
    height, width = clip.shape[1:3]
    colour = usual_colour(width, height)
    with open_writer(path, width, height, fps, colour) as writer:
        for number, picture in enumerate(overlaid(clip, heat)):
            writer.write(from_rgb(picture, number / float(fps), colour))


def write_sheet(
    path: Path, clip: np.ndarray, heats: Sequence[np.ndarray], moments: int = 6, height: int = 80
) -> None:
    """A PNG: `moments` pictures spread over the clip, and below each itself with every heat. height: of each."""
    from PIL import Image

    at = np.unique(np.linspace(0, len(clip) - 1, moments + 2).round().astype(int)[1:-1])
    rows = [np.concatenate(list(shown[at]), 1) for shown in (clip, *(overlaid(clip, h) for h in heats))]
    sheet = Image.fromarray(np.concatenate(rows, 0))
    factor = len(rows) * height / sheet.height
    sheet = sheet.resize((round(sheet.width * factor), len(rows) * height), Image.Resampling.BILINEAR)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        sheet.save(part, format="png", optimize=True)
        os.replace(part, path)
    except OSError as error:
        raise ImportanceError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()
