"""Where a run's figures go: Weights & Biases, without ever asking anything, or nowhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def default_mode() -> str:
    """Online with a key at hand, else offline."""
    netrc = Path.home() / ".netrc"
    logged_in = "WANDB_API_KEY" in os.environ or (
        netrc.is_file() and "api.wandb.ai" in netrc.read_text(errors="ignore")
    )
    return "online" if logged_in else "offline"


class Tracker:
    """mode: online, offline or disabled. folder: where offline runs are kept. settings: of the run."""

    def __init__(self, mode: str, folder: Path, settings: dict[str, Any]) -> None:
        self._run = None
        if mode != "disabled":
            import wandb

            self._wandb = wandb
            self._run = wandb.init(
                project="t4vcodec",
                mode=mode,
                dir=str(folder),
                config=settings,
                settings=wandb.Settings(silent=True, console="off"),
            )

    def log(self, step: int, figures: dict[str, float]) -> None:
        if self._run is not None:
            self._run.log(figures, step=step)

    def model(self, path: Path) -> None:
        """Keep the trained weights with the run."""
        if self._run is not None:
            artifact = self._wandb.Artifact(path.stem.replace(" ", "-"), type="model")
            artifact.add_file(str(path))
            self._run.log_artifact(artifact)

    def close(self) -> None:
        if self._run is not None:
            self._run.finish()
