"""Pose: where the joints of a figure are, one picture at a time.

A small network of pictures to one heat map a joint, at a quarter of its input's size; a joint lies at the centre of
mass about its map's peak. Trained on rendered figures, of which the truth is known; on other people it is a
measuring stick for agreement with the clean picture, not a pose estimator.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from t4vcodec.codec.models.weights_file import write_tensors
from t4vcodec.media.rendered import JOINTS
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.windows import Clip, as_clip, scale, scaled_size
from torch import nn

FORMAT = "t4v-pose-1"
SHORT_SIDE = 96
MULTIPLE = 32
STRIDE = 4
_HEAD, _NECK, _PELVIS = JOINTS.index("head"), JOINTS.index("neck"), JOINTS.index("pelvis")


def _layer(before: int, width: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())


class PoseNetwork(nn.Module):
    """Pictures to heat maps; a U-shaped network of three scales."""

    def __init__(self, joints: int = len(JOINTS)) -> None:
        super().__init__()
        self.fine = nn.Sequential(_layer(3 * 4, 32, 2), _layer(32, 32))
        self.middle = nn.Sequential(_layer(32, 64, 2), _layer(64, 64))
        self.coarse = nn.Sequential(_layer(64, 128, 2), _layer(128, 128), _layer(128, 128), _layer(128, 64))
        self.up = _layer(128, 64)
        self.join = _layer(96, 64)
        self.maps = nn.Conv2d(64, joints, 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) in 0..1, sides multiples of 32, to (N, joints, H / 4, W / 4) before the sigmoid."""
        mean, deviation = pictures.mean((1, 2, 3), keepdim=True), pictures.flatten(1).std(1).clamp_min(0.03)
        x = (pictures - mean) / deviation[:, None, None, None]
        fine = self.fine(F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last))
        middle = self.middle(fine)
        coarse = F.interpolate(self.coarse(middle), scale_factor=2.0)
        middle = F.interpolate(self.up(torch.cat([middle, coarse], 1)), scale_factor=2.0)
        return self.maps(self.join(torch.cat([fine, middle], 1)))


@dataclass(frozen=True, eq=False)
class Pose:
    """joints: (T, J, 2) x and y in pixels of the clip, centres at + 0.5. confidence: (T, J) in 0..1."""

    joints: np.ndarray
    confidence: np.ndarray


class PoseHead:
    """A trained `PoseNetwork`, frozen and in evaluation mode."""

    def __init__(self, name: str, network: PoseNetwork) -> None:
        self.name = name
        self.network = network.requires_grad_(False).eval()

    def pose(self, frames: Clip) -> Pose:
        """Joints of every frame of a clip. Raises RecognitionError for what is no clip."""
        clip = as_clip(frames).detach()
        size = scaled_size(*clip.shape[2:], SHORT_SIDE, MULTIPLE)
        with torch.no_grad():
            maps = torch.cat([self.network(scale(part, *size)) for part in clip.split(16)]).sigmoid()
        at, confidence = peaks(maps)
        grow = np.array([clip.shape[3] / size[1], clip.shape[2] / size[0]]) * STRIDE
        return Pose((at * grow).astype(np.float32), confidence)


def peaks(maps: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(N, J, h, w) in 0..1 to places (N, J, 2), x and y in cells with centres at + 0.5, and heights (N, J)."""
    height, width = maps.shape[2:]
    top, index = maps.flatten(2).max(2)
    y, x = index // width, index % width
    near = torch.arange(-1, 2)
    padded = F.pad(maps, (1, 1, 1, 1)).flatten(2)
    rows = (y[..., None, None] + 1 + near[:, None]) * (width + 2)
    cells = rows + x[..., None, None] + 1 + near[None, :]
    weights = padded.gather(2, cells.flatten(2)).unflatten(2, (3, 3))
    total = weights.sum((2, 3)).clamp_min(1e-9)
    dx = (weights * near[None, None, None, :]).sum((2, 3)) / total
    dy = (weights * near[None, None, :, None]).sum((2, 3)) / total
    return torch.stack([x + dx + 0.5, y + dy + 0.5], 2).numpy(), top.numpy()


def target_maps(joints: torch.Tensor, visible: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(N, J, 2) places in cells and (N, J) bool to maps (N, J, height, width): a bump of 1.2 cells at each."""
    y = torch.arange(height)[:, None] + 0.5
    x = torch.arange(width)[None, :] + 0.5
    squared = (x - joints[..., 0, None, None]) ** 2 + (y - joints[..., 1, None, None]) ** 2
    return torch.exp(-squared / (2 * 1.2**2)) * visible[..., None, None]


def correct_keypoints(
    found: np.ndarray, truth: np.ndarray, visible: np.ndarray, share: float = 0.2
) -> np.ndarray:
    """Which joints lie within `share` of the trunk's length of the truth: PCK (Yang and Ramanan, PAMI 2013).

    found, truth: (T, J, 2) pixels. visible: (T, J) bool, what counts. Returns floats (T, J): 1 right, 0 wrong, nan
    where it does not count. The trunk is neck to pelvis, at least a tenth of head to pelvis seen end on.
    """
    trunk = np.linalg.norm(truth[:, _NECK] - truth[:, _PELVIS], axis=1)
    trunk = np.maximum(trunk, 0.1 * np.linalg.norm(truth[:, _HEAD] - truth[:, _PELVIS], axis=1))
    right = np.linalg.norm(found - truth, axis=2) <= share * trunk[:, None]
    return np.where(visible, right.astype(float), np.nan)


def save_pose(network: PoseNetwork, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a pose head: kernels in half precision. Raises WeightsFileError."""
    tensors = {
        name: (tensor.half() if tensor.ndim > 1 else tensor.float()).numpy()
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    write_tensors(tensors, path, {"format": FORMAT, "joints": json.dumps(JOINTS), **(metadata or {})})


def load_pose(path: Path) -> PoseHead:
    """Raises RecognitionError."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT or json.loads(metadata["joints"]) != list(JOINTS):
                raise RecognitionError(f"{path}: holds no pose head of this version of t4vcodec")
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network = PoseNetwork().to(memory_format=torch.channels_last)
        result = network.load_state_dict(tensors, strict=False)
        if any(not name.endswith("num_batches_tracked") for name in result.missing_keys):
            raise RecognitionError(f"{path}: lacks weights: it is damaged or of another version")
    except (SafetensorError, KeyError, ValueError, RuntimeError, OSError) as error:
        raise RecognitionError(f"{path}: cannot be read as a pose head: {error}") from error
    return PoseHead(path.stem, network)
