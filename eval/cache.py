"""Remembers what was measured, by content, so that an interrupted evaluation goes on where it stopped.

A key is the hash of everything that the result depends on: the clip's samples, the settings, and the code
and weights that produced it (`version_of`). Entries are small files, written under a temporary name first.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from functools import cache as memoised
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from t4vcodec.eval.errors import EvalError

_PACKAGE = Path(__file__).resolve().parent.parent


def content_key(**parts: Any) -> str:
    """A hash of JSON-able facts, the same on any machine."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@memoised
def version_of(*places: str) -> str:
    """A hash of the package's files (Python and weights) below these folders, or of these files."""
    digest = hashlib.sha256()
    for place in sorted(places):
        path = _PACKAGE / place
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in files:
            if file.suffix in (".py", ".json", ".safetensors"):
                digest.update(file.relative_to(_PACKAGE).as_posix().encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Writes a file under a temporary name beside it and renames it; raises `EvalError` if it cannot.

    Whatever goes wrong, nothing half-written stays under `path`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                write(file)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise EvalError(f"cannot write {path}: {error.strerror or error}") from error


class Cache:
    """A folder of results; several processes may use it at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def get(self, key: str) -> Any | None:
        """The JSON value stored under `key`; None if there is none or it is damaged."""
        try:
            return json.loads(self._path(key, "json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def put(self, key: str, value: Any) -> None:
        """Stores a JSON value."""
        data = json.dumps(value, allow_nan=False).encode()
        write_atomically(self._path(key, "json"), lambda file: file.write(data))

    def get_array(self, key: str) -> np.ndarray | None:
        """The array stored under `key`; None if there is none or it is damaged."""
        try:
            return np.load(self._path(key, "npy"), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None

    def put_array(self, key: str, array: np.ndarray) -> None:
        """Stores an array."""
        write_atomically(self._path(key, "npy"), lambda file: np.save(file, array, allow_pickle=False))

    def _path(self, key: str, kind: str) -> Path:
        return self.folder / key[:2] / f"{key[2:]}.{kind}"
