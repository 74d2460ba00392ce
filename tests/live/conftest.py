"""Makes `virtual_session` importable; one thread, as in the tests of the codec."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
torch.set_num_threads(1)
