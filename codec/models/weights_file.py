"""Safetensors files, under their names whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from t4vcodec.errors import T4VError


class WeightsFileError(T4VError):
    """A file that can not be written."""


def write_tensors(tensors: Mapping[str, np.ndarray], path: Path, metadata: dict[str, str]) -> None:
    """Write arrays as safetensors. Raises WeightsFileError; what stood under `path` before stays whole then."""
    part = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    try:
        save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, part, metadata)
        # safetensors makes files that only their owner may read; a model is to be passed on.
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)
        os.replace(part, path)
    except Exception as error:  # safetensors wraps the system's errors in its own
        raise WeightsFileError(f"{path}: cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            part.unlink()
