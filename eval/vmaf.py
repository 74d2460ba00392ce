"""VMAF, where the optional extra `imageio-ffmpeg` is installed: its FFmpeg carries libvmaf and its model.

Frames go to FFmpeg as two y4m files in a temporary folder that is removed whatever happens. Without the extra
there is no number (None), never an error: VMAF is a third opinion beside SSIM and PSNR.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

from t4vcodec.eval.errors import EvalError
from t4vcodec.media.frames import Frame
from t4vcodec.media.y4m import frame_bytes, header_line

_TIMEOUT = 3600
"""Seconds; 300 frames of 1280x720 take about 20 on one core."""
_SMALLEST = 32
"""Sides in samples below which VMAF's four scales have nothing to compare."""
_WAY_OUT = "unset IMAGEIO_FFMPEG_EXE if it is set, or uninstall imageio-ffmpeg to go on without VMAF"


def vmaf(source: Sequence[Frame], shown: Sequence[Frame], fps: Fraction, threads: int = 1) -> float | None:
    """Mean VMAF of a clip (0 to 100, model vmaf_v0.6.1); None without the extra, or below 32x32.

    Raises `EvalError` if FFmpeg fails, `ValueError` if the clips differ in length or size.
    """
    if len(source) != len(shown) or not source:
        raise ValueError(f"VMAF needs two clips of one length, got {len(source)} and {len(shown)} frames")
    if {frame.y.shape for frame in (*source, *shown)} != {source[0].y.shape}:
        raise ValueError("VMAF needs frames of one size")
    program = _ffmpeg()
    if program is None or min(source[0].y.shape) < _SMALLEST:
        return None
    with tempfile.TemporaryDirectory(prefix="t4vcodec-vmaf-") as folder:
        for name, frames in (("decoded.y4m", shown), ("source.y4m", source)):
            _write(Path(folder) / name, frames, fps)
        return _measure(program, folder, threads)


def vmaf_version() -> str | None:
    """Which FFmpeg would measure, for cache keys; None without the extra."""
    program = _ffmpeg()
    return None if program is None else Path(program).name


@cache
def _ffmpeg() -> str | None:
    """Path of the extra's FFmpeg, or of the one that IMAGEIO_FFMPEG_EXE names."""
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:  # a package without a program for this machine
        return None


def _write(path: Path, frames: Sequence[Frame], fps: Fraction) -> None:
    with path.open("wb") as file:
        # Both files say the same colour, or FFmpeg would convert one of them.
        file.write(header_line(frames[0].width, frames[0].height, fps, frames[0].colour))
        for frame in frames:
            file.write(frame_bytes(frame))


def _measure(program: str, folder: str, threads: int) -> float:
    # Names relative to the working folder need no quoting inside the filter's description.
    filters = f"libvmaf=log_fmt=json:log_path=vmaf.json:n_threads={threads}"
    command = [program, "-hide_banner", "-nostdin", "-loglevel", "error"]
    command += ["-i", "decoded.y4m", "-i", "source.y4m", "-lavfi", filters, "-f", "null", "-"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EvalError(f"VMAF: {error}: {_WAY_OUT}") from error
    try:
        return float(json.loads((Path(folder) / "vmaf.json").read_text())["pooled_metrics"]["vmaf"]["mean"])
    except (OSError, ValueError, KeyError) as error:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise EvalError(f"VMAF: {program} failed: {said}: {_WAY_OUT}") from error
