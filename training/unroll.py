"""A chain through time: the decoder's own steps, some packets erased, gradients through the last of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from t4vcodec.codec.models import Model
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.state import DecoderState, step
from t4vcodec.errors import T4VError
from t4vcodec.training.samples import Sample

BURST = 5.0  # packets, mean length of the bursts that half of the lossy chains meet
MIXED_CLEAN = 0.8  # share of clean chains in `mixed`


class LossError(T4VError):
    """A spelling of --train-loss that means nothing."""


@dataclass(frozen=True)
class TrainLoss:
    """How packets are erased in training. low, high: range of the rate. clean: share of chains without loss."""

    low: float
    high: float
    clean: float

    @classmethod
    def parse(cls, text: str) -> TrainLoss:
        """`0`, `0.3`, a range `0:0.6`, or `mixed`. Raises LossError.

        A lossy setting still trains two chains of five without loss: the encoder's own chain is one of those.
        """
        if text == "mixed":
            return cls(0.1, 0.6, MIXED_CLEAN)
        try:
            low, _, high = text.partition(":")
            rates = float(low), float(high or low)
        except ValueError:
            rates = (-1.0, -1.0)
        if not 0 <= rates[0] <= rates[1] <= 0.9:
            raise LossError(f"--train-loss {text}: give 0, a rate up to 0.9, a range as 0:0.6, or mixed")
        return cls(*rates, 1.0 if rates[1] == 0 else 0.4)

    def draw(self, counts: Sequence[int], random: np.random.Generator) -> list[np.ndarray]:
        """Which packets are lost in frames of `counts` packets, (count,) bool each."""
        if random.random() < self.clean:
            return [np.zeros(n, bool) for n in counts]
        loss = random.uniform(self.low, self.high)
        total = sum(counts)
        if random.random() < 0.5:
            lost = random.random(total) < loss
        else:
            lost = _bursts(loss, total, random)
        return [np.asarray(part) for part in np.split(lost, np.cumsum(counts)[:-1])]


def _bursts(loss: float, total: int, random: np.random.Generator) -> np.ndarray:
    """Gilbert-Elliott with everything lost in the bad state."""
    leave = 1 / BURST
    enter = leave * loss / max(1 - loss, 0.05)
    bad = random.random() < loss
    out = np.zeros(total, bool)
    for i in range(total):
        out[i] = bad
        bad = random.random() >= leave if bad else random.random() < enter
    return out


def run_chain(
    sample: Sample, model: Model, lost: Sequence[np.ndarray], start: int, frames: int
) -> list[Picture]:
    """Pictures of frames start .. start + frames - 1, with gradients; what comes before runs without."""
    state = DecoderState()
    shown = []
    for number in range(start + frames):
        kept = [p for p, gone in zip(sample.packets[number], lost[number]) if not gone]
        with torch.set_grad_enabled(number >= start and torch.is_grad_enabled()):
            state, picture = step(state, kept, sample.setup, model)
        if number >= start:
            shown.append(picture)
    return shown


def planes_of(picture: Picture, height: int, width: int) -> tuple[torch.Tensor, ...]:
    """y, u, v cropped to the frame's size."""
    return (
        picture.y[:height, :width],
        picture.u[: (height + 1) // 2, : (width + 1) // 2],
        picture.v[: (height + 1) // 2, : (width + 1) // 2],
    )


def source_planes(sample: Sample, number: int) -> tuple[torch.Tensor, ...]:
    """y, u, v of a source frame as float."""
    return tuple(p[number].float() for p in sample.source)
