"""What the records of `validation` say together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from t4vcodec.importance.saliency import spectrum
from t4vcodec.recognition.scoring import estimate

KINDS = ("sensitive", "insensitive", "all")
TOP = 0.2
"""Share of a clip's packets that count as those that matter."""


def summarise(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """JSON-able; intervals by drawing recordings."""
    whole = [r for r in records if "whole" in r]
    return {
        "clips": {
            kind: {
                "lost": len(_of(records, kind)),
                "whole": len(_of(whole, kind)),
                "turned": sum(not r["lost"]["agrees"] for r in _of(records, kind)),
            }
            for kind in KINDS
        },
        "lost": _correlations(records, "lost"),
        "whole": _correlations(whole, "whole"),
        "one_way": _one_way(whole),
        "level": _levels(records),
        "sets": _sets(whole),
        "protected": _protected(whole),
        "periods": _periods(whole),
    }


def rank_correlation(a: Iterable[float], b: Iterable[float]) -> float:
    """Spearman's, 0 where one of the two does not vary."""
    a, b = np.asarray(list(a), float), np.asarray(list(b), float)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(a, b).statistic)


def _of(records: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [r for r in records if kind == "all" or r["sensitive"] == (kind == "sensitive")]


def _correlations(records: Sequence[dict[str, Any]], part: str) -> list[dict[str, Any]]:
    """Of every thought, clip by clip and with all packets in one heap; with the truth, and of sizes alone."""
    rows = []
    names = list(records[0][part]["thoughts"]) if records else []
    for name in names:
        for kind in KINDS:
            mine = [r for r in _of(records, kind) if len(r[part]["true"]) > 4]
            if not mine:
                continue
            groups = [r["group"] for r in mine]
            pairs = [(np.array(r[part]["thoughts"][name]), np.array(r[part]["true"])) for r in mine]
            signed = [rank_correlation(*pair) for pair in pairs]
            sizes = [rank_correlation(np.abs(a), np.abs(b)) for a, b in pairs]
            heap = [np.concatenate(side) for side in zip(*pairs)]
            rows.append(
                {
                    "thought": name,
                    "kind": kind,
                    "clips": len(mine),
                    "packets": len(heap[0]),
                    "signed": asdict(estimate(signed, groups)),
                    "sizes": asdict(estimate(sizes, groups)),
                    "median": float(np.median(signed)),
                    "heap_signed": rank_correlation(*heap),
                    "heap_sizes": rank_correlation(*map(np.abs, heap)),
                }
            )
    return rows


def _one_way(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whether what hurts is salient, and whether what is salient hurts.

    Shares of the packets in the top fifth of the one that lie in the upper half of the other; chance is 0.5.
    """
    rows = []
    for name in records[0]["whole"]["thoughts"] if records else []:
        shares = {"hurts_is_salient": [], "salient_hurts": []}
        for record in records:
            thought, true = (np.abs(x) for x in (record["whole"]["thoughts"][name], record["whole"]["true"]))
            for key, top, other in (
                ("hurts_is_salient", true, thought),
                ("salient_hurts", thought, true),
            ):
                first = np.argsort(-top, kind="stable")[: max(1, round(TOP * len(top)))]
                shares[key].append(float((other[first] > np.median(other)).mean()))
        rows.append({"thought": name, **{key: float(np.mean(values)) for key, values in shares.items()}})
    return rows


def _levels(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How large saliency and influence are on clips that turn and on those that do not: medians over clips."""
    out = {}
    for kind in KINDS[:2]:
        mine = _of(records, kind)
        if mine:
            out[kind] = {
                "saliency": float(np.median([np.median(r["lost"]["thoughts"]["pictures l2"]) for r in mine])),
                "influence": float(np.median([np.abs(r["lost"]["true"]).mean() for r in mine])),
                "score": float(np.median([r["score"] for r in mine])),
                "fall": float(np.median([r["score"] - r["lost"]["score"] for r in mine])),
            }
    return out


def _sets(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sets lost together against the sum of their singles."""
    by_kind: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        for one in record["sets"]:
            by_kind.setdefault(one["kind"], []).append((one["singles"], one["together"]))
    rows = []
    for kind, pairs in by_kind.items():
        singles, together = np.array(pairs).T
        rows.append(
            {
                "kind": kind,
                "sets": len(pairs),
                "singles": float(np.abs(singles).mean()),
                "together": float(np.abs(together).mean()),
                "mean_singles": float(singles.mean()),
                "mean_together": float(together.mean()),
                "correlation": rank_correlation(singles, together),
                "above": float((together > singles).mean()),
            }
        )
    return rows


def _protected(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    cases: dict[tuple[str, float], list[tuple[dict[str, Any], str]]] = {}
    for record in records:
        for one in record["protected"]:
            cases.setdefault((one["order"], one["share"]), []).append((one, record["group"]))
    return [
        {
            "order": order,
            "share": share,
            "trials": len(mine),
            "agreement": asdict(estimate([one["agrees"] for one, _ in mine], [g for _, g in mine])),
            "accuracy": asdict(estimate([one["right"] for one, _ in mine], [g for _, g in mine])),
            "score": asdict(estimate([one["score"] for one, _ in mine], [g for _, g in mine])),
        }
        for (order, share), mine in cases.items()
    ]


def _periods(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean spectra of the frames' saliency over clips, on a common grid of frequencies (cycles a frame)."""
    grid = np.linspace(0.02, 0.5, 97)
    out: dict[str, Any] = {"frequencies": grid.round(4).tolist(), "curves": {}}
    for name in ("shown", "averaged", "pictures", "pictures, averaged"):
        spectra = []
        for record in records:
            curve = np.array(record["frames_saliency"][name])
            if len(curve) >= 16:
                periods, power = spectrum(curve)
                spectra.append(np.interp(grid, 1 / periods, power * len(curve)))
        if spectra:
            out["curves"][name] = np.mean(spectra, 0).round(5).tolist()
    return out
