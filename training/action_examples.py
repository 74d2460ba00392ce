"""Labelled clips in memory, small, and random windows of them as a recognizer's training takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from t4vcodec.errors import T4VError
from t4vcodec.recognition.datasets import ActionSet, read_frames
from t4vcodec.recognition.network import MULTIPLE, WINDOWS
from t4vcodec.recognition.windows import scaled_size
from t4vcodec.training.picture_damage import damaged

KEPT_SIDE = 112
"""Short side of clips in memory: more than the network takes, so that crops can be drawn."""
_SPEEDS = (0.85, 1.2)
_SCALES = (0.55, 1.0)


@dataclass(frozen=True, eq=False)
class Example:
    """frames: (T, H, W, 3) uint8. label: number of the class. jitter: whether its speed may still be changed."""

    frames: np.ndarray
    fps: float
    label: int
    jitter: bool = True


@dataclass(frozen=True, eq=False)
class Task:
    """A set to learn: its classes and its examples, all of one shape of picture."""

    name: str
    labels: tuple[str, ...]
    examples: Sequence[Example]

    def draw(
        self, count: int, random: np.random.Generator, damage: bool, short_side: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch: windows (count, frames, 3, H, W) in 0..1 and classes (count,), every class equally likely."""
        size = scaled_size(*self.examples[0].frames.shape[1:3], short_side, MULTIPLE)
        by_class: dict[int, list[Example]] = {}
        for example in self.examples:
            by_class.setdefault(example.label, []).append(example)
        classes = sorted(by_class)
        order = np.concatenate([random.permutation(classes) for _ in range(count // len(classes) + 1)])[
            :count
        ]
        windows, labels = [], []
        for label in order:
            pool = by_class[int(label)]
            example = pool[int(random.integers(len(pool)))]
            windows.append(_augmented(example, size, random, damage))
            labels.append(int(label))
        return torch.stack(windows), torch.tensor(labels)


def load_task(clips: ActionSet, echo: Callable[[str], None]) -> Task:
    """Decode a set into memory; clips that do not decode are told of and left out.

    Raises RecognitionError via the set, and T4VError where no clip of a class is left.
    """
    examples, bad = [], 0
    for clip in clips.clips:
        try:
            frames, fps = read_frames(clip, KEPT_SIDE)
        except T4VError as error:
            bad += 1
            echo(f"left out: {error}")
            continue
        examples.append(Example(frames, float(fps), clips.labels.index(clip.label)))
    if bad:
        echo(f"{clips.name}: {bad} of {len(clips.clips)} clips left out")
    empty = [label for i, label in enumerate(clips.labels) if not any(e.label == i for e in examples)]
    if empty:
        raise T4VError(f"{clips.name}: no clip of class {empty[0]} can be used: add some or take it away")
    return Task(clips.name, clips.labels, examples)


def _augmented(
    example: Example, size: tuple[int, int], random: np.random.Generator, damage: bool
) -> torch.Tensor:
    """A window (frames, 3, H, W): a stretch of time, at another speed, cropped, mirrored, in other light."""
    speed = random.uniform(*_SPEEDS) if example.jitter else 1.0
    step = speed * example.fps / WINDOWS.fps
    spare = len(example.frames) - 1 - step * (WINDOWS.frames - 1)
    # A clip shorter than a window holds its last frame, as in use.
    first = random.uniform(0, max(spare, 0.0)) if spare > 0 else random.uniform(0, 1.0)
    picks = np.floor(first + step * np.arange(WINDOWS.frames) + 0.5).astype(int)
    frames = example.frames[np.clip(picks, 0, len(example.frames) - 1)]
    if damage:
        frames = damaged(frames, random)
    height, width = frames.shape[1:3]
    area, stretch = random.uniform(*_SCALES), np.exp(random.uniform(-0.15, 0.15))
    h = min(height, max(16, round(height * np.sqrt(area / stretch))))
    w = min(width, max(16, round(width * np.sqrt(area * stretch))))
    top, left = int(random.integers(height - h + 1)), int(random.integers(width - w + 1))
    window = torch.from_numpy(np.ascontiguousarray(frames[:, top : top + h, left : left + w]))
    window = F.interpolate(
        window.permute(0, 3, 1, 2).float().div_(255), size, mode="bilinear", align_corners=False
    )
    if random.random() < 0.5:
        window = window.flip(3)
    if random.random() < 0.2:
        window = window.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    gain = torch.from_numpy(random.uniform(0.75, 1.3) * random.uniform(0.85, 1.15, 3)).float()
    window = window * gain[None, :, None, None] + float(random.uniform(-0.1, 0.1))
    if random.random() < 0.3:
        noise = torch.from_numpy(random.standard_normal(window.shape, dtype=np.float32))
        window = window + float(random.uniform(0, 0.04)) * noise
    return window.clamp(0, 1)
