"""The number that importance is about: how firmly a recognizer names the class that it named on the clean video.

    log-odds = log p - log(1 - p), p the probability of that class
    margin   = log p - log q, q the probability of the strongest other class: the answer turns where it crosses 0

Both order like the probability but do not saturate, and need nothing but the logarithms of probabilities that
every recognizer gives. `logit` (before softmax) and `probability` are there for comparison.
"""

from __future__ import annotations

import numpy as np
import torch
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.recognition.recognizer import Recognizer
from t4vcodec.recognition.windows import as_clip

SCORES = ("log-odds", "margin", "logit", "probability")


def log_odds(scores: torch.Tensor, wanted: int) -> torch.Tensor:
    """scores: (classes,) logarithms of probabilities. Returns a scalar."""
    others = torch.cat([scores[:wanted], scores[wanted + 1 :]])
    return scores[wanted] - torch.logsumexp(others, 0)


def margin(scores: torch.Tensor, wanted: int) -> torch.Tensor:
    """scores: (classes,) logarithms of probabilities. Returns a scalar."""
    return scores[wanted] - torch.cat([scores[:wanted], scores[wanted + 1 :]]).max()


class Target:
    """Scores clips for one class.

    recognizer: see `recognition`. wanted: the class, usually the first on the clean video. fps: of the clips.
    kind: one of `SCORES`; logit needs a recognizer with `window_scores` (the built-in ones).
    """

    def __init__(self, recognizer: Recognizer, wanted: int, fps: float, kind: str = "log-odds") -> None:
        if kind not in SCORES:
            raise ImportanceError(f"unknown score {kind!r}: take {', '.join(SCORES)}")
        if kind == "logit" and not hasattr(recognizer, "window_scores"):
            raise ImportanceError(f"{recognizer.name} gives no logits: take log-odds or probability")
        if not 0 <= wanted < len(recognizer.labels):
            raise ImportanceError(
                f"{recognizer.name} has classes 0 to {len(recognizer.labels) - 1}, not {wanted}"
            )
        self.recognizer, self.wanted, self.fps, self.kind = recognizer, wanted, fps, kind

    @classmethod
    def of_clean(cls, recognizer: Recognizer, clip: np.ndarray, fps: float, kind: str = "log-odds") -> Target:
        """For the class that the recognizer names on a clip."""
        return cls(recognizer, int(recognizer.scores(clip, fps).argmax()), fps, kind)

    def __call__(self, clip: np.ndarray | torch.Tensor) -> torch.Tensor:
        """The score of a clip, a scalar; under gradients where the clip asks for them."""
        if self.kind == "logit":
            return self.recognizer.window_scores(clip, self.fps).mean(0)[self.wanted]
        scores = self.recognizer.scores(clip, self.fps)
        if self.kind == "probability":
            return scores[self.wanted].exp()
        return (margin if self.kind == "margin" else log_odds)(scores, self.wanted)

    def gradient(self, clip: np.ndarray) -> np.ndarray:
        """(T, 3, H, W) gradient of the score by the pixels, in 0..1, of a (T, H, W, 3) uint8 clip."""
        pixels = as_clip(clip).requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(self(pixels), pixels)
        return gradient.numpy()

    def frames_seen(self, count: int) -> list[int] | None:
        """Which of `count` frames the recognizer looks at; None where it does not say."""
        seen = getattr(self.recognizer, "frames_seen", None)
        return None if seen is None else seen(count, self.fps)
