"""Who looks at the pictures that a receiver shows, and what they say: the `tasks` field of records.

An answer is kept beside the record that it belongs to, under the record's key and the recognizer's identity (its
weights and classes, and the code that asks it). So a run without recognizers, one with, and one with others share
records; what is missing is played again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from t4vcodec.eval.cache import Cache, content_key, version_of
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.records import Record
from t4vcodec.eval.scheme_labels import HEADLINE
from t4vcodec.eval.summary import UNPROTECTED
from t4vcodec.media.frames import Frame, to_rgb
from t4vcodec.recognition.datasets import shrunk
from t4vcodec.recognition.recognizer import Recognizer, load_recognizer
from t4vcodec.recognition.scoring import scores_record

Look = Callable[[int, Frame], None]
SIDE = 288
"""Short side of the pictures that are kept for recognizers, which take smaller ones: it bounds memory."""
_CODE = (
    *(
        "recognition/builtin.py",
        "recognition/network.py",
        "recognition/recognizer.py",
        "recognition/windows.py",
    ),
    *("recognition/torchvision_backend.py", "recognition/onnx_backend.py", "recognition/datasets.py"),
    "eval/task_scores.py",
)


@dataclass(frozen=True)
class Viewer:
    """A recognizer that takes part, by name, so that any process can load it."""

    spec: str
    """As the user named it; its key in `tasks`."""
    path: str
    """As any process finds it."""
    identity: str
    """Hash of everything that its answers depend on."""

    @classmethod
    def named(cls, spec: str) -> Viewer:
        """Loads it. Raises RecognitionError."""
        kind, _, rest = spec.partition(":")
        path = spec
        if kind == "onnx":
            path = f"onnx:{Path(rest).absolute()}"
        elif kind == "torchvision" and "=" in rest:
            name, _, file = rest.partition("=")
            path = f"torchvision:{name}={Path(file).absolute()}"
        elif kind not in ("builtin", "torchvision") and spec.endswith(".safetensors"):
            path = str(Path(spec).absolute())
        return cls(spec, path, _identity(_load(path), path))

    @property
    def recognizer(self) -> Recognizer:
        return _load(self.path)


@lru_cache(maxsize=8)
def _load(path: str) -> Recognizer:
    return load_recognizer(path)


def _identity(recognizer: Recognizer, path: str) -> str:
    digest = hashlib.sha256(json.dumps([recognizer.labels, version_of(*_CODE)]).encode())
    network = getattr(recognizer, "network", None)
    if network is not None:
        for name, tensor in sorted(network.state_dict().items()):
            digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    else:
        file = Path(path.partition(":")[2])
        for part in sorted(file.parent.glob(f"{file.name}*")):  # large exports keep tensors beside
            digest.update(hashlib.sha256(part.read_bytes()).digest())
    return digest.hexdigest()


@dataclass(frozen=True)
class Task:
    """One clip of an evaluation, to those who look at it."""

    viewers: tuple[Viewer, ...] = ()
    label: str | None = None
    """The right class; None where it is not known."""
    group: str = ""
    """Clips of one recording, sequence or scene share it."""
    name: str = ""
    """In records, where the source's own name is not enough."""
    file: str = ""
    """What is opened, where that is not what stands for the clip: a part of a longer file."""
    start: float | None = None
    end: float | None = None
    """Seconds into `file`."""
    brief: bool = False
    """Only the first seed, and only ours, unprotected x264 and the opponents that decide."""

    def looks_at(self, scheme: str, seed: int) -> bool:
        """Whether a scheme's pictures of one seed are looked at."""
        in_front = scheme.startswith("t4v") or scheme in (*HEADLINE, UNPROTECTED)
        return bool(self.viewers) and (not self.brief or (seed == 0 and in_front))


class Pictures:
    """What was shown, in order; give it to `protocol.play` as `look`."""

    def __init__(self) -> None:
        self._shown: list[np.ndarray] = []

    def __call__(self, number: int, shown: Frame) -> None:
        self._shown.append(shrunk(to_rgb(shown), SIDE))

    @property
    def clip(self) -> np.ndarray:
        """(T, H, W, 3) uint8."""
        return np.stack(self._shown)


def all_of(*looks: Look | None) -> Look:
    """Everybody sees each frame; None is nobody."""
    there = [look for look in looks if look is not None]

    def look(number: int, shown: Frame) -> None:
        for each in there:
            each(number, shown)

    return look


class Onlookers:
    """All who look at one clip. Without a task: nobody."""

    def __init__(
        self, clip: Clip | None = None, task: Task | None = None, cache: Cache | None = None
    ) -> None:
        self._clip, self._task, self._cache = clip, task or Task(), cache
        self._known: dict[tuple[str, bytes], list[float]] = {}

    def wants(self, key: str, scheme: str, seed: int) -> bool:
        """Whether the pictures of a record with this key must be shown, since somebody's answer is missing."""
        if not self._task.looks_at(scheme, seed):
            return False
        return any(self._cache.get(self._place(key, v)) is None for v in self._task.viewers)

    def pictures(self, scheme: str, seed: int) -> Pictures | None:
        """To collect what is shown; None where nobody looks."""
        return Pictures() if self._task.looks_at(scheme, seed) else None

    def keep(self, key: str, pictures: Pictures | None) -> None:
        """Asks everybody, and keeps the answers."""
        if pictures is None:
            return
        shown = pictures.clip
        for viewer in self._task.viewers:
            place = self._place(key, viewer)
            if self._cache.get(place) is None:
                self._cache.put(place, self._scores(viewer, shown))

    def told(self, record: Record, key: str) -> Record:
        """The record with what was said of its pictures."""
        if not self._task.looks_at(record.scheme, record.seed):
            return record
        tasks = {}
        for viewer in self._task.viewers:
            scores = self._cache.get(self._place(key, viewer))
            if scores is not None:
                tasks[viewer.spec] = self._answer(viewer, scores)
        return replace(record, tasks=tasks)

    def clean(self) -> dict[str, Any]:
        """What is said of the clip as captured."""
        return {v.spec: self._answer(v, self._clean_scores(v)) for v in self._task.viewers}

    def _answer(self, viewer: Viewer, scores: Sequence[float]) -> dict[str, Any]:
        clean = self._clean_scores(viewer)
        return scores_record(
            torch.tensor(scores), viewer.recognizer, self._task.label, torch.tensor(clean)
        ) | {"recognizer": viewer.spec}

    def _clean_scores(self, viewer: Viewer) -> list[float]:
        key = self._place(self._clip.sha256, viewer)
        known = self._cache.get(key)
        if known is None:
            pictures = Pictures()
            for number, frame in enumerate(self._clip.frames):
                pictures(number, frame)
            known = self._scores(viewer, pictures.clip)
            self._cache.put(key, known)
        return known

    def _scores(self, viewer: Viewer, shown: np.ndarray) -> list[float]:
        """Error correction often shows what was shown before: that is asked once."""
        place = viewer.identity, hashlib.blake2b(shown.tobytes(), digest_size=16).digest()
        if place not in self._known:
            with torch.no_grad():
                scores = viewer.recognizer.scores(shown, float(self._clip.fps))
            self._known[place] = [round(float(score), 5) for score in scores]
        return self._known[place]

    def _place(self, key: str, viewer: Viewer) -> str:
        return content_key(of=key, recognizer=viewer.identity)
