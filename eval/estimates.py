"""What a candidate may be expected to score over a channel: sizes, fates and a formula, but no encode or decode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import numpy as np
from t4vcodec.baselines.settings import CodecSettings
from t4vcodec.eval.cache import Cache, content_key, version_of
from t4vcodec.eval.candidates import Candidate, Menu
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.coded_media import CodedMedia, cut
from t4vcodec.eval.frame_scores import FrameScores
from t4vcodec.eval.ladders import SPACING, Curves
from t4vcodec.eval.loss_model import Chain, expected_loss, fit, manner_of, source_change
from t4vcodec.eval.metrics import ssim_to_db
from t4vcodec.eval.protocol import Delivery, show
from t4vcodec.network import fec
from t4vcodec.network.channels import Channel, ChannelError, random_numbers
from t4vcodec.network.fec import Plan
from t4vcodec.network.stream import HEADER_BYTES

_CLOSE = 0.004
"""Relative miss of the target at which a position is good enough."""
_FIT_LOSS, _FIT_RUNS = 0.12, 2
"""Share of packets lost in the decodes that the formula is fitted to, and how many they are."""


class Fates:
    """A channel's sequences of fates for one clip, as long as they are needed."""

    def __init__(self, channel: Channel, clip: Clip, seeds: Sequence[int]) -> None:
        self._channel, self._clip, self.seeds = channel, clip, tuple(seeds)
        self._known = np.zeros((len(self.seeds), 0), bool)

    def of(self, plan: Plan) -> np.ndarray:
        """(S, N) bool: what happens to each packet of a plan."""
        count = len(plan.packet_frames)
        try:
            if self._known.shape[1] < count:
                streams = [self._channel.fates(self._clip.name, seed) for seed in self.seeds]
                self._known = np.array([list(islice(fates, 2 * count)) for fates in streams], bool)
        except ChannelError:  # losses by time: every plan has its own
            times = [float(frame / self._clip.fps) for frame in plan.packet_frames.tolist()]
            sessions = [self._channel.session(self._clip.name, seed) for seed in self.seeds]
            return np.array([[session.lost(time) for time in times] for session in sessions], bool)
        return self._known[:, :count]


@dataclass(frozen=True)
class Estimate:
    """A candidate at a number of bytes over a channel."""

    candidate: Candidate
    ssim_db: float
    """Mean over the seeds."""
    step: int
    """Of quality, at which the bytes are met."""
    by_seed: tuple[float, ...] = ()

    def luck(self, seeds: int) -> float:
        """How much better the first seeds are to this candidate than all of them."""
        return float(np.mean(self.by_seed[:seeds])) - self.ssim_db


class Estimates:
    """Expected qualities of one clip's candidates at one number of bytes."""

    def __init__(
        self, clip: Clip, media: CodedMedia, menu: Menu, cache: Cache, scores: FrameScores, target: int
    ) -> None:
        self.clip, self.menu, self.target = clip, menu, target
        self._media, self._cache, self._scores = media, cache, scores
        self.curves = Curves(media, menu)
        self._chains: dict[tuple[str, bool], Chain] = {}
        self._met: dict[Candidate, float | None] = {}

    def of(self, candidate: Candidate, fates: Fates) -> Estimate | None:
        """None where no quality gives the bytes."""
        if candidate not in self._met:
            self._met[candidate] = self._solve(candidate, self.target)
        position = self._met[candidate]
        if position is None:
            return None
        plan, settings = self._plan(candidate, position), candidate.settings
        _, coding = self.curves.at(replace(settings, share=1), position)
        lost = fates.of(plan)
        missing = _missing(plan, lost, settings)
        loss = expected_loss(
            missing,
            self._keys(settings),
            coding,
            self._change,
            self._chain(settings),
            manner_of(settings, float(self.clip.fps)),
        )
        values = tuple(ssim_to_db(1 - mean) for mean in loss.mean(axis=1))
        return Estimate(candidate, float(np.mean(values)), self._ladder_step(settings, position), values)

    def lossless(self, settings: CodecSettings, target: int) -> Estimate | None:
        """Without protection and loss, at any number of bytes."""
        position = self._solve(Candidate(settings), target)
        if position is None:
            return None
        _, coding = self.curves.at(replace(settings, share=1), position)
        value = ssim_to_db(1 - float(coding.mean()))
        return Estimate(Candidate(settings), value, self._ladder_step(settings, position))

    def slope(self, settings: CodecSettings, step: int) -> float:
        """SSIM dB that a doubling of the bytes gives, near a step."""
        ladder = self.curves.ladder(replace(settings, share=1))
        low = min(math.floor(step / ladder.step(1)), ladder.last - 1)
        (more, better), (less, worse) = (ladder.at(low), ladder.at(low + 1))
        doublings = math.log2(np.exp(more).sum() / np.exp(less).sum())
        gain = ssim_to_db(1 - float(np.exp(better).mean())) - ssim_to_db(1 - float(np.exp(worse).mean()))
        return gain / doublings if doublings > 0.1 else 0.0

    def _ladder_step(self, settings: CodecSettings, position: float) -> int:
        return self.curves.ladder(replace(settings, share=1)).step(position)

    def _plan(self, candidate: Candidate, position: float) -> Plan:
        """What would be sent at a position. Raises `FecError`."""
        sizes = cut(
            self.curves.at(replace(candidate.settings, share=1), position)[0], candidate.settings.share
        )
        return fec.plan(sizes, self._carried_keys(candidate.settings), candidate.protection)

    def _solve(self, candidate: Candidate, target: int) -> float | None:
        """The position at which all bytes sum up to `target`; None where there is none."""
        settings = replace(candidate.settings, share=1)
        ladder = self.curves.ladder(settings)
        position = float(ladder.middle)
        start = np.exp(ladder.rung(ladder.middle).log_bytes).sum()
        position += math.log(start * (1 + candidate.protection.redundancy) / target) / _RUNG
        for _ in range(9):
            position = min(max(position, 0.0), float(ladder.last))
            try:
                plan = self._plan(candidate, position)
            except fec.FecError:
                return None  # too many packets for this code
            total = int(plan.packet_sizes.sum()) + HEADER_BYTES * len(plan.packet_sizes)
            move = math.log(total / target)
            met = position
            if abs(move) < _CLOSE:
                return met
            if position == (0.0 if move < 0 else float(ladder.last)):
                return None
            position += move / _RUNG
        return met if abs(move) < 0.05 else None

    def _keys(self, settings: CodecSettings) -> np.ndarray:
        """(frames,) bool: which frames are key frames."""
        keys = np.zeros(len(self.clip.frames), bool)
        keys[:: max(2, round(self.clip.fps)) if settings.gop == "second" else len(keys)] = True
        return keys

    def _carried_keys(self, settings: CodecSettings) -> list[bool]:
        """By the frame that packets leave with."""
        keys, share = self._keys(settings), settings.share
        carried = np.zeros(len(keys), bool)
        for frame in np.flatnonzero(keys):
            carried[min(frame - frame % share + share, len(keys)) - 1] = True
        return carried.tolist()

    @cached_property
    def _change(self) -> np.ndarray:
        key = content_key(clip=self.clip.sha256, change=version_of("eval/loss_model.py", "eval/metrics.py"))
        known = self._cache.get_array(key)
        if known is None:
            known = source_change(self.clip.frames)
            self._cache.put_array(key, known)
        return known

    def _chain(self, settings: CodecSettings) -> Chain:
        place = settings.codec, settings.slices
        if place not in self._chains:
            found = min(
                (s for s in self.menu.settings if (s.codec, s.slices) == place),
                key=lambda s: (s.gop != "infinite", s.scale != 1, s.preset == "veryfast"),
            )
            ladder = self.curves.ladder(found)
            step = ladder.step(ladder.middle)
            version = version_of("eval/loss_model.py", "eval/estimates.py", "eval/ladders.py")
            key = self._media.key(found, step, chain=version)
            known = self._cache.get(key)
            if known is None:
                known = vars(self._fit(found, step)).copy()
                self._cache.put(key, known)
            self._chains[place] = Chain(**known)
        return self._chains[place]

    def _fit(self, settings: CodecSettings, step: int) -> Chain:
        """From a few decodes with losses; the first frame is spared."""
        coded = self._media.coded(settings, step)
        plan = fec.plan(coded.sizes, coded.keys, Candidate(settings).protection)
        draws = [
            random_numbers("fit", self.clip.name, run).random(len(plan.packet_frames))
            for run in range(_FIT_RUNS)
        ]
        lost = (np.array(draws) < _FIT_LOSS) & (plan.packet_frames > 0)
        seen = []
        for fates in lost.tolist():
            gone = iter(fates)
            payloads = [tuple(p for p in frame if not next(gone)) for frame in coded.frames]
            nothing = [0] * len(payloads)
            delivery = Delivery(payloads, nothing, nothing, nothing)
            run = show(delivery, self._media.receiver(coded), self.clip, judge=self._scores.add)
            seen.append([1 - ssim for ssim in run.score.ssim_frames])
        return fit(
            _missing(plan, lost, settings),
            np.array(seen),
            self._keys(settings),
            1 - np.array(self._media.lossless(settings, step).ssim_frames),
            self._change,
            manner_of(settings, float(self.clip.fps)),
        )


_RUNG = SPACING * math.log(2)
"""About how much the logarithm of the bytes falls from rung to rung."""


def _missing(plan: Plan, lost: np.ndarray, settings: CodecSettings) -> np.ndarray:
    """(S, frames) float: the share of each frame that is not there when it is shown.

    lost: (S, N), fates of all packets. Of slices, what is lost is missing; otherwise all behind the first loss.
    """
    whole = plan.recovered_count(lost)
    gone = lost[:, plan.media_at] & ~whole[:, plan.media_frames]
    missing = np.zeros(whole.shape)
    if gone.any():
        sent, starts, counts = np.unique(plan.media_frames, return_index=True, return_counts=True)
        if settings.slices and settings.codec == "x264":
            share = np.add.reduceat(gone, starts, axis=1) / counts
        else:
            place = np.arange(len(plan.media_frames)) - np.repeat(starts, counts)
            first = np.where(gone, place, np.repeat(counts, counts))
            share = 1 - np.minimum.reduceat(first, starts, axis=1) / counts
        missing[:, sent] = share
    if settings.share > 1:
        frames = np.arange(plan.frames)
        carriers = np.minimum(frames - frames % settings.share + settings.share, plan.frames) - 1
        missing = missing[:, carriers]
    return missing
