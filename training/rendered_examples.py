"""Rendered clips as training material: rendered once, small, kept in a folder.

A file holds one clip of every action with the same number, so that a run that was stopped loses little.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from t4vcodec.media import to_rgb
from t4vcodec.media.rendered import ACTIONS, render_clip
from t4vcodec.media.rendered.names import generator

SIZE = (136, 112)
"""Width and height; a little more than networks take, so that crops can be drawn."""
FRAMES = 30
"""Frames kept of a clip, of 60 rendered at 25 a second."""
FPS = 12.5
_RENDERED = 60
_TRUTH_EVERY = 4
_SPEEDS = (0.85, 1.25)
"""Of training clips, by leaving out more or fewer frames: the splits differ in tempo on purpose."""


@dataclass(frozen=True, eq=False)
class RenderedExample:
    """frames: (T, H, W, 3) uint8 at FPS. at: (K,) frames with truth. joints: (K, J, 2) float32 in pixels.
    visible: (K, J) bool."""

    action: str
    frames: np.ndarray
    at: np.ndarray
    joints: np.ndarray
    visible: np.ndarray


def render_example(action: str, seed: int, split: str, size: tuple[int, int] = SIZE) -> RenderedExample:
    """One clip at FPS; a training clip at a speed of its own. Raises RenderedError."""
    clip = render_clip(action, seed, split, *size, frames=_RENDERED)
    step, first = 2.0, 0.0
    if split == "train":
        random = generator(split, action, seed, "speed of a training example")
        step, first = 2 * random.uniform(*_SPEEDS), random.uniform(0, 1.49)
    picked = np.rint(first + step * np.arange(FRAMES)).astype(int)
    picked = picked[picked < _RENDERED]
    at = np.arange(0, len(picked), _TRUTH_EVERY)
    truths = [clip.truth[int(picked[k])] for k in at]
    return RenderedExample(
        action,
        np.stack([to_rgb(clip.frame(int(i))) for i in picked]),
        at,
        np.stack([t.joints for t in truths]),
        np.stack([t.visible for t in truths]),
    )


def rendered_examples(
    folder: Path, split: str, numbers: range, echo: Callable[[str], None] = lambda line: None
) -> Iterator[RenderedExample]:
    """Clips of every action with these numbers, read from `folder` or rendered into it.

    Raises RenderedError, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        path = folder / f"{split}-{number:04d}.npz"
        if not path.exists():
            arrays: dict[str, np.ndarray] = {}
            for action in ACTIONS:
                example = render_example(action, number, split)
                for name in ("frames", "at", "joints", "visible"):
                    arrays[f"{action}.{name}"] = getattr(example, name)
            part = path.with_suffix(".part")
            with open(part, "wb") as file:
                np.savez(file, **arrays)
            os.replace(part, path)
            echo(f"rendered clips {number} of {split}")
        with np.load(path) as stored:
            for action in ACTIONS:
                parts = (stored[f"{action}.{name}"] for name in ("frames", "at", "joints", "visible"))
                yield RenderedExample(action, *parts)
