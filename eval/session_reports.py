"""HTML reports of sessions: one a condition, since figures of different round trips are not to be averaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from t4vcodec.eval.records import Results
from t4vcodec.eval.report import write_report
from t4vcodec.eval.session_protocol import REGIME
from t4vcodec.eval.session_tables import by_condition


def write_session_reports(results: Results, out: Path) -> list[Path]:
    """Writes `report.html`, or `report-1.html` and so on where there are several conditions; returns their paths.

    Raises `EvalError` where a file can't be written.
    """
    found = by_condition(results.records)
    paths = []
    for number, (name, records) in enumerate(found.items(), 1):
        regime = f"{REGIME}, {name}"
        part = replace(
            results,
            records=[replace(record, regime=regime) for record in records],
            summary=[difference for difference in results.summary if difference.regime == regime],
        )
        paths.append(Path(out) / ("report.html" if len(found) == 1 else f"report-{number}.html"))
        write_report(part, paths[-1])
    return paths
