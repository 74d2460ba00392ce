"""What a recognizer is: a clip of frames in, one score a class out.

    recognizer = load_recognizer("builtin:rendered")
    scores = recognizer.scores(frames, fps=25.0)
    recognizer.labels[int(scores.argmax())]

`builtin:NAME` or a .safetensors file that `t4vcodec train-recognizer` wrote, `torchvision:NAME[=state dict]`,
`onnx:FILE`. Nothing is ever downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.windows import Clip


class Recognizer(Protocol):
    """Names the action in a clip."""

    name: str
    """For reports."""
    labels: tuple[str, ...]
    """Classes, in the order of the scores."""
    differentiable: bool
    """Whether the gradient of a score reaches the pixels of a float clip."""

    def scores(self, frames: Clip, fps: float) -> torch.Tensor:
        """(classes,) logarithms of probabilities of a clip of any length, rate and size.

        frames: see `as_clip`. Always in evaluation mode; under gradients where the caller has them on and the clip
        asks for them. Raises RecognitionError for what is no clip.
        """
        ...


def load_recognizer(name: str, labels: Path | None = None) -> Recognizer:
    """A recognizer by its name (see above). labels: a text file with a class a line, for those that bring none.

    Raises RecognitionError: unknown, not readable, or with another number of classes than `labels`.
    """
    kind, _, rest = name.partition(":")
    listed = None if labels is None else read_labels(labels)
    if kind == "torchvision":
        from t4vcodec.recognition.torchvision_backend import load_torchvision

        return load_torchvision(rest, listed)
    if kind == "onnx":
        from t4vcodec.recognition.onnx_backend import load_onnx

        return load_onnx(rest, listed)
    if kind == "builtin" or name.endswith(".safetensors"):
        from t4vcodec.recognition.builtin import load_builtin

        recognizer = load_builtin(rest if kind == "builtin" else name)
        check_class_count(recognizer.name, len(recognizer.labels), listed)
        return recognizer
    raise RecognitionError(
        f"no recognizer {name!r}: give builtin:NAME, a .safetensors file, torchvision:NAME or onnx:FILE"
    )


def read_labels(path: Path) -> tuple[str, ...]:
    """Classes from a text file, one a line. Raises RecognitionError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecognitionError(f"{path}: cannot be read as a list of classes: {error}") from error
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels or len(set(labels)) != len(labels):
        raise RecognitionError(f"{path}: give each class once, a line each")
    return labels


def check_class_count(name: str, count: int, labels: Sequence[str] | None) -> None:
    """Raises RecognitionError unless there are as many labels as classes (or none given)."""
    if labels is not None and len(labels) != count:
        raise RecognitionError(
            f"{name} has {count} classes but {len(labels)} labels are given: give the list it was trained with"
        )


def windows_of(clip: torch.Tensor, picks: np.ndarray) -> torch.Tensor:
    """(T, 3, H, W) and (windows, frames) integers to (windows, frames, 3, H, W)."""
    return clip[torch.from_numpy(picks.ravel())].unflatten(0, picks.shape)
