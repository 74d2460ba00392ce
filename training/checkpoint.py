"""Checkpoints: everything a run needs to go on exactly, as safetensors, under their name whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from t4vcodec.codec.models.weights_file import write_tensors
from t4vcodec.errors import T4VError

FORMAT = "t4v-checkpoint-1"


class CheckpointError(T4VError):
    """A checkpoint that can not be read, or belongs to another run."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """step: steps done. tensors: weights, their mean over time, the optimiser's moments. settings: of the run."""

    step: int
    tensors: dict[str, torch.Tensor]
    settings: dict[str, Any]


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Raises WeightsFileError; what stood under `path` before stays whole then."""
    metadata = {"format": FORMAT, "step": str(checkpoint.step), "settings": json.dumps(checkpoint.settings)}
    write_tensors({name: tensor.numpy() for name, tensor in checkpoint.tensors.items()}, path, metadata)


def load_checkpoint(path: Path) -> Checkpoint:
    """Raises CheckpointError."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise CheckpointError(f"{path}: no checkpoint of this version of t4vcodec")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Checkpoint(int(metadata["step"]), tensors, json.loads(metadata["settings"]))
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as a checkpoint: {error}") from error
