"""Where and with what an evaluation runs: its folder, clips, versions, machine and threads."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from t4vcodec.eval.clips import Clip
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.records import ClipFacts

_PACKAGES = ("t4vcodec", "torch", "numpy", "numba", "av", "zfec", "distributed", "imageio-ffmpeg")


def output_folder(out: Path) -> Path:
    """Makes the folder now: better to learn that it can't be written before an hour's work than after."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvalError(
            f"cannot write into {out}: {error.strerror or error}: choose another folder"
        ) from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise EvalError(f"cannot write into {out}: no permission: choose another folder")
    return out


def clip_facts(clip: Clip, source: str) -> ClipFacts:
    """Of a clip as evaluated; source: where it was read from."""
    return ClipFacts(
        name=clip.name,
        source=source,
        width=clip.width,
        height=clip.height,
        fps=float(clip.fps),
        frames=len(clip.frames),
        sha256=clip.sha256,
    )


def versions() -> dict[str, str]:
    """Of Python and the packages that matter."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@contextmanager
def one_thread() -> Iterator[None]:
    """torch with one thread: several are 4 times slower on a busy machine, and `workers` does better."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def machine() -> dict[str, Any]:
    """Processor, cores, threads of torch, for results files."""
    import torch

    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": 1,
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
