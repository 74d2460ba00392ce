"""What `t4vcodec tradeoff` does: cells, trials, outcomes, tables, figures, files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from t4vcodec.eval.cache import Cache, write_atomically
from t4vcodec.eval.session_protocol import Condition
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.predictor import Predictor
from t4vcodec.importance.tradeoff import (
    ALL,
    CODECS,
    NONE,
    POINT,
    SHARES,
    Cell,
    LostPackets,
    Outcome,
    Runs,
    Trial,
    outcomes,
)
from t4vcodec.importance.tradeoff_figures import bytes_figure, delay_figure, utility_figure
from t4vcodec.importance.tradeoff_summary import summarise, table
from t4vcodec.importance.worth import POLICIES, PREDICTED
from t4vcodec.network.transports import NAMES
from t4vcodec.recognition.datasets import Labelled
from t4vcodec.recognition.recognizer import Recognizer


@dataclass(frozen=True)
class Plan:
    """What is compared."""

    codecs: tuple[str, ...] = CODECS
    channels: tuple[str, ...] = ("0.3", "ge:0.3:5")
    rtts: tuple[float, ...] = (50,)
    """ms."""
    deadlines: tuple[float, ...] = (200,)
    """ms."""
    kbps: float | None = None
    """Capacity of the way there."""
    ways: tuple[str, ...] = (NONE, ALL, "random", "saliency", "first-order")
    shares: tuple[float, ...] = SHARES
    point: float = POINT
    seeds: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        known = (NONE, ALL, *POLICIES, *NAMES)
        for way in self.ways:
            if way.partition(" ")[0] not in known:
                raise ImportanceError(f"unknown way {way!r}: take {', '.join(known)}")
        if not self.ways or not self.seeds or not all(0 < share <= 1 for share in self.shares):
            raise ImportanceError("give ways and seeds, and shares above 0 and up to 1")
        missing = {NONE, ALL} - set(self.ways)
        if missing and set(self.ways) & set(POLICIES):
            raise ImportanceError(f"policies are compared with {NONE} and {ALL}: add {', '.join(missing)}")

    @property
    def cells(self) -> list[Cell]:
        """Of all codecs, channels and conditions."""
        return [
            Cell(codec, channel, Condition(deadline, rtt, kbps=self.kbps))
            for codec in self.codecs
            for channel in self.channels
            for rtt in self.rtts
            for deadline in self.deadlines
        ]


def tradeoff(
    labelled: Sequence[tuple[Labelled, Recognizer, Predictor | None]],
    plan: Plan,
    out: Path,
    echo: Callable[[str], None],
) -> None:
    """Measures all of it; writes outcomes.jsonl, tradeoff.json, bytes.png, delay.png, utility.png to `out`."""
    if set(plan.ways) & set(PREDICTED) and (
        plan.codecs != ("t4v",) or any(p is None for _, _, p in labelled)
    ):
        raise ImportanceError("predicted utilities need a --predictor for each recognizer, and --codec t4v")
    cells, cache = plan.cells, Cache(out / ".cache")
    found: list[Outcome] = []
    lost: dict[str, list[LostPackets]] = {}
    for seed in plan.seeds:
        runs = Runs(cache, seed)
        trials = [Trial(c, r, codec, plan.point, p) for c, r, p in labelled for codec in plan.codecs]
        found += list(outcomes(runs, trials, cells, plan.ways, plan.shares, echo))
        for trial in trials:
            for policy in (p for p in plan.ways if p in POLICIES):
                for cell in cells:
                    if cell.codec == trial.codec and cell.condition == cells[0].condition:
                        name = f"{cell.codec}, {cell.channel}: {policy}"
                        lost.setdefault(name, []).append(runs.lost_packets(trial, cell, policy))
    summary = summarise(found)
    lines = "".join(json.dumps(asdict(outcome)) + "\n" for outcome in found)
    write_atomically(out / "outcomes.jsonl", lambda file: file.write(lines.encode()))
    result = {"plan": asdict(plan), "cells": summary}
    write_atomically(
        out / "tradeoff.json", lambda file: file.write((json.dumps(result, indent=1) + "\n").encode())
    )
    if any(cell["policies"] for cell in summary):
        bytes_figure(summary, out / "bytes.png")
    delay_figure(summary, out / "delay.png")
    if lost:
        utility_figure(lost, out / "utility.png")
    echo(table(summary))
    echo(f"written to {out}")
