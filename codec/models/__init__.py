"""Models: what a session's `model` names. So far the classical codec with counted tables.

`load_tables("t4v-classic")` reads `pretrained/weights/t4v-classic.safetensors`; a path loads a file.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from t4vcodec.codec.tables import Tables
from t4vcodec.errors import T4VError

FORMAT = "t4v-tables-1"


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


@lru_cache(maxsize=4)
def load_tables(name: str) -> Tables:
    """The tables of a model, by name or file. Raises ModelError."""
    path = model_path(name)
    try:
        tensors = load_file(path)
        return Tables(
            tensors["row"].astype(np.uint16),
            tensors["frequencies"].astype(np.int64),
            tensors["points"].astype(np.int8),
        )
    except (SafetensorError, KeyError, ValueError, OSError) as e:
        raise ModelError(f"{path} is no t4vcodec model of this version: {e}") from e


def save_tables(tables: Tables, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tables as safetensors (16-bit integers)."""
    # A frequency of 65,536 can not occur: each alphabet has two symbols or more.
    save_file(
        {
            "row": tables.row.astype(np.uint16),
            "frequencies": tables.frequencies.astype(np.uint16),
            "points": tables.points,
        },
        path,
        {"format": FORMAT, **(metadata or {})},
    )
