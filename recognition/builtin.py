"""The built-in recognizers: `ActionNetwork` with weights from `pretrained/recognizers` or a file."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from t4vcodec.codec.models.weights_file import write_tensors
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.network import MULTIPLE, WINDOWS, ActionNetwork, Shape
from t4vcodec.recognition.recognizer import windows_of
from t4vcodec.recognition.windows import Clip, as_clip, check_clip, scale, scaled_size

FORMAT = "t4v-actions-1"
ENDING = ".safetensors"


class BuiltinRecognizer:
    """A trained `ActionNetwork`, frozen and in evaluation mode; see `Recognizer`."""

    differentiable = True

    def __init__(self, name: str, labels: tuple[str, ...], network: ActionNetwork) -> None:
        self.name = name
        self.labels = labels
        self.network = network.requires_grad_(False).eval()

    def scores(self, frames: Clip, fps: float) -> torch.Tensor:
        """See `Recognizer.scores`: mean over windows of the scores before softmax."""
        return F.log_softmax(self.window_scores(frames, fps).mean(0), dim=0)

    def frames_seen(self, count: int, fps: float) -> list[int]:
        """Which frames of a clip are looked at, ascending; the others change nothing."""
        return np.unique(WINDOWS.picks(count, fps)).tolist()

    def window_scores(self, frames: Clip, fps: float) -> torch.Tensor:
        """(windows, classes) scores before softmax, a window every `WINDOWS.hop` frames of `WINDOWS.fps`."""
        wanted = torch.is_grad_enabled() and isinstance(frames, torch.Tensor) and frames.requires_grad
        with torch.set_grad_enabled(wanted):
            picks = WINDOWS.picks(len(check_clip(frames)), fps)
            shown, places = np.unique(picks, return_inverse=True)
            # Frames that no window shows are neither converted nor scaled.
            clip = as_clip(frames[shown])
            clip = scale(clip, *scaled_size(*clip.shape[2:], self.network.shape.short_side, MULTIPLE))
            return self.network(windows_of(clip, places.reshape(picks.shape)))


def builtin_names() -> list[str]:
    """Names of the recognizers that come with the package."""
    return sorted(p.name.removesuffix(ENDING) for p in _packaged().iterdir() if p.name.endswith(ENDING))


def _packaged() -> Path:
    return Path(str(files("t4vcodec.pretrained") / "recognizers"))


def load_builtin(name: str) -> BuiltinRecognizer:
    """A recognizer by name or file. Raises RecognitionError."""
    packaged = _packaged() / f"{name}{ENDING}"
    path = packaged if "/" not in name and packaged.is_file() else Path(name)
    if not path.is_file():
        raise RecognitionError(
            f"no built-in recognizer {name!r}: known are {', '.join(builtin_names())}, or give a .safetensors file"
        )
    facts = path.stat()
    return _load(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=8)
def _load(path: Path, changed: int, size: int) -> BuiltinRecognizer:
    """changed, size: of the file, so that one written over is read again."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise RecognitionError(f"{path}: holds no recognizer of this version of t4vcodec")
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        labels = tuple(json.loads(metadata["labels"]))
        shape = Shape(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(metadata["shape"]).items()}
        )
        network = ActionNetwork(len(labels), shape).to(memory_format=torch.channels_last)
        network.load_state_dict(tensors, strict=False)
        missing = [
            n for n in network.state_dict() if n not in tensors and not n.endswith("num_batches_tracked")
        ]
        if missing:
            raise RecognitionError(f"{path}: lacks {missing[0]}: it is damaged or of another version")
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
        raise RecognitionError(f"{path}: cannot be read as a recognizer: {error}") from error
    return BuiltinRecognizer(path.stem, labels, network)


def save_recognizer(
    network: ActionNetwork, labels: tuple[str, ...], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a recognizer: kernels in half precision, norms and biases in single. Raises WeightsFileError."""
    tensors = {}
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensors[name] = (tensor.half() if tensor.ndim > 1 else tensor.float()).numpy()
    facts = {"format": FORMAT, "labels": json.dumps(labels), "shape": json.dumps(network.shape.to_json())}
    write_tensors(tensors, path, {**facts, **(metadata or {})})
