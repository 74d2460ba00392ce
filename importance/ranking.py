"""How well a score puts the important packets first."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def area_under_curve(scores: np.ndarray, important: np.ndarray) -> float:
    """Area under the receiver operating characteristic: how often an important packet has the higher score.

    scores: (N,). important: (N,) bool. Ties count half (Mann-Whitney). NaN where there is but one kind.
    """
    positives = int(important.sum())
    negatives = important.size - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(scores)[important].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))
