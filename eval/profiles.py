"""How much is measured: a first look within minutes, or everything that the protocol asks for."""

from __future__ import annotations

from dataclasses import dataclass

from t4vcodec.eval.errors import EvalError


@dataclass(frozen=True)
class Effort:
    """What a search for the best opponent may cost; `hindsight` says what these mean."""

    search_seeds: int
    leaders: int
    """Candidates of each list that are decoded on two seeds."""
    finalists: int
    """Of those, candidates that are decoded on all search seeds."""
    climbs: int
    """Neighbours of the best that are decoded at most."""


@dataclass(frozen=True)
class Profile:
    """What is measured unless asked otherwise."""

    losses: str
    points: tuple[float, ...]
    seeds: int
    effort: Effort
    redundancies: tuple[float, ...]
    """At which each baseline is also shown alone, Reed-Solomon over 4 frames."""
    x264_apart: bool = True
    """Whether there are rows for which only x264 may be chosen."""


PROFILES = {
    "quick": Profile("0.1,0.3,0.6", (600.0,), 3, Effort(6, 3, 1, 1), (0.5, 1.0, 2.0), False),
    "full": Profile(
        "0,0.1,0.3,0.6,ge:0.3:5", (300.0, 600.0, 1200.0), 8, Effort(12, 6, 3, 6), (0.5, 1.0, 2.0)
    ),
}


def profile_of(name: str) -> Profile:
    """Raises `EvalError` on an unknown name."""
    if name not in PROFILES:
        raise EvalError(f"unknown profile '{name}': take {' or '.join(PROFILES)}")
    return PROFILES[name]


@dataclass(frozen=True)
class Opposition:
    """Who ours is measured against."""

    baselines: tuple[str, ...]
    """Standard codecs, as `baselines.settings.CODECS` calls them."""
    effort: Effort
    redundancies: tuple[float, ...]
    """Of the single configurations."""
    x264_apart: bool = True
    """As of `Profile`; without effect where x264 is alone anyway."""

    @property
    def choices(self) -> tuple[str | None, ...]:
        """What searches may choose from: None stands for all baselines, a name for that one."""
        apart = self.x264_apart and "x264" in self.baselines and len(self.baselines) > 1
        return (None, "x264") if apart else (None,)
