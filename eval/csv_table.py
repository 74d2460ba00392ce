"""Records as CSV, for spreadsheets and for the scripts of CompressAI-Vision.

The first columns are those of CompressAI-Vision's `summary.csv`: Dataset, fps, num_of_coded_frame, qp,
"bitrate (kbps)", end_accuracy and a column of seconds for each stage. `end_accuracy` says whether a recogniser
named the clip right (one line for each recogniser) and is empty where none was run; `qp` is the rate factor or
quality that a standard codec was searched to, empty where a rate control chose. What follows is ours.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from t4vcodec.eval.curves import point_of
from t4vcodec.eval.records import Record, Results

COLUMNS = (
    *("Dataset", "fps", "num_of_coded_frame", "qp", "bitrate (kbps)", "end_accuracy", "encode", "decode"),
    *("task", "scheme", "codec", "preset", "protection", "redundancy", "block", "channel", "loss", "seed"),
    *("point", "packets_sent", "packets_lost", "ssim_db", "ssim_db_p10", "psnr_y", "psnr_yuv", "vmaf"),
    *("frames_frozen", "delay_median_ms", "delay_p95_ms"),
)


def to_csv(results: Results) -> str:
    """All records as CSV text with a line of names; numbers as in results.json."""
    fps = {clip.name: clip.fps for clip in results.clips}
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in results.records:
        facts = _facts(record, fps.get(record.clip))
        for task, score in (record.tasks or {"": ""}).items():
            writer.writerow({**facts, "task": task, "end_accuracy": _accuracy(score)})
    return buffer.getvalue()


def _facts(record: Record, fps: float | None) -> dict[str, Any]:
    def seconds(speed: float) -> float | str:
        return round(record.frames / speed, 4) if speed > 0 else ""

    quality = next((record.config[key] for key in ("qp", "crf", "quality") if key in record.config), "")
    mine = {
        "Dataset": record.clip,
        "fps": "" if fps is None else fps,
        "num_of_coded_frame": record.frames,
        "qp": _plain(quality),
        "bitrate (kbps)": record.kbps_sent,
        "encode": seconds(record.encode_fps),
        "decode": seconds(record.decode_fps),
        "point": point_of(record),
        "delay_median_ms": record.delay_ms.median,
        "delay_p95_ms": record.delay_ms.p95,
    }
    return mine | {
        name: getattr(record, name) for name in COLUMNS if name not in mine and hasattr(record, name)
    }


def _accuracy(score: Any) -> Any:
    """1 or 0 for a clip that was named right or wrong, without its class: as it was named without loss."""
    if isinstance(score, dict):
        score = score.get("top1", score.get("agreement"))
        return int(score) if isinstance(score, bool) else ""
    return _plain(score)


def _plain(value: Any) -> Any:
    """Numbers as they are; whatever else a file may hold, nothing."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else ""
