"""Checkpoints: everything a run needs to go on exactly, as safetensors, under their name whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
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
    """Raises CheckpointError; what stood under `path` before stays whole then."""
    part = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    metadata = {"format": FORMAT, "step": str(checkpoint.step), "settings": json.dumps(checkpoint.settings)}
    try:
        save_file({n: t.contiguous() for n, t in checkpoint.tensors.items()}, part, metadata)
        os.replace(part, path)
    except Exception as error:  # safetensors wraps the system's errors in its own
        raise CheckpointError(f"{path}: cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


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
