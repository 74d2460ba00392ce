"""Models: what a session's `model` names: integer tables and, where it has one, a synthesis network.

`load_model("t4v-classic")` reads `pretrained/weights/t4v-classic.safetensors`; a path loads a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from t4vcodec.codec.models.synthesis import Synthesis
from t4vcodec.codec.models.weights_file import write_tensors
from t4vcodec.codec.tables import Tables
from t4vcodec.errors import T4VError

FORMAT = "t4v-tables-1"
SYNTHESIS = "synthesis."


class ModelError(T4VError):
    """A model that is not there or not readable."""


def model_names() -> list[str]:
    """Names of the models that come with the package."""
    folder = files("t4vcodec.pretrained") / "weights"
    return sorted(
        p.name.removesuffix(".safetensors") for p in folder.iterdir() if p.name.endswith(".safetensors")
    )


def model_path(name: str) -> Path:
    """File of a model by name or path. Raises ModelError."""
    packaged = Path(str(files("t4vcodec.pretrained") / "weights" / f"{name}.safetensors"))
    if "/" not in name and packaged.is_file():
        return packaged
    if Path(name).is_file():
        return Path(name)
    raise ModelError(f"no model {name!r}: known are {', '.join(model_names())}, or give a .safetensors file")


@dataclass(frozen=True, eq=False)
class Model:
    """tables: what symbols are coded with. synthesis: the decoder's network, None in a classical model."""

    tables: Tables
    synthesis: Synthesis | None = None


def load_tables(name: str) -> Tables:
    """The tables of a model, by name or file. Raises ModelError."""
    return load_model(name).tables


def load_model(name: str) -> Model:
    """A model by name or file, its network frozen. Raises ModelError."""
    path = model_path(name)
    facts = path.stat()
    return _load(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=4)
def _load(path: Path, changed: int, size: int) -> Model:
    """changed, size: of the file, so that one written over is read again."""
    try:
        tensors = load_file(path)
        tables = Tables(
            tensors["row"].astype(np.uint16),
            tensors["frequencies"].astype(np.int64),
            tensors["points"].astype(np.int8),
        )
        weights = {
            n.removeprefix(SYNTHESIS): torch.from_numpy(t)
            for n, t in tensors.items()
            if n.startswith(SYNTHESIS)
        }
        network = Synthesis.like(weights).requires_grad_(False).eval() if weights else None
        return Model(tables, network)
    except (SafetensorError, KeyError, ValueError, RuntimeError, OSError) as e:
        raise ModelError(f"{path} is no t4vcodec model of this version: {e}") from e


def save_tables(tables: Tables, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tables as safetensors (16-bit integers)."""
    save_model(Model(tables), path, metadata)


def save_model(model: Model, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tables (16-bit integers) and network (half precision) as safetensors. Raises WeightsFileError."""
    # A frequency of 65,536 can not occur: each alphabet has two symbols or more.
    tensors = {
        "row": model.tables.row.astype(np.uint16),
        "frequencies": model.tables.frequencies.astype(np.uint16),
        "points": model.tables.points,
    }
    if model.synthesis is not None:
        for name, tensor in model.synthesis.state_dict().items():
            tensors[SYNTHESIS + name] = tensor.detach().half().numpy()
    write_tensors(tensors, path, {"format": FORMAT, **(metadata or {})})
