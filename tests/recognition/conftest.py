"""Small recognizers, and one thread for all tests here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from t4vcodec.recognition.builtin import BuiltinRecognizer
from t4vcodec.recognition.network import ActionNetwork, Shape

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def small_network() -> ActionNetwork:
    torch.manual_seed(0)
    return ActionNetwork(3, Shape((8, 8, 8), (1, 1, 1), 0.0))


@pytest.fixture
def small(small_network) -> BuiltinRecognizer:
    return BuiltinRecognizer("small", ("a", "b", "c"), small_network)
