"""`results.json`, schema 1: what was measured, one record for each (clip, scheme, rate, channel, seed).

`docs/results.md` says what each field means. A file is read leniently where nothing is lost by it (unknown
fields are ignored, those after `tasks` may be missing) and strictly elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from t4vcodec.eval.cache import write_atomically
from t4vcodec.eval.errors import EvalError

SCHEMA = 1


@dataclass(frozen=True)
class Delay:
    """Milliseconds from capture to picture that frames wait for others (not what computing takes)."""

    median: float = 0.0
    p95: float = 0.0


@dataclass(frozen=True)
class Quality:
    """What x264 reaches without loss at a record's total bytes."""

    ssim_db: float
    psnr_y: float


@dataclass(frozen=True)
class ClipFacts:
    """A clip as it was evaluated."""

    name: str
    source: str
    width: int
    height: int
    fps: float
    frames: int
    sha256: str
    label: str | None = None
    """What it shows, where that is known."""
    group: str = ""
    """Clips of one recording, sequence or scene share it."""
    tasks: dict[str, Any] = field(default_factory=dict)
    """As of a record: what recognizers say of the clip as captured."""


@dataclass(frozen=True)
class Record:
    """One scheme on one clip at one rate over one channel with one seed."""

    clip: str
    scheme: str
    codec: str
    preset: str
    protection: str
    redundancy: float
    block: int
    regime: str
    kbps_target: float
    channel: str
    loss: float
    seed: int
    config: dict[str, Any]
    kbps_sent: float
    bytes_media: int
    bytes_protection: int
    bytes_headers: int
    packets_sent: int
    packets_lost: int
    frames: int
    frames_damaged: int
    frames_frozen: int
    psnr_y: float
    psnr_yuv: float
    ssim_y: float
    ssim_db: float
    ssim_db_p10: float
    vmaf: float | None
    delay_ms: Delay
    encode_fps: float
    decode_fps: float
    tasks: dict[str, Any]
    psnr_y_p10: float | None = None
    reference: Quality | None = None
    ssim_frames: list[float] | None = None
    psnr_frames: list[float] | None = None
    frames_late: int | None = None
    bytes_back: int | None = None

    @property
    def total_bytes(self) -> int:
        """Everything sent."""
        return self.bytes_media + self.bytes_protection + self.bytes_headers


@dataclass(frozen=True)
class Difference:
    """Ours against somebody, paired, over clips."""

    regime: str
    channel: str
    loss: float
    ours: str
    against: str
    measure: str
    difference: float
    """Median over clips of the means within clips."""
    low: float
    high: float
    clips: int
    seeds: int
    mean: float | None = None
    """Mean over clips."""
    left_out: int = 0
    """Records without a partner (a byte count that no rate factor of x264 reaches)."""


@dataclass(frozen=True)
class TaskFigure:
    """What recognizers make of one scheme's pictures over one channel at one rate."""

    recognizers: str
    """One, or several that look at different clips, as in "builtin:a + builtin:b"."""
    point: float
    channel: str
    scheme: str
    against: str | None
    """None: the scheme's own figure; else ours less that of this scheme, record by record."""
    measure: str
    """top1 (accuracy), balanced (mean over classes), agreement, confidence."""
    value: float
    low: float
    high: float
    """95 %, by drawing groups of clips."""
    clips: int
    groups: int
    runs: int


@dataclass(frozen=True)
class Results:
    """A whole results file."""

    schema: int
    created: str
    command: str
    versions: dict[str, str]
    machine: dict[str, Any]
    settings: dict[str, Any]
    clips: list[ClipFacts]
    records: list[Record]
    summary: list[Difference]
    task_summary: list[TaskFigure] = field(default_factory=list)


def write_results(path: Path, results: Results) -> None:
    """Writes a results file in one step; raises `EvalError` if it cannot."""
    text = json.dumps(asdict(results), indent=1, allow_nan=False)
    write_atomically(path, lambda file: file.write(text.encode()))


def read_results(path: Path) -> Results:
    """Reads a results file; raises `EvalError` on what is missing, another schema, or no such file."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise EvalError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise EvalError(f"{path} is no results file: {error}") from error
    if not isinstance(data, dict) or "schema" not in data:
        raise EvalError(f"{path} is no results file: it has no field 'schema'")
    if data["schema"] != SCHEMA:
        raise EvalError(
            f"{path} has schema {data['schema']!r}, this t4vcodec reads schema {SCHEMA}: "
            "evaluate again, or use the version that wrote it"
        )
    results = _build(Results, data, str(path))
    return Results(
        **{
            **{f.name: getattr(results, f.name) for f in fields(Results)},
            "clips": _build_all(ClipFacts, results.clips, f"{path}: clips"),
            "records": [
                record_from_json(item, f"{path}: records[{i}]")
                for i, item in enumerate(_as_list(results.records, f"{path}: records"))
            ],
            "summary": _build_all(Difference, results.summary, f"{path}: summary"),
            "task_summary": _build_all(TaskFigure, results.task_summary, f"{path}: task_summary"),
        }
    )


def record_from_json(data: Any, where: str) -> Record:
    """A record from its JSON object; raises `EvalError` naming `where` and the field that is missing."""
    if isinstance(data, dict):
        data = dict(data)
        if "delay_ms" in data:
            data["delay_ms"] = _build(Delay, data["delay_ms"], f"{where}.delay_ms")
        if data.get("reference") is not None:
            data["reference"] = _build(Quality, data["reference"], f"{where}.reference")
    return _build(Record, data, where)


T = TypeVar("T")


def _as_list(data: Any, where: str) -> list[Any]:
    if not isinstance(data, list):
        raise EvalError(f"{where}: expected a list")
    return data


def _build_all(kind: type[T], data: Any, where: str) -> list[T]:
    return [_build(kind, item, f"{where}[{i}]") for i, item in enumerate(_as_list(data, where))]


def _build(kind: type[T], data: Any, where: str) -> T:
    if not isinstance(data, dict):
        raise EvalError(f"{where}: expected an object")
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    missing = [name for name in needed if name not in data]
    if missing:
        raise EvalError(f"{where}: missing {', '.join(missing)}")
    return kind(**{f.name: data[f.name] for f in fields(kind) if f.name in data})
