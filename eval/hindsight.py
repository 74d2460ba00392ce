"""The best configuration in hindsight: chosen on some seeds of a channel, to be judged on others.

Every candidate (settings of a codec x protection) is estimated first, on the fates of 64 seeds but without encoding
or decoding anything (`estimates`). The leaders are then encoded, sent and decoded: all of them on two seeds, the
finalists on all search seeds, and from the best of them the search climbs to neighbours (more or less redundancy,
other key frames) while that helps.

What decides is the mean SSIM dB of real decodes, corrected twice: to the target's bytes, by the slope of the
rate-distortion curve (search encodes lie on a coarse grid that they share); and for luck, by as much as the
estimate says that the decoded seeds are better to this candidate than all 64. Half of the score is that, half the
estimate itself. Choices that only suit the few seeds that are decoded would fail on those that are scored: judged
on 64 fresh seeds, eight searches of foreman and carphone lost 0.3 dB on average by real decodes alone, 0.2 dB with
the correction, 0.1 dB so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from t4vcodec.baselines.settings import CODECS, CodecSettings
from t4vcodec.eval.cache import Cache, content_key, version_of
from t4vcodec.eval.candidates import CODES, NONE, REDUNDANCIES, SHARE, Candidate, protection
from t4vcodec.eval.coded_media import baseline_version
from t4vcodec.eval.estimates import Estimate, Estimates, Fates
from t4vcodec.eval.profiles import Effort
from t4vcodec.eval.trials import Chosen, Trials
from t4vcodec.network.channels import Channel
from t4vcodec.network.fec import Protection

FIRST_SEED = 1000
"""Search seeds count from here, scoring seeds from 0."""
_EXPANDED = 8
"""Estimated leaders of which other settings (key frames, slices, preset) are estimated too."""
_REVISED = 3
"""Best settings after that for which every protection is estimated again."""
_ALIKE = 2
"""Leaders of the same settings at most, lest all of them be one idea."""
_TRIAL_SEEDS = 2
_ESTIMATE_SEEDS = 64
_GRID = 0.05
"""Search encodes lie so many halvings of the bytes apart."""


@dataclass(frozen=True)
class Choice:
    """What a search ended with."""

    chosen: Chosen
    """At the search's coarse step."""
    ssim_db: float
    """What the candidate may be expected to score."""
    estimated: int
    """Candidates that were estimated."""
    decoded: int
    """Of those, candidates that were encoded and decoded."""

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "chosen": {**self.chosen.candidate.as_dict(), "step": self.chosen.step}}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Choice:
        chosen = dict(values["chosen"])
        step = chosen.pop("step")
        return Choice(**{**values, "chosen": Chosen(Candidate.from_dict(chosen), step)})


Allowed = Callable[[Candidate], bool]


class Hindsight:
    """Searches of one clip at one number of bytes."""

    def __init__(self, estimates: Estimates, trials: Trials, cache: Cache, effort: Effort) -> None:
        self._estimates, self._trials, self._cache, self._effort = estimates, trials, cache, effort

    def is_known(self, channel: Channel, lists: dict[str, Allowed]) -> bool:
        """Whether `choose` has nothing to do."""
        return self._cache.get(self._key(channel=channel.identity, lists=sorted(lists))) is not None

    def choose(self, channel: Channel, lists: dict[str, Allowed]) -> dict[str, Choice]:
        """The best allowed candidate of each list; a list without any is absent."""
        key = self._key(channel=channel.identity, lists=sorted(lists))
        known = self._cache.get(key)
        if known is None:
            found = self._choose(channel, lists)
            known = {name: choice.as_dict() for name, choice in found.items()}
            self._cache.put(key, known)
        return {name: Choice.from_dict(values) for name, values in known.items()}

    def best_lossless(self, target: int) -> Choice | None:
        """The best of all codecs without loss and protection, at any number of bytes; frames may share packets."""
        key = self._key(lossless=target)
        known = self._cache.get(key)
        if known is None:
            choice = self._best_lossless(target)
            known = {} if choice is None else choice.as_dict()
            self._cache.put(key, known)
        return Choice.from_dict(known) if known else None

    def _key(self, **what: Any) -> str:
        clip = self._trials.clip
        return content_key(
            clip=clip.sha256,
            name=clip.name,
            target=self._estimates.target,
            menu=[s.as_dict() for s in self._estimates.menu.settings],
            effort=vars(self._effort),
            search=version_of("network", "eval/hindsight.py", "eval/estimates.py", "eval/loss_model.py"),
            curves=version_of("eval/ladders.py", "eval/trials.py", "eval/metrics.py", "eval/protocol.py"),
            version=baseline_version(),
            **what,
        )

    def _choose(self, channel: Channel, lists: dict[str, Allowed]) -> dict[str, Choice]:
        random = 0 < channel.mean_loss < 1
        seeds = range(FIRST_SEED, FIRST_SEED + (self._effort.search_seeds if random else 1))
        more = max(len(seeds), _ESTIMATE_SEEDS if random else 1)
        fates = Fates(channel, self._trials.clip, range(FIRST_SEED, FIRST_SEED + more))
        pool = self._pool(fates, channel.mean_loss, lists)
        trial = _Trial(self._trials, self._estimates, channel, fates, seeds)
        found = {}
        for name, allowed in lists.items():
            choice = self._settle([e for e in pool if allowed(e.candidate)], pool, trial, allowed)
            if choice is not None:
                found[name] = choice
        return found

    def _pool(self, fates: Fates, loss: float, lists: dict[str, Allowed]) -> list[Estimate]:
        """Estimates of all candidates worth one, the best first."""
        pool: dict[Candidate, Estimate] = {}

        def estimate(candidate: Candidate) -> float:
            if candidate not in pool and any(allowed(candidate) for allowed in lists.values()):
                found = self._estimates.of(candidate, fates)
                if found is not None:
                    pool[candidate] = found
            return pool[candidate].ssim_db if candidate in pool else -np.inf

        for settings in self._estimates.menu.representatives:
            for shared in (settings, *_sharing(settings)):
                estimate(Candidate(shared))
                if loss > 0:
                    for code in CODES:
                        self._climb_redundancy(shared, code, loss, estimate)
        for allowed in lists.values():
            leaders = [e for e in _sorted(pool) if allowed(e.candidate)][:_EXPANDED]
            for leader in leaders:
                settings = leader.candidate.settings
                for variant in self._estimates.menu.variants(replace(settings, share=1)):
                    if settings.share == 1 or not (variant.slices and variant.codec == "x264"):
                        shared = replace(variant, share=settings.share)
                        estimate(Candidate(shared, leader.candidate.protection))
            # What suits one structure of key frames may not suit the next.
            best = dict.fromkeys(e.candidate.settings for e in _sorted(pool) if allowed(e.candidate))
            for settings in list(best)[:_REVISED] if loss > 0 else ():
                for code in CODES:
                    self._climb_redundancy(settings, code, loss, estimate)
        for settings in self._estimates.menu.settings:
            estimate(Candidate(settings))
        return _sorted(pool)

    def _climb_redundancy(
        self,
        settings: CodecSettings,
        code: tuple[str, int, float],
        loss: float,
        estimate: Callable[[Candidate], float],
    ) -> None:
        """Estimates redundancies around the best one, beginning with what the loss suggests."""

        def at(number: int) -> float:
            if not 0 <= number < len(REDUNDANCIES):
                return -np.inf
            return estimate(Candidate(settings, protection(code, REDUNDANCIES[number])))

        wanted = 1.4 * loss / (1 - loss) if loss < 1 else REDUNDANCIES[-1]
        best = int(np.argmin(np.abs(np.log(np.array(REDUNDANCIES) / wanted))))
        while True:
            better = max((best, best - 1, best + 1), key=at)
            if better == best:
                return
            best = better

    def _settle(
        self, mine: Sequence[Estimate], pool: Sequence[Estimate], trial: _Trial, allowed: Allowed
    ) -> Choice | None:
        """Decodes the leaders of a list and climbs from the best."""
        leaders: list[Candidate] = []
        same: set[tuple[Any, ...]] = set()
        for estimate in mine:
            settings, code = estimate.candidate.settings, estimate.candidate.protection
            # Of few packets, neighbouring redundancies add the same number.
            what = (settings, code.kind, code.block, estimate.step, estimate.ssim_db)
            if what not in same and sum(other.settings == settings for other in leaders) < _ALIKE:
                leaders.append(estimate.candidate)
                same.add(what)
            if len(leaders) == self._effort.leaders:
                break
        steps = {e.candidate: e.step for e in pool}
        first = {c: trial.score(c, steps[c], _TRIAL_SEEDS) for c in leaders}
        finalists = sorted(leaders, key=lambda c: -first[c])[: self._effort.finalists]
        scores = {c: trial.score(c, steps[c]) for c in finalists}
        if not scores or max(scores.values()) == -np.inf:
            return None
        best = max(scores, key=scores.__getitem__)
        left = self._effort.climbs
        tried = set(leaders)
        while left > 0:
            near = [c for c in self._neighbours(best) if c not in tried and allowed(c)][:left]
            if not near:
                break
            left -= len(near)
            tried.update(near)
            scores |= {c: trial.score(c, trial.step(best, steps)) for c in near}
            better = max(scores, key=scores.__getitem__)
            if better == best:
                break
            best = better
        chosen = trial.meet(best, trial.step(best, steps))
        assert chosen is not None  # it has a score
        return Choice(chosen, round(scores[best], 5), len(mine), len(tried))

    def _neighbours(self, candidate: Candidate) -> list[Candidate]:
        """A little more or less redundancy, then other key frames and slices."""
        near = []
        if candidate.protection != NONE:
            at = REDUNDANCIES.index(candidate.protection.redundancy)
            for other in (at + 1, at - 1):
                if 0 <= other < len(REDUNDANCIES):
                    more = Protection(**vars(candidate.protection) | {"redundancy": REDUNDANCIES[other]})
                    near.append(Candidate(candidate.settings, more))
        settings = candidate.settings
        for variant in self._estimates.menu.variants(replace(settings, share=1)):
            differs = (variant.gop != settings.gop) + (variant.slices != settings.slices)
            if variant.preset == settings.preset and differs == 1 and settings.share == 1:
                near.append(Candidate(variant, candidate.protection))
        return near

    def _best_lossless(self, target: int) -> Choice | None:
        menu = self._estimates.menu
        options = [s for rep in menu.settings for s in (rep, *_sharing(rep))]
        found = [e for e in (self._estimates.lossless(s, target) for s in options) if e is not None]
        found.sort(key=lambda e: -e.ssim_db)
        best: tuple[float, Chosen] | None = None
        leaders = found[: self._effort.leaders]
        for estimate in leaders:
            chosen = self._trials.meet(estimate.candidate, target, estimate.step)
            if chosen is not None:
                score = self._trials.media.lossless(chosen.candidate.settings, chosen.step).ssim_db
                if best is None or score > best[0]:
                    best = score, chosen
        return None if best is None else Choice(best[1], round(best[0], 5), len(found), len(leaders))


class _Trial:
    """Real scores of candidates over one channel, each counted at the target's bytes."""

    def __init__(
        self, trials: Trials, estimates: Estimates, channel: Channel, fates: Fates, seeds: Sequence[int]
    ) -> None:
        self._trials, self._estimates, self._channel = trials, estimates, channel
        self._fates, self._seeds = fates, list(seeds)
        self._met: dict[Candidate, Chosen | None] = {}

    def meet(self, candidate: Candidate, guess: int) -> Chosen | None:
        if candidate not in self._met:
            codec = CODECS[candidate.settings.codec]
            grid = max(1, round(_GRID * codec.doubling / codec.step))
            if codec.between > 1:
                grid = codec.between
            self._met[candidate] = self._trials.meet(candidate, self._estimates.target, guess, grid)
        return self._met[candidate]

    def step(self, candidate: Candidate, steps: dict[Candidate, int]) -> int:
        met = self._met.get(candidate)
        return steps[candidate] if met is None else met.step

    def score(self, candidate: Candidate, guess: int, seeds: int | None = None) -> float:
        """Mean SSIM dB on (the first) seeds; minus infinity where the bytes cannot be met."""
        chosen = self.meet(candidate, guess)
        if chosen is None:
            return -np.inf
        values = self._trials.searched(chosen, self._channel, self._seeds[:seeds])
        sent = self._trials.sent(chosen).total_bytes
        slope = self._estimates.slope(candidate.settings, chosen.step)
        estimate = self._estimates.of(candidate, self._fates)
        real = float(np.mean(values)) + slope * float(np.log2(self._estimates.target / sent))
        if estimate is None or len(self._fates.seeds) == len(self._seeds):
            return real  # nothing is left to chance
        return (real - estimate.luck(len(values)) + estimate.ssim_db) / 2


def _sharing(settings: CodecSettings) -> list[CodecSettings]:
    """The same with shared packets, where it can."""
    if settings.slices and settings.codec == "x264":
        return []
    return [replace(settings, share=SHARE)]


def _sorted(pool: dict[Candidate, Estimate]) -> list[Estimate]:
    return sorted(pool.values(), key=lambda e: (-e.ssim_db, e.candidate.name))
