"""How much redundancy each round before a deadline should carry: the arithmetic behind `hairpin`.

After Meng et al., "Hairpin: Rethinking Packet Loss Recovery in Edge-based Interactive Video Streaming" (NSDI
2024). A frame lacks n packets and L rounds are left, this one included. A round sends n + r packets of which
any n would do; each is lost with probability p; the next round lacks what is still missing. With V(0, .) = 0
and V(n, 0) = M for a missed deadline,

    V(n, L) = min over r of  n + r + sum over i of P(n - i of n + r arrive) V(i, L - 1)

is the least expected number of packets, where a miss is worth M packets. The plan for (n, L) takes the smallest
M at which the frame misses its deadline with at most the probability asked for (a Lagrangian relaxation of:
least bytes subject to that probability). The last round, having nobody behind it, gets the most redundancy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

MOST_MISSING = 96
"""Packets that a plan covers."""
MOST_ROUNDS = 8
MOST_SPARE = 128
"""Redundant packets of a round at most."""
LOSSES = (
    0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8,
)  # fmt: skip
"""Losses for which plans are made; others take the next above."""
PRICES = tuple(4.0**i for i in range(1, 12))
"""Packets that a miss may be worth, tried in turn."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What to do at one loss and one price."""

    spare: np.ndarray
    """(MOST_ROUNDS + 1, MOST_MISSING + 1) int: r for L rounds left and n missing."""
    miss: np.ndarray
    """Probability of a missed deadline, same shape."""
    cost: np.ndarray
    """Expected packets sent, same shape."""


@lru_cache(maxsize=len(LOSSES))
def plans(loss: float) -> tuple[Plan, ...]:
    """One plan for each of `PRICES`."""
    chances = _chances(loss)
    return tuple(_plan(chances, price) for price in PRICES)


def choose(loss: float, missing: int, rounds: int, tolerated: float) -> int:
    """Which of `PRICES` keeps the probability of a miss at `tolerated`; the last where none does."""
    for i, plan in enumerate(plans(nominal(loss))):
        if plan.miss[min(rounds, MOST_ROUNDS), min(missing, MOST_MISSING)] <= tolerated:
            return i
    return len(PRICES) - 1


def spare(loss: float, missing: int, rounds: int, price: int) -> int:
    """Redundant packets for this round; more than `MOST_MISSING` missing take that many's share."""
    table = plans(nominal(loss))[price].spare[min(max(rounds, 1), MOST_ROUNDS)]
    if missing <= MOST_MISSING:
        return int(table[missing])
    return -(-int(table[MOST_MISSING]) * missing // MOST_MISSING)


def nominal(loss: float) -> float:
    """The loss to plan with."""
    return next((planned for planned in LOSSES if planned >= loss), LOSSES[-1])


def _chances(loss: float) -> np.ndarray:
    """(r, n, i): probability that i of n are still missing after n + r were sent; i from 0 to n."""
    arrive = np.zeros((MOST_MISSING + MOST_SPARE + 1, MOST_MISSING + MOST_SPARE + 1))
    arrive[0, 0] = 1
    for m in range(1, len(arrive)):
        arrive[m] = loss * arrive[m - 1]
        arrive[m, 1:] += (1 - loss) * arrive[m - 1, :-1]
    r, n, i = np.ogrid[: MOST_SPARE + 1, : MOST_MISSING + 1, : MOST_MISSING + 1]
    chances = np.where(i <= n, arrive[n + r, np.maximum(n - i, 0)], 0.0)
    chances[:, :, 0] = 0
    chances[:, :, 0] = 1 - chances.sum(axis=2)
    return chances


def _plan(chances: np.ndarray, price: float) -> Plan:
    missing = np.arange(MOST_MISSING + 1)
    shape = (MOST_ROUNDS + 1, MOST_MISSING + 1)
    plan = Plan(np.zeros(shape, int), np.zeros(shape), np.zeros(shape))
    plan.miss[0] = missing > 0
    sent = missing + np.arange(MOST_SPARE + 1)[:, None]
    for rounds in range(1, MOST_ROUNDS + 1):
        value = plan.cost[rounds - 1] + price * plan.miss[rounds - 1]
        best = np.argmin(sent + chances @ value, axis=0)
        best[0] = 0
        chosen = chances[best, missing]
        plan.spare[rounds] = best
        plan.miss[rounds] = chosen @ plan.miss[rounds - 1]
        plan.cost[rounds] = missing + best + chosen @ plan.cost[rounds - 1]
        plan.miss[rounds, 0] = plan.cost[rounds, 0] = 0
    return plan
