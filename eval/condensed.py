"""`python -m t4vcodec.eval.condensed RESULTS.json OUT.json`: an evaluation's figures without its single runs.

Of each clip, point, channel and scheme the means over seeds, and what an opponent was set to; with the settings,
the command and the summary as they are. A twentieth of the size, and enough to check every table.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from t4vcodec.eval.cache import write_atomically
from t4vcodec.eval.errors import EvalError

MEANS = ("kbps_sent", "ssim_db", "ssim_db_p10", "psnr_y")
CHOICE = ("codec", "preset", "protection", "redundancy", "block")
SETTINGS = ("quality", "tune", "scale", "gop", "slices", "share", "key_factor")


def condensed(results: dict[str, Any]) -> dict[str, Any]:
    """`results`, as read from results.json, with `cells` in place of `records`."""
    groups: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
    for record in results["records"]:
        place = record["clip"], record["config"].get("point"), record["channel"], record["scheme"]
        groups[place].append(record)
    cells = []
    for (clip, point, channel, scheme), runs in groups.items():
        first = runs[0]
        cells.append(
            {
                "clip": clip,
                "point": point,
                "channel": channel,
                "scheme": scheme,
                "seeds": len(runs),
                **{name: round(fmean(run[name] for run in runs), 3) for name in MEANS},
                "delay_ms_p95": round(fmean(run["delay_ms"]["p95"] for run in runs), 1),
                **({} if scheme == "t4v" else {name: first[name] for name in CHOICE}),
                **{name: first["config"][name] for name in SETTINGS if name in first["config"]},
                **(
                    {}
                    if first["reference"] is None
                    else {"reference_ssim_db": round(first["reference"]["ssim_db"], 3)}
                ),
            }
        )
    kept = {name: value for name, value in results.items() if name not in ("records", "schema")}
    return {**kept, "cells": cells}


def main(arguments: Sequence[str]) -> int:
    """Reads, condenses and writes; the exit code."""
    if len(arguments) != 2:
        print("usage: python -m t4vcodec.eval.condensed RESULTS.json OUT.json", file=sys.stderr)
        return 2
    source, out = map(Path, arguments)
    try:
        text = json.dumps(condensed(json.loads(source.read_text(encoding="utf-8"))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"{source}: no results of an evaluation: {error}", file=sys.stderr)
        return 2
    text = text.replace('{"clip"', '\n{"clip"').replace('{"regime"', '\n{"regime"')
    try:
        write_atomically(out, lambda file: file.write(text.encode()))
    except EvalError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
