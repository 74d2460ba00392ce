"""Clips that are made at once, and where the real sets are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from t4vcodec.media import Colour, from_rgb, open_writer

ACTIONS = Path(__file__).parents[3] / "shared" / "data" / "actions"


def moving_clip(frames: int = 12, height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """(T, H, W, 3) uint8: a bright square that moves over a textured ground."""
    random = np.random.default_rng(seed)
    clip = np.repeat(random.integers(0, 90, (1, height, width, 3), dtype=np.uint8), frames, 0)
    for t in range(frames):
        clip[t, 10:22, 4 + t : 16 + t] = 220
    return clip


def write_clip(path: Path, frames: int = 12, fps: int = 12, seed: int = 0) -> None:
    """A small video file of `moving_clip`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clip = moving_clip(frames, seed=seed)
    with open_writer(str(path), clip.shape[2], clip.shape[1], fps, Colour()) as writer:
        for number, picture in enumerate(clip):
            writer.write(from_rgb(picture, number / fps, Colour()))
