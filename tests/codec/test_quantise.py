"""The levels of a block: J is what the tables say of the levels chosen, whatever the shortcuts on the way."""

import numpy as np
import pytest
from t4vcodec.codec.contexts import (
    CHROMA,
    CHROMA_MODES,
    FREQUENCY8,
    FREQUENCY16,
    LUMA8,
    LUMA8_INTRA,
    LUMA16,
    LUMA16_INTRA,
    LUMA_MODES,
    MODE16,
    MODE_BASE,
    SCAN8,
    SCAN16,
    level_context,
    neighbour_sum,
)
from t4vcodec.codec.quantise import best_mode, coding_tables, magnitude_bits

STEP, LAM = np.float32(6.0), np.float32(0.2 * 36)


def scratch() -> tuple[np.ndarray, ...]:
    """Filled with what an earlier block may have left."""
    return np.full(256, 9, np.int16), np.full(256, 7, np.uint8), np.ones(256, np.bool_)


def slow_j(coef, levels, size, first, level_class, tables) -> float:
    """J of a block's levels, coefficient by coefficient with the parser's own contexts."""
    row, cost = tables.row, tables.cost
    scan, frequency = (SCAN8, FREQUENCY8) if size == 8 else (SCAN16, FREQUENCY16)
    points = tables.points[level_class] / 256.0
    seen = np.zeros(size * size, np.int16)
    seen[:first] = levels[:first]
    total = 0.0
    for i in scan[first:]:
        context = level_context(level_class, frequency[i], neighbour_sum(seen, 0, size, i))
        m = abs(int(levels[i]))
        value = 0.0 if m == 0 else (m - points[min(m, 2) - 1]) * STEP
        total += (value - abs(coef[i])) ** 2 + LAM * magnitude_bits(row, cost, context, m)
        seen[i] = levels[i]
    return total


@pytest.mark.parametrize("spread", [4.0, 12.0, 60.0, 900.0])
@pytest.mark.parametrize(
    ("block_class", "size", "modes"),
    [
        (LUMA8, 8, LUMA_MODES),
        (LUMA8_INTRA, 8, LUMA_MODES),
        (LUMA16, 16, LUMA_MODES),
        (LUMA16_INTRA, 16, LUMA_MODES),
        (CHROMA, 8, CHROMA_MODES),
    ],
)
def test_cost_of_the_levels_chosen(tables, block_class, size, modes, spread):
    rng = np.random.default_rng(int(spread))
    first = int(block_class in (LUMA8_INTRA, LUMA16_INTRA))
    used = 0
    for trial in range(12):
        decay = np.exp(-np.add.outer(np.arange(size), np.arange(size)) / (1 + trial)).ravel()
        coef = np.concatenate([np.full(5, 99.0), rng.laplace(0, spread, size * size) * decay])
        coef = coef.astype(np.float32)
        out = np.full(size * size + 3, 5, np.int16)
        dc = out[3] = trial - 4
        mode, j = best_mode(
            *(coef, 5, size, first, STEP, LAM, block_class, modes, MODE16, tables.points),
            *(coding_tables(tables), out, 3, scratch()),
        )
        levels = out[3:]
        assert not first or levels[0] == dc
        assert (out[:3] == 5).all()
        expected = LAM * tables.cost[tables.row[MODE16], mode]
        if mode:
            used += 1
            assert levels[first:].any()
            expected += slow_j(coef[5:], levels, size, first, MODE_BASE[block_class] + mode - 1, tables)
        else:
            assert not levels[first:].any()
            expected += float(np.square(coef[5 + first :]).sum())
        assert j == pytest.approx(expected, rel=1e-4)
    assert used or spread < 20
