"""What an evaluation left in its folder."""

from __future__ import annotations

from pathlib import Path

from t4vcodec.eval.cache import write_atomically
from t4vcodec.eval.csv_table import to_csv
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.records import Results, read_results

RESULTS_NAME = "results.json"


def results_of(folder: Path) -> Results:
    """Results of a finished evaluation; raises `EvalError` on an unfinished one, and says so."""
    path = folder / RESULTS_NAME
    if not path.exists():
        if (folder / ".cache").is_dir():
            raise EvalError(
                f"{folder}: the evaluation was interrupted before it wrote {RESULTS_NAME}: run the same command"
                " again, it goes on where it stopped"
            )
        raise EvalError(f"{folder}: holds no {RESULTS_NAME}: give a folder that t4vcodec eval wrote")
    return read_results(path)


def write_csv(results: Results, path: Path) -> None:
    """All records as CSV. Raises `EvalError` where it cannot be written."""
    write_atomically(path, lambda file: file.write(to_csv(results).encode()))
