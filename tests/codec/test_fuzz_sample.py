"""A small sample of `tests/fuzz.py`, which says what is thrown at whom."""

import importlib.util
import sys
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("t4v_fuzz", Path(__file__).parent.parent / "fuzz.py")
fuzz = importlib.util.module_from_spec(_spec)
sys.modules["t4v_fuzz"] = fuzz  # dataclasses and pickle look modules up by name
_spec.loader.exec_module(fuzz)


@pytest.mark.parametrize(
    ("run", "count"),
    [
        (fuzz.fuzz_packets, 2000),
        (fuzz.fuzz_raw, 10_000),
        (fuzz.fuzz_wild, 40),
        (fuzz.fuzz_containers, 200),
        (fuzz.fuzz_sequences, 4),
    ],
)
def test_sample(run, count):
    watch = run(count, seed=7)
    assert watch.outcomes.total() >= count
