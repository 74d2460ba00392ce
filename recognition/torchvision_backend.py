"""Video networks of torchvision by name, with their own preprocessing; weights only from a file.

    torchvision:r3d_18                     torchvision's own file, where it was downloaded before
    torchvision:r3d_18=/path/weights.pth   any state dict of that network

Nothing is downloaded: without a file at hand the error says which one is missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.recognizer import check_class_count, windows_of
from t4vcodec.recognition.windows import Clip, Windows, as_clip

FPS = 15.0
"""Rate at which torchvision's reference scores were measured."""
NETWORKS: dict[str, int] = {
    "r3d_18": 16,
    "mc3_18": 16,
    "r2plus1d_18": 16,
    "s3d": 16,
    "mvit_v1_b": 16,
    "mvit_v2_s": 16,
    "swin3d_t": 32,
    "swin3d_s": 32,
    "swin3d_b": 32,
}
"""Names, and frames of a window (their `min_temporal_size` or what they were trained with)."""
_SHORT_NAMES = {"mvit": "mvit_v2_s", "swin3d": "swin3d_t"}


class TorchvisionRecognizer:
    """A video network of torchvision; see `Recognizer`."""

    differentiable = True

    def __init__(self, name: str, labels: tuple[str, ...], network: torch.nn.Module, preset: Any) -> None:
        """preset: torchvision's VideoClassification transform, or anything with its four attributes."""
        self.name = name
        self.labels = labels
        self.network = network.requires_grad_(False).eval()
        self.windows = Windows(FPS, NETWORKS[name], NETWORKS[name] // 2)
        self._resize = list(preset.resize_size)
        self._crop = list(preset.crop_size)
        self._mean = torch.tensor(preset.mean)[:, None, None]
        self._deviation = torch.tensor(preset.std)[:, None, None]

    def scores(self, frames: Clip, fps: float) -> torch.Tensor:
        """See `Recognizer.scores`: the mean over windows before softmax."""
        clip = as_clip(frames)
        with torch.set_grad_enabled(torch.is_grad_enabled() and clip.requires_grad):
            clip = (self._fitted(clip) - self._mean) / self._deviation
            windows = windows_of(clip, self.windows.picks(len(clip), fps)).transpose(1, 2)
            # One at a time: the transformers would need gigabytes for all.
            scores = torch.cat([self.network(window[None]) for window in windows])
            return F.log_softmax(scores.mean(0), dim=0)

    def _fitted(self, clip: torch.Tensor) -> torch.Tensor:
        """Scaled and cropped in the middle as torchvision's preset does, without its detour over bytes."""
        height, width = clip.shape[2:]
        if len(self._resize) == 1:
            factor = self._resize[0] / min(height, width)
            size = (max(self._crop[0], round(height * factor)), max(self._crop[1], round(width * factor)))
        else:
            size = (self._resize[0], self._resize[1])
        clip = F.interpolate(clip, size, mode="bilinear", align_corners=False)
        top, left = ((n - c) // 2 for n, c in zip(size, self._crop))
        return clip[:, :, top : top + self._crop[0], left : left + self._crop[1]]


def load_torchvision(text: str, labels: tuple[str, ...] | None = None) -> TorchvisionRecognizer:
    """`NAME` or `NAME=FILE`. labels: classes, Kinetics-400 by default.

    Raises RecognitionError: an unknown name, no file of weights, those of another network, other classes.
    """
    from torchvision.models import get_model, get_model_weights

    name, _, file = text.partition("=")
    name = _SHORT_NAMES.get(name, name)
    if name not in NETWORKS:
        raise RecognitionError(
            f"torchvision has no video network {name!r} here: use one of {', '.join(NETWORKS)}"
        )
    weights = get_model_weights(name).DEFAULT
    path = Path(file) if file else Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if not path.is_file():
        raise RecognitionError(
            f"torchvision:{name} needs weights, and nothing is downloaded: get {weights.url} and give "
            f"torchvision:{name}=FILE ({path} is not there)"
        )
    known = labels if labels is not None else tuple(weights.meta["categories"])
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network = get_model(name, weights=None, num_classes=_classes_in(state))
        network.load_state_dict(state)
    except Exception as error:  # torch.load and load_state_dict raise all sorts for a file of another kind
        raise RecognitionError(f"{path}: no weights of {name}: {_first_line(error)}") from error
    check_class_count(f"torchvision:{name}", _classes_in(state), known)
    return TorchvisionRecognizer(name, known, network, weights.transforms())


def _classes_in(state: Any) -> int:
    """Classes of a state dict: of its last layer's bias."""
    biases = [tensor for key, tensor in state.items() if key.endswith("bias") and tensor.ndim == 1]
    return int(np.prod(biases[-1].shape))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
