"""What a gain is worth, and when an answer is decided."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.importance.worth import decided, turning

numbers = st.floats(-20, 20)


@given(numbers, st.lists(numbers, min_size=1, max_size=5))
def test_worth_is_a_change_of_probability(margin, gains):
    worth = turning(margin, np.array(gains))
    assert ((worth >= 0) & (worth <= 1)).all()
    assert (worth[np.array(gains) <= 0] == 0).all()


def test_the_same_gain_is_worth_most_where_the_answer_is_open():
    gain = np.array([0.2])
    near, firm, lost = (turning(margin, gain)[0] for margin in (-0.1, 6.0, -6.0))
    assert near > 10 * firm
    assert near > 10 * lost


def test_a_larger_gain_is_worth_more():
    worth = turning(-1.0, np.array([0.1, 0.5, 1.0, 3.0]))
    assert (np.diff(worth) > 0).all()


@pytest.mark.parametrize(
    ("margin", "gains", "firm"),
    [
        (1.0, [0.5, -0.3, -0.3], True),
        (1.0, [-0.6, -0.6], False),
        (-1.0, [0.4, 0.4, -5.0], True),
        (-1.0, [0.6, 0.6], False),
        (0.5, [], True),
    ],
)
def test_an_answer_is_decided_when_nothing_missing_can_turn_it(margin, gains, firm):
    assert bool(decided(margin, np.array(gains, float))) is firm
