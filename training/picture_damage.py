"""Cheap imitations of what loss does to pictures, as augmentation: lost blocks and rows, freezing, coarse coding.

Pictures of training are about a third of the coded size, so a coded block of 16 samples is about 6 here.
"""

from __future__ import annotations

import numpy as np

_CELLS = (4, 6, 8, 12)


def damaged(frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(T, H, W, 3) uint8 with damage of random kind and strength; a quarter of the clips stay as they are."""
    if random.random() < 0.25:
        return frames
    if random.random() < 0.4:
        frames = _coarse(frames, random)
    kind = random.random()
    if kind < 0.25:
        return _frozen(frames, random)
    if kind < 0.85:
        return _holes(frames, random)
    return frames


def _coarse(frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Detail is lost as at a starved rate: averaged over small cells and mixed back."""
    cell, share = int(random.integers(2, 5)), random.uniform(0.4, 1.0)
    height, width = (n // cell * cell for n in frames.shape[1:3])
    inner = frames[:, :height, :width].astype(np.float32)
    means = inner.reshape(len(frames), height // cell, cell, width // cell, cell, 3).mean(
        (2, 4), keepdims=True
    )
    means = np.broadcast_to(means, (len(frames), height // cell, cell, width // cell, cell, 3))
    out = frames.copy()
    mixed = inner + share * (means.reshape(inner.shape) - inner)
    out[:, :height, :width] = np.rint(mixed).astype(np.uint8)
    return out


def _frozen(frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Whole pictures are lost, alone or in runs: the last one stays."""
    lost = _lost_runs(len(frames), random.uniform(0.1, 0.7), random.choice([1, 1, 3, 5]), random)
    lost[0] = False
    return frames[np.maximum.accumulate(np.where(lost, 0, np.arange(len(frames))))]


def _holes(frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Places stay as they were until they are sent again, alone, in rows, or in runs of time."""
    cell = int(random.choice(_CELLS))
    rows, columns = -(-frames.shape[1] // cell), -(-frames.shape[2] // cell)
    rate, repair = random.uniform(0.05, 0.6), random.uniform(0.3, 1.0)
    whole_rows = random.random() < 0.4
    out = frames.copy()
    broken = np.zeros((rows, columns), bool)
    for t in range(1, len(frames)):
        hit = random.random((rows, 1 if whole_rows else columns)) < rate
        # What was lost before stays wrong until a later packet mends it.
        broken = (broken & (random.random((rows, columns)) > repair)) | hit
        mask = np.repeat(np.repeat(broken, cell, 0), cell, 1)[: frames.shape[1], : frames.shape[2]]
        out[t][mask] = out[t - 1][mask]
    return out


def _lost_runs(count: int, rate: float, run: float, random: np.random.Generator) -> np.ndarray:
    """Losses of a two-state channel: rate of losses, mean length of a run."""
    leave = 1.0 / run
    enter = min(1.0, rate * leave / max(1e-6, 1 - rate))
    lost = np.zeros(count, bool)
    state = False
    for i in range(count):
        state = random.random() < ((1 - leave) if state else enter)
        lost[i] = state
    return lost
