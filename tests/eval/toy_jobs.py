"""Jobs for the cluster's tests, in a module that worker processes can import."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from t4vcodec.eval.errors import EvalError


@dataclass(frozen=True)
class ToyJob:
    """Tells a step, then returns its number and process; `how` says what goes wrong."""

    number: int
    source: str
    folder: str
    how: str = ""

    def run(self, done) -> tuple[int, int]:
        done(f"job {self.number}", True, 1.0)
        runs = Path(self.folder) / f"runs-{self.number}"
        with runs.open("a") as file:
            file.write("x")
        if self.how == "error":
            raise EvalError(f"job {self.number} cannot be done")
        if self.how == "dies always" or (self.how == "dies once" and runs.stat().st_size == 1):
            os._exit(1)
        time.sleep(0.05)
        return self.number, os.getpid()
