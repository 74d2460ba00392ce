"""`t4vcodec train --only tables`: encode clips, count every symbol by context, rebuild the tables, repeat.

Each round encodes with the tables of the round before, so that decisions and tables settle on each other.
Clips rotate through qualities and both kinds of stream (made for loss, and not), so that every context is
seen; so the bits of two rounds are only roughly comparable.
"""

from __future__ import annotations

import csv
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from t4vcodec import __version__
from t4vcodec.codec import Encoder, Setup
from t4vcodec.codec.contexts import ALPHABET, CONTEXTS
from t4vcodec.codec.models import load_tables, save_tables
from t4vcodec.codec.packets import PayloadParser
from t4vcodec.codec.stream_info import PacketCounter, parse_packets
from t4vcodec.codec.tables import Tables
from t4vcodec.errors import T4VError
from t4vcodec.media import list_clips, open_video
from t4vcodec.training.tables import build, first_guess, first_tables

BUILTIN = "builtin:train"
QUALITIES = (14, 20, 26, 32, 38)
RESILIENCES = (0.3, 0.3, 0.0)  # two streams of three are made for loss, as the default stream is
GUESS_WEIGHT = 0.5  # how many symbols the first guess is worth in a context
SHARED = 96  # tables that the level contexts share


class TrainingError(T4VError):
    """Training can not be done as asked."""


@dataclass(frozen=True)
class _Job:
    """One clip to encode and count. model: file of the tables to encode with."""

    source: str
    frames: int
    quality: int
    resilience: float
    model: str


@dataclass(frozen=True, eq=False)
class _Counted:
    """counts: (CONTEXTS, 24) int64. bits: ideal, copies included, headers not. pixels: coded."""

    counts: np.ndarray
    bits: float
    pixels: int


def train_tables(
    data: str | None,
    out: str | Path,
    clips: int | None = None,
    rounds: int = 4,
    frames: int = 20,
    workers: int = 1,
    echo: Callable[[str], None] = print,
) -> Path:
    """Train tables on the rendered training clips and those of `data`; returns the file that was written.

    data: a folder or whatever `list_clips` takes; where the folder has a split.csv (columns clip, split) only
    its clips with split `train` are used. clips: of each source, at most. rounds: times to encode, count and
    rebuild. frames: of each clip, at most. workers: processes. echo: gets lines of progress.

    The same call gives the same tables, whatever `workers` is. Raises T4VError.
    """
    for name, value in (("clips", clips), ("rounds", rounds), ("frames", frames), ("workers", workers)):
        if value is not None and value < 1:
            raise TrainingError(f"{name} must be at least 1, got {value}")
    out = Path(out)
    _check_writable(out)
    sources = list_clips(BUILTIN)[:clips]
    if data is not None:
        sources += training_clips(data)[:clips]
    echo(f"{len(sources)} clips of at most {frames} frames, {rounds} rounds")
    tables = first_tables()
    with TemporaryDirectory(prefix="t4vcodec-") as folder, _pool(workers) as run:
        for turn in range(rounds):
            model = Path(folder) / f"round-{turn}.safetensors"
            save_tables(tables, model)
            jobs = [
                _Job(
                    source,
                    frames,
                    QUALITIES[(i + turn) % len(QUALITIES)],
                    RESILIENCES[(i // len(QUALITIES) + turn) % len(RESILIENCES)],
                    str(model),
                )
                for i, source in enumerate(sources)
            ]
            tables = _one_round(tables, run(jobs), len(jobs), f"round {turn + 1}/{rounds}", echo)
    metadata = {
        "command": f"t4vcodec train --only tables{f' --data {data}' if data else ''}"
        f"{f' --clips {clips}' if clips else ''} --rounds {rounds} --frames {frames}",
        "clips": str(len(sources)),
        "rounds": str(rounds),
        "version": __version__,
    }
    save_tables(tables, out, metadata)
    echo(f"Wrote {out}: {tables}")
    return out


def training_clips(data: str) -> list[str]:
    """The clips of `data` that may be trained on. Raises T4VError."""
    sources = list_clips(data)
    split_file = Path(data) / "split.csv"
    if not split_file.is_file():
        return sources
    try:
        with split_file.open(newline="", encoding="utf-8") as lines:
            splits = {row["clip"]: row["split"] for row in csv.DictReader(lines)}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{split_file}: needs columns clip and split: {error}") from None
    chosen = [source for source in sources if splits.get(Path(source).name) == "train"]
    if not chosen:
        raise TrainingError(f"{split_file}: none of the clips here is of split train")
    return chosen


def _one_round(
    tables: Tables, counted: Iterator[_Counted], jobs: int, label: str, echo: Callable[[str], None]
) -> Tables:
    counts = np.zeros((CONTEXTS, ALPHABET), np.int64)
    bits = pixels = 0.0
    said = start = time.monotonic()
    for done, result in enumerate(counted, 1):
        counts += result.counts
        bits += result.bits
        pixels += result.pixels
        now = time.monotonic()
        if now - said > 2 and done < jobs:
            echo(f"{label}: {done}/{jobs} clips, {(now - start) / done * (jobs - done):.0f} s left")
            said = now
    echo(f"{label}: {bits / pixels:.4f} bits a pixel, {time.monotonic() - start:.0f} s")
    return build(counts + first_guess() * GUESS_WEIGHT, tables.points, SHARED)


def count_clip(job: _Job) -> _Counted:
    """Encode a clip and count what its packets hold."""
    with open_video(job.source, job.frames) as video:
        info = video.info
        setup = Setup(info.width, info.height, info.fps, job.model)
        tables = load_tables(job.model)
        encoder = Encoder(setup, quality=job.quality, resilience=job.resilience, threads=1)
        parser, counter = PayloadParser(setup, tables), PacketCounter(setup, tables)
        frames = 0
        for frame in video:
            frames += 1
            for parsed in parse_packets(encoder.push(frame), setup, parser):
                if parsed is None:
                    raise TrainingError(f"{job.source}: frame {frames - 1} gave a packet that does not parse")
                counter.add(parsed)
    bits = float(counter.own.sum() + counter.copies.sum())
    return _Counted(counter.counts, bits, frames * info.width * info.height)


@contextmanager
def _pool(workers: int) -> Iterator[Callable[[list[_Job]], Iterator[_Counted]]]:
    """What runs jobs, in order: this process or several."""
    if workers == 1:
        yield lambda jobs: map(count_clip, jobs)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        yield lambda jobs: pool.map(count_clip, jobs)
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    import torch

    torch.set_num_threads(1)


def _check_writable(out: Path) -> None:
    """Better to learn that it can't be written before an hour's work than after."""
    if out.is_dir():
        raise TrainingError(f"{out}: is a folder: give the name of a file")
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK | os.X_OK):
        raise TrainingError(f"{out}: cannot be written: {out.parent} is no folder that one can write to")
